"""The commands of `cotgen` that make sets to train and test on, and that score answers to them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cotgen.cli.building import BalanceOption, PhrasingOption
from cotgen.cli.options import NAME, LabelSetName, Out, Profiles, Seed, Traces, file_to_write, label_set_of
from cotgen.errors import CotgenError
from cotgen.tasks import Phrasing, TaskConfig
from cotgen.tasks.answers import score_file, table
from cotgen.tasks.balancing import selection
from cotgen.tasks.conflict import ConflictSet, recipes
from cotgen.tasks.joining import joined, measured_lines
from cotgen.tasks.perception import PerceptionSet
from cotgen.tasks.stress import stress_examples
from cotgen.tasks.variants import LARGEST_STEP, SMALLEST_STEP, variant_recipes
from speech_records import emotion_question, write_jsonl
from speech_records.failures import FailureLog, errors_beside

app = typer.Typer()


@app.command("tasks")
def build_tasks(
    *,
    profiles: Profiles,
    traces: Traces,
    question: Annotated[str, typer.Option(help="What the reasoning examples ask: the text of the policy's prompt.")],
    out: Out,
    comparative: Annotated[Path | None, typer.Option(help="Clips of several variants (ComparativeClip).")] = None,
    label_set: LabelSetName = "PAPER_9",
    phrasing: PhrasingOption = Phrasing.SHORT,
    balance: BalanceOption = None,
    seed: Seed = 0,
) -> None:
    """Write the SFT examples of the four task families for any two files of measurements and traces.

    `cotgen build` and `annotator run` write them into sft.jsonl. Files may be in any order and of any size, with
    several traces for an utterance. With --balance attributes are asked for one at a time only.

    Example: cotgen tasks --profiles measured.jsonl --traces traces.jsonl --question "Which emotion?" -o sft.jsonl
    """
    config = TaskConfig(label_set_of(label_set), question, seed, phrasing, balance)
    with FailureLog(NAME, errors_beside(out)) as log:
        with joined(profiles, traces, config, comparative=comparative, report=log) as drawn:
            keeps = selection(drawn, balance=balance, seed=seed)
            count = write_jsonl(out, (found.example for found in drawn() if keeps(found)))
        raise typer.Exit(log.finish(f"{count} examples"))


@app.command()
def stress(
    *,
    manifest: Annotated[Path, typer.Option(help="Utterances with stressed_words (JSON Lines of Utterance).")],
    out: Out,
    phrasing: PhrasingOption = Phrasing.SHORT,
    balance: BalanceOption = None,
    seed: Seed = 0,
) -> None:
    """Write SFT examples about word stress from a corpus that marks stressed words, without measuring it.

    Example: cotgen stress --manifest stress17k.jsonl -o stress.jsonl
    """
    with FailureLog(NAME, errors_beside(out)) as log:
        made = stress_examples(manifest, seed=seed, report=log, phrasing=phrasing, balance=balance)
        raise typer.Exit(log.finish(f"{write_jsonl(out, made)} examples"))


@app.command()
def variants(
    *,
    profiles: Profiles,
    out: Out,
    count: Annotated[int, typer.Option(min=1, help="Recipes of each split, at most.")] = 180,
    longest: Annotated[float, typer.Option(min=0.1, help="Longest speech that is used, in seconds.")] = 5.0,
    step: Annotated[
        float, typer.Option(min=SMALLEST_STEP, max=LARGEST_STEP, help="Share of the step: 1 is 4 st, 6 dB, 25 %.")
    ] = 1.0,
    seed: Seed = 0,
) -> None:
    """Write recipes for comparative clips: which sentence, which attribute, its three levels in which order.

    Every order of every attribute comes equally often. `annotator compare` makes the clips; with a --step of 0.25 they
    differ by about as little as listeners tell.

    Example: cotgen variants --profiles measured.jsonl -o recipes.jsonl
    """
    with FailureLog(NAME, errors_beside(out)) as log:
        measured = measured_lines(profiles, log, check_stress=False)
        made = variant_recipes(measured, seed=seed, count=count, longest_s=longest, step=step)
        raise typer.Exit(log.finish(f"{write_jsonl(out, made)} recipes"))


@app.command()
def perception(
    *,
    profiles: Profiles,
    out: Out,
    split: Annotated[str, typer.Option(help="The held-out split to ask about.")] = "test",
    most: Annotated[int, typer.Option(min=1, help="Items of each class of a column, at most.")] = 100,
    least: Annotated[int, typer.Option(min=1, help="A class with fewer clear cases is not asked.")] = 10,
    seed: Seed = 0,
) -> None:
    """Write the prosody-perception test set: pitch, rate, energy, intonation, stress, all classes equally often.

    Only clear cases are asked. How many there were of each class, and what is not asked, is printed on stderr.

    Example: cotgen perception --profiles measured.jsonl --split test -o perception.jsonl
    """
    with FailureLog(NAME, errors_beside(out)) as log:
        made = PerceptionSet(profiles, split=split, seed=seed, report=log, most=most, least=least)
        count = write_jsonl(out, made.items())
        for column, plan in made.columns.items():
            found = ", ".join(f"{n} {name}" for name, n in plan.found.items()) or "none"
            asked = f"{plan.per_class} of each of {', '.join(plan.asked)}" if plan.asked else "not asked"
            typer.echo(f"cotgen: {column}: {asked} (clear cases: {found})", err=True)
        if made.shared_speakers:
            shown = ", ".join(made.shared_speakers[:5])
            typer.echo(f"cotgen: {len(made.shared_speakers)} speakers are also in other splits: {shown}", err=True)
        raise typer.Exit(log.finish(f"{count} items"))


@app.command()
def conflict(
    *,
    out: Out,
    profiles: Annotated[
        Path | None, typer.Option(help="Measured utterances (JSON Lines of MeasuredUtterance).")
    ] = None,
    make_recipes: Annotated[
        bool, typer.Option("--recipes", help="Write sentences of ours to be spoken in another emotion instead.")
    ] = False,
    label_set: LabelSetName = "PAPER_9",
    question: Annotated[
        str | None, typer.Option(help="What every item asks. Default: the question of the label set.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="One split only.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Items of each kind and emotion of the voice, at most.")] = 100,
    seed: Seed = 0,
) -> None:
    """Write the conflict set: clips whose words say one emotion and whose voice another, with the evidence for both.

    Neutral sentences in an emotional voice, and clips where both agree, are marked as such. Why other utterances give
    no item is counted on stderr.

    Example: cotgen conflict --profiles measured.jsonl -o conflict.jsonl
    """
    labels = label_set_of(label_set)
    if make_recipes is (profiles is not None):
        raise CotgenError("give either --profiles FILE, or --recipes for sentences to be spoken")
    with FailureLog(NAME, errors_beside(out)) as log:
        if profiles is None:
            raise typer.Exit(log.finish(f"{write_jsonl(out, recipes(labels))} recipes"))
        asked = question or emotion_question(labels)
        made = ConflictSet(profiles, label_set=labels, question=asked, seed=seed, report=log, split=split, most=most)
        count = write_jsonl(out, made.items())
        for key, number in sorted(made.found.items(), key=lambda pair: (pair[0].group, pair[0].name)):
            typer.echo(f"cotgen: {key.group}, voice {key.name}: {number} found, {min(most, number)} written", err=True)
        for reason, number in sorted(made.skipped.items()):
            typer.echo(f"cotgen: {number} without an item: {reason}", err=True)
        raise typer.Exit(log.finish(f"{count} items"))


@app.command("score")
def score_answers(
    items: Annotated[Path, typer.Argument(help="SFT examples, perception items or conflict items (JSON Lines).")],
    *,
    answers: Annotated[Path, typer.Option(help='Lines of {"item_id": …, "answer": …}.')],
    label_set: Annotated[
        str | None, typer.Option(help="Map the labels of reasoning into this set before they are compared.")
    ] = None,
    report: Annotated[Path | None, file_to_write(text="Write the table as JSON.")] = None,
) -> None:
    """Score a model's answers: a table by task family, by column of the perception set, or by kind of conflict.

    An invalid or missing answer is wrong and counted as invalid. Status 1 when a line is broken or fits no item.

    Example: cotgen score perception.jsonl --answers answers.jsonl
    """
    with FailureLog(NAME, None) as log:
        labels = None if label_set is None else label_set_of(label_set)
        scored = score_file(items, answers, label_set=labels, report=log)
        typer.echo(table(scored))
        if report is not None:
            report.write_text(json.dumps(asdict(scored), indent=1) + "\n", encoding="utf-8")
        raise typer.Exit(log.finish(f"{scored.unanswered} items without an answer"))
