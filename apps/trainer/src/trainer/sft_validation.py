"""Looking after SFT while it runs: what the policy perceives of voices that it is not trained on, family by family.

```
OUT/validation.jsonl    a line for each validation: step, macro average, loss of each family, and each column
                        (`PerceptionColumn`: accuracy, chance, logistic regression on profiles, confusion)
```
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from cotgen.tasks import SFTExample, Task
from speechlm import SpeechLM
from trainer.baselines import prosody_accuracy
from trainer.dataset import TRAIN, VALIDATION, AnnotatedCorpus, feature_key
from trainer.evaluate import as_prediction, held_out
from trainer.families import split_examples
from trainer.features import as_float
from trainer.metrics import UNPARSEABLE, evaluate
from trainer.mixture import FACTOR, needs
from trainer.perception_scores import PerceptionColumn, PerceptionTest, choose
from trainer.predict import Answer, predict, predict_labels
from trainer.settings import SFTSettings
from trainer.tracking import VALIDATIONS, keep_until
from trainer.weighting import mark_reasoning, weighted_batch

MACRO = "validation_macro"
"""The mean accuracy over columns, by which the best policy is chosen."""
BATCH = 16
"""Examples at a time whose loss is computed."""


class SFTValidation(Callback):
    """Every `validate_every` steps of texts and after the last of `total`, on the validation split: the perception
    test, labels alone and reasoned answers where the training has them, recorded as `validation_NAME` and their mean
    as `MACRO`, and the loss of each family as `validation_loss_NAME`.

    Where the mean is higher than ever before, `keep` is called; after `patience` validations without that, the
    training ends.
    """

    def __init__(
        self,
        corpus: AnnotatedCorpus,
        features: Mapping[str, Tensor],
        settings: SFTSettings,
        *,
        out: Path,
        total: int,
        keep: Callable[[SpeechLM], None],
    ) -> None:
        self.verdicts = Verdicts(corpus, features, settings)
        self.losses = HeldOutLosses(corpus, features, settings)
        most = settings.validation_questions
        self.test = PerceptionTest(corpus, split=VALIDATION, most=most, seed=settings.seed)
        self.features, self.settings, self.path, self.total, self.keep = (
            features, settings, out / VALIDATIONS, total, keep,
        )  # fmt: skip

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Keep what was found at steps that a resumed training does not take again."""
        if trainer.is_global_zero:
            keep_until(self.path, pl_module.done)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *args: Any, **kwargs: Any) -> None:
        """Validate when it is due."""
        step = int(pl_module.history[-1]["step"])
        is_due = step % self.settings.validate_every == 0 and step > self.settings.perception_steps
        if is_due or step == self.total:
            with pl_module.whole_model(pl_module.model) as model:
                if trainer.is_global_zero:
                    self._validate(model, pl_module.history)
            trainer.should_stop |= is_over(pl_module.history, self.settings.patience)

    def _validate(self, model: SpeechLM, history: list[dict[str, float]]) -> None:
        report = self.test.report(choose(model, [*self.test.recorded, *self.test.varied], self.features, what=None))
        columns = [*report.columns, *report.order, *self.verdicts(model)]
        losses = self.losses(model)
        macro = fmean(column.accuracy.value for column in columns)
        best = max((row[MACRO] for row in history if MACRO in row), default=-1.0)
        history[-1] |= {f"validation_{c.name.replace(' ', '_')}": c.accuracy.value for c in columns}
        history[-1] |= {f"validation_loss_{family}": loss for family, loss in losses.items()} | {MACRO: macro}
        if self.settings.adaptive_weights:
            history[-1] |= {f"{FACTOR}{task}": factor for task, factor in needs(columns).items()}
        found = {"step": history[-1]["step"], "macro": macro, "loss": losses, "columns": [asdict(c) for c in columns]}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found, ensure_ascii=False) + "\n")
        sys.stderr.write(f"SFT: step {found['step']:g}: {described(columns)}\n")
        if macro > best:
            self.keep(model)


class Verdicts:
    """Labels alone and reasoned answers to `validation_clips` of the validation split, those of the two that the
    training teaches.
    """

    def __init__(self, corpus: AnnotatedCorpus, features: Mapping[str, Tensor], settings: SFTSettings) -> None:
        taught = {task for phase in settings.mixture for task in phase.weights}
        asked = {Task.LABEL: predict_labels, Task.REASONING: predict}
        self.clips = held_out(corpus, limit=settings.validation_clips, seed=settings.seed, split=VALIDATION)
        self.questions = {task: corpus.questions(self.clips, task) for task in asked if task in taught}
        self._asked, self._features, self._label_set, self._seed = asked, features, corpus.label_set, settings.seed
        self._regression = prosody_accuracy(corpus.split(TRAIN), self.clips, corpus.label_set)

    def __call__(self, model: SpeechLM) -> list[PerceptionColumn]:
        """A column for each of them, whose last choice is an answer without a label."""
        return [
            self._column(
                task,
                self._asked[task](model, self.clips, self._features, self._label_set, questions=questions, what=None),
            )
            for task, questions in self.questions.items()
        ]

    def _column(self, task: Task, answers: Sequence[Answer]) -> PerceptionColumn:
        labels = self._label_set.labels
        found = evaluate([as_prediction(a) for a in answers], label_set=self._label_set, seed=self._seed)
        return PerceptionColumn(
            name=task.value,
            asked=found.clips,
            speakers=found.speakers,
            accuracy=found.accuracy,
            chance=1 / len(labels),
            regression=self._regression,
            choices=(*(label.value for label in labels), UNPARSEABLE),
            confusion=found.confusion.counts,
        )


class HeldOutLosses:
    """The loss, weighted as in training, of at most `validation_clips` examples of each family that is trained and that
    the validation split has; their clips are not augmented.
    """

    def __init__(self, corpus: AnnotatedCorpus, features: Mapping[str, Tensor], settings: SFTSettings) -> None:
        examples, _ = split_examples(corpus, VALIDATION, settings.mixture, None)
        rng = np.random.default_rng(settings.seed)
        drawn = [examples[i] for i in rng.permutation(len(examples))]
        self.examples: dict[Task, list[SFTExample]] = {}
        for example in drawn:
            of_family = self.examples.setdefault(example.task, [])
            if len(of_family) < settings.validation_clips:
                of_family.append(example)
        self._marked, _ = mark_reasoning(corpus, self.examples.get(Task.REASONING, []), VALIDATION)
        self._features, self._settings = features, settings

    @torch.no_grad()
    def __call__(self, model: SpeechLM) -> dict[str, float]:
        """The mean over the examples of each family."""
        return {
            task.value: sum(self._loss(model, of[i : i + BATCH], len(of)) for i in range(0, len(of), BATCH))
            for task, of in self.examples.items()
        }

    def _loss(self, model: SpeechLM, examples: Sequence[SFTExample], rows: int) -> float:
        clips = as_float(self._features[feature_key(e)] for e in examples)
        return float(weighted_batch(model, clips, examples, self._marked, self._settings).loss(model, rows))


def described(columns: Sequence[PerceptionColumn]) -> str:
    """Accuracy of every column beside chance and, where there is one, the logistic regression."""
    shown = []
    for c in columns:
        regression = "" if c.regression is None else f", regression {c.regression:.2f}"
        shown.append(f"{c.name} {c.accuracy.value:.2f} (chance {c.chance:.2f}{regression})")
    return ", ".join(shown)


def is_over(history: list[dict[str, float]], patience: int) -> bool:
    """Whether the last `patience` validations were no better than the best one before; never with 0.

    >>> [is_over([{MACRO: value} for value in (0.3, 0.5, 0.4, 0.5)], patience) for patience in (0, 1, 2, 3)]
    [False, True, True, False]
    """
    means = [row[MACRO] for row in history if MACRO in row]
    if not patience or len(means) <= patience or max(means[-patience:]) > max(means[:-patience]):
        return False
    sys.stderr.write(f"SFT: no better validation in {patience}: the training ends, its best policy is kept\n")
    return True
