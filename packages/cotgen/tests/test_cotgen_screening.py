"""Whole-text checks, repair and the faithfulness report, also of texts that others published."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cotgen import cli, generate
from cotgen.screening import Decision, Problem, check, screen, split_sentences
from speech_records import PAPER_9, Emotion, MeasuredUtterance, ProsodyProfile, ReasoningTrace, read_jsonl

CLIPS = Path(__file__).parent / "data" / "claims_clips.jsonl"
LOUD = {m.utterance.utterance_id: m for m in read_jsonl(CLIPS, MeasuredUtterance)}["loud"]
PLAIN = (
    "The delivery comes across as forceful from the first moment. Nothing about the way in which the message is put "
    "leaves much room for doubt, and a listener would probably take a step back. There may be other readings of such "
    "a moment, but none of them is as plausible. So the most likely emotion is angry."
)
"""57 words by hand, with one claim about the sound (*forceful*)."""


def trace(text: str) -> ReasoningTrace:
    return ReasoningTrace("loud", text, Emotion.ANGRY)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("So it is angry.", Problem.TOO_SHORT),
        (PLAIN + " And more" * 80 + ".", Problem.TOO_LONG),
        ("This anger is plain. " + PLAIN, Problem.LABEL_LEAK),
        (PLAIN.replace("is angry", "is sad"), Problem.OTHER_ANSWER),
        ("It goes on and on. It goes on and on! " + PLAIN, Problem.REPETITION),
        ("<think>" + PLAIN, Problem.TAGS),
    ],
)
def test_each_problem_is_found(text: str, problem: Problem) -> None:
    """Each text breaks one rule of the plain one, which has no problem."""
    assert check(PLAIN, Emotion.ANGRY, []) == ()
    assert problem in check(text, Emotion.ANGRY, [])


def test_a_label_inside_a_quote_is_the_speakers() -> None:
    """The transcript may hold any word."""
    assert Problem.LABEL_LEAK not in check("The speaker says “I am angry.” " + PLAIN, Emotion.ANGRY, [])


def test_a_contradicted_sentence_is_dropped() -> None:
    """`loud` is high in pitch; without the false sentence the text is the plain one again."""
    screened = screen(trace("The pitch is low, by 1.5 semitones. " + PLAIN), LOUD)
    assert (screened.decision, screened.problems) == (Decision.REPAIRED, (Problem.CONTRADICTED,))
    assert screened.trace.think == PLAIN
    assert screen(trace(PLAIN), LOUD).decision is Decision.KEPT


def test_what_repair_cannot_mend_is_rejected() -> None:
    """A false conclusion cannot be dropped; a text that becomes too short stays as it was."""
    final = screen(trace(PLAIN + " So the pitch is low."), LOUD)
    assert (final.decision, final.remaining) == (Decision.REJECTED, (Problem.CONTRADICTED,))
    first, rest = split_sentences(PLAIN)[0], "".join(split_sentences(PLAIN)[1:])
    short = screen(trace(first.replace("The", "With a low pitch the") + rest), LOUD)
    assert (short.decision, short.remaining) == (Decision.REJECTED, (Problem.TOO_SHORT,))
    assert short.trace.think.startswith("With a low pitch")


NOTHING_HEARD = PLAIN.replace("comes across as forceful", "is what it is")


def test_a_text_that_shows_nothing_that_was_heard_is_rejected() -> None:
    """`loud` offers six cues: none of them is a score of 0, one right (*forceful*) of 1/6 is over 0.15. What a repair
    leaves is scored too; a clip that offers no cue asks for nothing.
    """
    rejected = screen(trace(NOTHING_HEARD), LOUD)
    assert (rejected.decision, rejected.remaining) == (Decision.REJECTED, (Problem.UNFAITHFUL,))
    repaired = screen(trace("The pitch is low, by 1.5 semitones. " + NOTHING_HEARD), LOUD)
    assert (repaired.decision, repaired.problems) == (Decision.REJECTED, (Problem.CONTRADICTED,))
    assert repaired.remaining == (Problem.UNFAITHFUL,)
    silent = replace(LOUD, profile=ProsodyProfile(duration_s=1.0, sample_rate=16_000), levels=None)
    assert screen(trace(NOTHING_HEARD), silent).decision is Decision.KEPT


def test_a_misquote_is_dropped() -> None:
    """Nobody said that."""
    screened = screen(trace("The speaker says “I never wrote this letter.” " + PLAIN), LOUD)
    assert (screened.decision, screened.problems) == (Decision.REPAIRED, (Problem.MISQUOTE,))
    assert screened.trace.think == PLAIN


def test_what_the_rules_write_is_kept() -> None:
    """Our own texts pass our own checks, for every clip of the data and many seeds."""
    for clip in read_jsonl(CLIPS, MeasuredUtterance):
        for seed in range(25):
            written = generate(clip, label_set=PAPER_9, seed=seed)
            assert screen(written, clip).decision is Decision.KEPT, written.think


def test_published_rows_are_screened_by_audio_path(tmp_path: Path) -> None:
    """One good row, one of an unknown clip, one whose words are not those that were measured, one broken line."""
    said = LOUD.utterance.transcript
    row = {"audio_path": LOUD.utterance.audio_path, "transcription": said, "emotion": "angry"}
    row["cot_analysis"] = "The pitch is low, by far. " + PLAIN
    rows = [row, row | {"audio_path": "x.wav"}, row | {"transcription": "Something else entirely."}]
    source, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps(r) + "\n" for r in rows[:2]) + "{broken\n" + json.dumps(rows[2]) + "\n")
    result = CliRunner().invoke(cli.app, ["screen", str(source), "--profiles", str(CLIPS), "-o", str(out)])
    assert result.exit_code == 1
    for part in ("rows.jsonl:3", "profile of another utterance", "x.wav", "1 texts screened, 3 left out"):
        assert part in result.stderr
    counts = json.loads(result.stdout)
    assert (counts["decisions"], counts["problems"]) == ({"repaired": 1}, {"contradicted": 1})
    assert next(read_jsonl(out, ReasoningTrace)).think == PLAIN
