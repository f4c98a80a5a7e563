"""Looking after a reinforcement run while it runs: accuracy on voices that it is not trained on, samples, alarms."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from lightning.pytorch import Callback, Trainer
from torch import Tensor

from speech_records import LabelSet, MeasuredUtterance, Verdict
from speechlm import SpeechLM
from trainer.errors import CollapseError
from trainer.predict import Answer, predict
from trainer.settings import GRPOSettings, OnCollapse
from trainer.tracking import SAMPLES, keep_until

SAMPLED = 10
"""Every how many steps answers are written down."""
WINDOW = 3
"""Steps over which an alarm looks at the mean, for a single rollout is noisy."""
MOST_MISMATCH = 0.1
"""Nats a token between sampler and trainer: from here on a token counts as one on which the two disagree."""
LEAST_FORMAT, MOST_ONE_LABEL, LEAST_ENTROPY = 0.5, 0.9, 0.01
"""Share of answers with the form, share of the most frequent label, entropy in nats a token."""


class Validation(Callback):
    """Every `validate_every` steps and after the last of `total`: greedy and sampled answers to `clips`, whose accuracy
    is recorded; where greedy accuracy is higher than ever before, `keep` is called.
    """

    def __init__(
        self,
        clips: Sequence[MeasuredUtterance],
        features: Mapping[str, Tensor],
        label_set: LabelSet,
        settings: GRPOSettings,
        *,
        questions: Mapping[str, str],
        total: int,
        keep: Callable[[SpeechLM], None],
    ) -> None:
        self.asked = (clips, features, label_set)
        self.questions, self.settings, self.total, self.keep = questions, settings, total, keep

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *args: Any, **kwargs: Any) -> None:
        """Validate when it is due."""
        step = int(pl_module.history[-1]["step"])
        if step % self.settings.validate_every == 0 or step == self.total:
            with pl_module.whole_model(pl_module.model) as model:
                if trainer.is_global_zero:
                    self._validate(model, pl_module.history)

    def _validate(self, model: SpeechLM, history: list[dict[str, float]]) -> None:
        greedy, sampled = (
            predict(
                model,
                *self.asked,
                questions=self.questions,
                max_new_tokens=self.settings.max_new_tokens,
                temperature=temperature,
                what=None,
            )
            for temperature in (0.0, self.settings.temperature)
        )
        best = max((row["greedy_accuracy"] for row in history if "greedy_accuracy" in row), default=-1.0)
        history[-1] |= {
            "greedy_accuracy": _accuracy(greedy),
            "sampled_accuracy": _accuracy(sampled),
            "greedy_supported": _supported(greedy),
        }
        if history[-1]["greedy_accuracy"] > best:
            self.keep(model)


class Alarm(Callback):
    """Says once what looks like a collapse of the policy, or ends the training with it."""

    def __init__(self, on_collapse: OnCollapse) -> None:
        self.on_collapse, self._said = on_collapse, False

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *args: Any, **kwargs: Any) -> None:
        """Look at the last steps."""
        found = None if self._said else collapse_of(pl_module.history[-WINDOW:])
        if found is None or self.on_collapse is OnCollapse.IGNORE:
            return
        message = f"step {pl_module.history[-1]['step']:g}: {found}"
        if self.on_collapse is OnCollapse.STOP:
            raise CollapseError(f"{message}; the state of the training and its best policy are kept")
        self._said = True
        sys.stderr.write(f"trainer: warning: {message}\n")


class Samples(Callback):
    """Every `SAMPLED` steps, all answers to one prompt with what they earned: lines of `OUT/samples.jsonl`."""

    def __init__(self, out: Path) -> None:
        self.path = out / SAMPLES

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Keep the samples of the steps that a resumed training does not take again."""
        if trainer.is_global_zero:
            keep_until(self.path, pl_module.done)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *args: Any, **kwargs: Any) -> None:
        """Write down the first prompt of the step when it is due."""
        step = pl_module.history[-1]["step"]
        if trainer.is_global_zero and (step == 1 or step % SAMPLED == 0):
            with self.path.open("a", encoding="utf-8") as file:
                file.writelines(
                    json.dumps({"step": step} | row, ensure_ascii=False) + "\n" for row in pl_module.sample()
                )


def collapse_of(steps: Sequence[Mapping[str, float]]) -> str | None:
    """What the metrics of the last `WINDOW` steps say is wrong with the policy; `None` where nothing is, or they are
    fewer. One label alone is wrong only where clips of several are asked about.

    >>> collapse_of([{"format": 0.2, "top_label": 0.3, "entropy": 0.5}] * 3)
    '20 % of the answers have the think/answer form: lower learning_rate, or start from a policy that knows it'
    """
    if len(steps) < WINDOW:
        return None
    apart = fmean(row.get("mismatch", 0.0) for row in steps)
    if apart > MOST_MISMATCH:
        return (
            f"the sampler's log-probabilities are {apart:.2f} nats a token from the policy's: it samples another policy"
        )
    form, one, entropy = (fmean(row[name] for row in steps) for name in ("format", "top_label", "entropy"))
    if form < LEAST_FORMAT:
        share = f"{100 * form:.0f} % of the answers have the think/answer form"
        return f"{share}: lower learning_rate, or start from a policy that knows it"
    labels = {name for row in steps for name in row if name.startswith("accuracy_")}
    if one > MOST_ONE_LABEL and len(labels) > 1:
        return f"{100 * one:.0f} % of the answers name the same label: lower learning_rate or raise kl_coefficient"
    if entropy < LEAST_ENTROPY:
        return (
            f"the entropy is {entropy:.3f} nats a token, so groups hardly differ: raise temperature or kl_coefficient"
        )
    return None


def _accuracy(answers: Sequence[Answer]) -> float:
    return fmean(a.predicted is a.expected for a in answers)


def _supported(answers: Sequence[Answer]) -> float:
    """Share of all claims that the measurement supports, 0 where there are none."""
    verdicts = [claim.verdict for a in answers for claim in a.claims]
    return fmean(v is Verdict.SUPPORTED for v in verdicts) if verdicts else 0.0
