"""Validation inside a run, the best policy, and alarms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from speech_records import PAPER_9, Emotion, MeasuredUtterance, ProsodyProfile, Utterance
from speechlm import PocketSize, pocket, train_tokenizer
from trainer.errors import CollapseError
from trainer.fit import fit
from trainer.grpo import GRPOModule
from trainer.modules import Batches
from trainer.settings import GRPOSettings, OnCollapse
from trainer.tracking import HISTORY, SAMPLES, read_history
from trainer.validation import Alarm, Samples, Validation, collapse_of

SIZE = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)
NAMES = ("u1", "u2", "u3")
SOUND = {"format": 1.0, "top_label": 0.4, "entropy": 0.5, "accuracy_sad": 0.5, "accuracy_happy": 0.4}

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # Lightning, about itself


def clips() -> list[MeasuredUtterance]:
    profile = ProsodyProfile(duration_s=1.0, sample_rate=16_000)
    return [MeasuredUtterance(Utterance(n, "made", f"{n}.wav", "s", Emotion.SAD), profile) for n in NAMES]


def run(out: Path, *, validate: bool, on_collapse: OnCollapse = OnCollapse.IGNORE) -> tuple[list[int], list[Tensor]]:
    """Five steps from random weights, whose answers have no form and differ in length only; at which of them a policy
    was kept, and the weights at the end."""
    settings = GRPOSettings(
        algorithm="grpo", learning_rate=1e-2, steps=5, prompts_per_step=3, group_size=4, max_new_tokens=24,
        overlong_buffer=24, validate_every=2, on_collapse=on_collapse,
    )  # type: ignore[arg-type]  # fmt: skip
    torch.manual_seed(0)
    model = pocket(train_tokenizer(["It sounds sad."], vocab_size=270), seed=0, size=SIZE)
    features = {name: torch.rand(16, 40, generator=torch.Generator().manual_seed(1)) for name in NAMES}
    module = GRPOModule(model, settings, label_set=PAPER_9, features=features, reward_model=None)
    kept: list[int] = []
    callbacks: list[Any] = [Alarm(on_collapse), Samples(out)]
    if validate:
        keep = lambda _model: kept.append(int(module.history[-1]["step"]))  # noqa: E731
        asked = dict.fromkeys(NAMES, "Which emotion?")
        callbacks.append(Validation(clips(), features, PAPER_9, settings, questions=asked, total=5, keep=keep))
    plan = Batches([clips()] * 5, list)
    fit(module, plan, settings, what="GRPO", out=out, run_name="grpo", data={}, callbacks=callbacks)
    return kept, [weight.detach() for weight in module.parameters()]


def test_validation_is_recorded_when_it_is_due_and_changes_nothing(tmp_path: Path) -> None:
    """Due at steps 2, 4 and the last, 5. All accuracies are 0 (no answer has the form), so only the first is higher
    than any before it. The four answers to the first prompt are written down at step 1. The training itself is the
    same with it and without."""
    kept, weights = run(tmp_path / "with", validate=True)
    assert kept == [2]
    rows = read_history(tmp_path / "with" / HISTORY)
    assert [int(row["step"]) for row in rows if "greedy_accuracy" in row] == [2, 4, 5]
    assert {
        row[name] for row in rows[1::2] for name in ("greedy_accuracy", "sampled_accuracy", "greedy_supported")
    } == {0}
    samples = read_history(tmp_path / "with" / SAMPLES)
    assert [(row["step"], row["utterance_id"], row["correct"]) for row in samples] == [(1, "u1", False)] * 4
    kept, others = run(tmp_path / "without", validate=False)
    assert kept == []
    assert all(torch.equal(a, b) for a, b in zip(weights, others, strict=True))


def test_a_collapse_warns_once_or_stops(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No answer of a random policy has the form, which shows at the third step."""
    run(tmp_path / "warned", validate=False, on_collapse=OnCollapse.WARN)
    assert capsys.readouterr().err.count("trainer: warning: step 3: 0 % of the answers have the think/answer form") == 1
    with pytest.raises(CollapseError, match="step 3: 0 % of the answers have"):
        run(tmp_path / "stopped", validate=False, on_collapse=OnCollapse.STOP)
    assert len(read_history(tmp_path / "stopped" / HISTORY)) == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"format": 0.4}, "40 % of the answers have the think/answer form"),
        ({"top_label": 0.95}, "95 % of the answers name the same label"),
        ({"entropy": 0.001}, "the entropy is 0.001 nats a token"),
        ({"mismatch": 0.2}, "the sampler's log-probabilities are 0.20 nats a token from the policy's"),
    ],
)
def test_what_is_a_collapse(changes: dict[str, float], said: str | None) -> None:
    """Three steps in a row on the far side of a bound; two are not enough, nor one among good ones."""
    row = SOUND | changes
    found = collapse_of([row] * 3)
    assert found is None if said is None else str(found).startswith(said)
    assert collapse_of([row] * 2) is None
    assert collapse_of([SOUND, SOUND, row]) is None


def test_one_label_is_no_collapse_where_only_one_is_asked_about() -> None:
    row = {name: value for name, value in SOUND.items() if name != "accuracy_happy"} | {"top_label": 1.0}
    assert collapse_of([row] * 3) is None
