"""Curriculum, outcome rewards, held-out choice, settings: small pure pieces of the trainer."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cotgen.tasks import SFTExample, Task
from policy import MemoryLimitError
from speech_records import IEMOCAP_4, PAPER_9, Emotion, MeasuredUtterance, ProsodyProfile, Utterance
from trainer import stages
from trainer.curriculum import Phase, plan_batches
from trainer.errors import ConfigError, DataSetError
from trainer.fit import fit
from trainer.modules import Batches, StageModule, decayed
from trainer.predict import expected_label, score_response
from trainer.reinforcement import prompt_batches
from trainer.rollouts import rule_rewards
from trainer.settings import Algorithm, GRPOSettings, OptimizerSettings
from trainer.tracking import RECORD

SETTINGS = OptimizerSettings(learning_rate=0.1, warmup_steps=0)


def example(number: int, task: Task) -> SFTExample:
    return SFTExample(f"{task.value}-{number}", task, f"u{number}", f"u{number}.flac", "what?", "this", split="train")


def clip(name: str, emotion: Emotion = Emotion.SAD) -> MeasuredUtterance:
    utterance = Utterance(name, "test", f"{name}.flac", "speaker", emotion, transcript="Dogs bark.")
    return MeasuredUtterance(utterance, ProsodyProfile(duration_s=1.0, sample_rate=16_000))


def test_every_example_is_drawn_before_any_is_drawn_again() -> None:
    """Five examples over ten draws: each must come exactly twice."""
    examples = [example(i, Task.ATTRIBUTE) for i in range(5)]
    batches = plan_batches(examples, [Phase("p", 5, 2, {Task.ATTRIBUTE: 1.0})], seed=3)
    assert Counter(e.example_id for batch in batches for e in batch) == {e.example_id: 2 for e in examples}


def test_phases_follow_one_another_and_keep_their_sizes() -> None:
    """Sizes and tasks are those that the phases name."""
    examples = [example(i, task) for task in (Task.ATTRIBUTE, Task.REASONING) for i in range(3)]
    phases = [Phase("hear", 2, 4, {Task.ATTRIBUTE: 1.0}), Phase("write", 3, 2, {Task.REASONING: 1.0})]
    batches = plan_batches(examples, phases, seed=0)
    assert [len(b) for b in batches] == [4, 4, 2, 2, 2]
    assert {e.task for b in batches[:2] for e in b} == {Task.ATTRIBUTE}
    assert {e.task for b in batches[2:] for e in b} == {Task.REASONING}


def test_a_task_without_examples_leaves_its_weight_to_the_others() -> None:
    """A corpus without stressed words still trains; only a phase without any example is refused."""
    examples = [example(0, Task.ATTRIBUTE)]
    weights = {Task.ATTRIBUTE: 0.5, Task.STRESS: 0.5}
    assert len(plan_batches(examples, [Phase("p", 3, 1, weights)], seed=0)) == 3
    with pytest.raises(ConfigError, match="no example of its tasks"):
        plan_batches(examples, [Phase("p", 1, 1, {Task.STRESS: 1.0})], seed=0)


def test_the_plan_depends_on_the_seed_alone() -> None:
    """Equal seeds must give equal plans, other seeds other ones."""
    examples = [example(i, Task.ATTRIBUTE) for i in range(20)]
    phase = [Phase("p", 10, 4, {Task.ATTRIBUTE: 1.0})]
    assert plan_batches(examples, phase, seed=1) == plan_batches(examples, phase, seed=1)
    assert plan_batches(examples, phase, seed=1) != plan_batches(examples, phase, seed=2)


@pytest.mark.parametrize(
    ("text", "format_ok", "correct"),
    [
        ("<think>Low.</think><answer>sad</answer>", True, True),
        ("<think>Low.</think><answer>Sadness.</answer>", True, True),  # an alias with a full stop
        ("<think>Low.</think><answer>angry</answer>", True, False),
        ("<think>Low.</think><answer>purple</answer>", True, False),  # form, but no label
        ("sad", False, False),
        ("<think></think><answer>sad</answer>", False, False),  # empty reasoning has no form
    ],
)
def test_outcome_of_one_answer(text: str, format_ok: bool, correct: bool) -> None:  # noqa: FBT001
    """Expected values follow from the strict form and the aliases of `speech_records`."""
    rules = rule_rewards([[text]], [Emotion.SAD], PAPER_9)
    assert (bool(rules.format_ok), bool(rules.correct)) == (format_ok, correct)


def test_an_emotion_outside_the_label_set_counts_as_what_it_maps_to() -> None:
    """PAPER_9 maps calm to neutral, so `neutral` is right for a calm clip."""
    rules = rule_rewards([["<think>Flat.</think><answer>neutral</answer>"]], [Emotion.CALM], PAPER_9)
    assert bool(rules.correct)


def test_reading_an_answer_keeps_what_cannot_be_parsed() -> None:
    """Without form there is no label and no claim, but the text stays for people to read."""
    answer = score_response(clip("u1"), "I think sad", PAPER_9)
    assert (answer.format_ok, answer.predicted, answer.claims, answer.text) == (False, None, (), "I think sad")


def test_an_answer_carries_the_faithfulness_of_its_reasoning() -> None:
    """The clip offers its range only: said rightly it is 1, said wrongly, too long to be scored or without form 0."""
    measured = replace(clip("u1"), profile=ProsodyProfile(duration_s=1.0, sample_rate=16_000, f0_range_st=14.0))
    wide, narrow = (f"<think>The pitch range is {word}.</think><answer>sad</answer>" for word in ("wide", "narrow"))
    texts = (wide, narrow, wide.replace("The", "So " * 10_000 + "the"), "The pitch range is wide.")
    assert [score_response(measured, text, PAPER_9).faithfulness for text in texts] == [1.0, 0.0, 0.0, 0.0]


def test_a_clip_without_a_label_is_named() -> None:
    """Unlabelled, and with a label that the set does not have (IEMOCAP_4 has no fear)."""
    unlabelled = replace(clip("u1"), utterance=replace(clip("u1").utterance, emotion=None))
    with pytest.raises(DataSetError, match="u1 has no label of IEMOCAP_4: it is not labelled; leave it out"):
        expected_label(unlabelled, IEMOCAP_4)
    with pytest.raises(DataSetError, match="u2 has no label of IEMOCAP_4: its emotion fear is not in it"):
        expected_label(clip("u2", Emotion.FEAR), IEMOCAP_4)


def test_prompts_come_again_only_after_all_have_come() -> None:
    """Six clips in three steps of two: each once; in six steps: each twice."""
    clips = [clip(f"u{i}") for i in range(6)]
    settings = GRPOSettings(algorithm=Algorithm.GRPO, steps=6, prompts_per_step=2)
    batches = prompt_batches(clips, settings)
    assert len({m.utterance.utterance_id for b in batches[:3] for m in b}) == 6
    assert set(Counter(m.utterance.utterance_id for b in batches for m in b).values()) == {2}


def test_only_matrices_decay() -> None:
    """A linear layer has one matrix and one vector; a frozen layer has none to train."""
    layer, frozen = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2).requires_grad_(False)
    decaying, plain = decayed(torch.nn.ModuleList([layer, frozen]).parameters(), 0.1)
    assert (decaying["weight_decay"], [p.ndim for p in decaying["params"]]) == (0.1, [2])
    assert (plain["weight_decay"], [p.ndim for p in plain["params"]]) == (0.0, [1])


def test_a_backward_pass_without_memory_says_what_to_lower() -> None:
    """torch's own refusal of a petabyte, on the way back through a loss."""
    weight = torch.nn.Parameter(torch.ones(1))
    loss = 2 * weight
    loss.register_hook(lambda _gradient: torch.empty(1 << 50))
    module = StageModule(SETTINGS, steps=1)
    with pytest.raises(MemoryLimitError, match="out of memory in the backward pass: lower micro_batch_size"):
        module.backward(loss.sum())


def test_stage_names_and_missing_settings_are_said() -> None:
    """The messages name the value and what there is."""
    with pytest.raises(ConfigError, match="unknown stage 'dream'; there are demo_corpus"):
        stages.run("dream", {})
    with pytest.raises(ConfigError, match="sft needs data=…, out=…"):
        stages.run("sft", {"data": "???", "out": "???"})


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # Lightning, about itself
def test_every_training_is_in_training_mode_and_its_settings_are_tracked(tmp_path: Path) -> None:
    """A loaded model is in evaluation mode, in which gradient checkpointing and LoRA's dropout do nothing. What the
    tracker is given is what a store gets (`test_trainer_tracking`): all settings, and the data's hash.
    """

    class Probe(StageModule):
        def __init__(self) -> None:
            super().__init__(SETTINGS, steps=1)
            self.layer = torch.nn.Linear(1, 1).eval()
            self.modes: list[bool] = []

        def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
            self.modes.append(self.layer.training)
            self.record(batch_idx + 1, loss=0.0)
            return self.layer(batch).sum()

    probe = Probe()
    batches = Batches([torch.ones(1, 1)], lambda batch: batch)
    fit(probe, batches, SETTINGS, what="probe", out=tmp_path, run_name="probe", data={"data_sha256": "ab"})
    assert probe.modes == [True]
    tracked = json.loads((tmp_path / RECORD).read_text())["parameters"]
    given = {
        "learning_rate": "0.1",
        "warmup_steps": "0",
        "seed": "0",
        "save_every": "200",
        "devices": "1",
        "nodes": "1",
        "strategy": "ddp",
        "micro_batch_size": "None",
        "bf16": "False",
    }
    assert tracked == given | {"data_sha256": "ab"}
