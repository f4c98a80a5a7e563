"""Looking after SFT while it runs: what the policy perceives of voices that it is not trained on, family by family."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from statistics import fmean
from typing import Any

from lightning.pytorch import Callback, Trainer
from torch import Tensor

from speechlm import SpeechLM
from trainer.dataset import VALIDATION, AnnotatedCorpus
from trainer.evaluate import held_out
from trainer.mixture import FACTOR, needs
from trainer.perception_scores import PerceptionTest, choose
from trainer.predict import predict_labels
from trainer.settings import SFTSettings

MACRO = "validation_macro"
"""The mean accuracy over families, by which the best policy is chosen."""


class SFTValidation(Callback):
    """Every `validate_every` steps and after the last of `total`: the perception test of the validation split and its
    clips' labels alone, recorded by family as `validation_NAME` and their mean as `MACRO`.

    Where the mean is higher than ever before, `keep` is called; after `patience` validations without that, the
    training ends.
    """

    def __init__(
        self,
        corpus: AnnotatedCorpus,
        features: Mapping[str, Tensor],
        settings: SFTSettings,
        *,
        total: int,
        keep: Callable[[SpeechLM], None],
    ) -> None:
        size, seed = settings.validation_clips, settings.seed
        self.test = PerceptionTest(corpus, split=VALIDATION, most=settings.validation_questions, seed=seed)
        self.clips = held_out(corpus, limit=size, seed=seed, split=VALIDATION)
        self.features, self.label_set = features, corpus.label_set
        self.settings, self.total, self.keep = settings, total, keep

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *args: Any, **kwargs: Any) -> None:
        """Validate when it is due."""
        step = int(pl_module.history[-1]["step"])
        if step % self.settings.validate_every == 0 or step == self.total:
            with pl_module.whole_model(pl_module.model) as model:
                if trainer.is_global_zero:
                    self._validate(model, pl_module.history)
            trainer.should_stop |= is_over(pl_module.history, self.settings.patience)

    def _validate(self, model: SpeechLM, history: list[dict[str, float]]) -> None:
        asked = [*self.test.recorded, *self.test.varied]
        report = self.test.report(choose(model, asked, self.features, what=None))
        found = {column.name: column.accuracy.value for column in (*report.columns, *report.order)}
        labels = predict_labels(model, self.clips, self.features, self.label_set, what=None)
        found["label"] = fmean(a.predicted is a.expected for a in labels)
        best = max((row[MACRO] for row in history if MACRO in row), default=-1.0)
        row = {f"validation_{name.replace(' ', '_')}": value for name, value in found.items()}
        history[-1] |= row | {MACRO: fmean(found.values())}
        if self.settings.adaptive_weights:
            factors = needs(report, label_accuracy=found["label"], labels=len(self.label_set.labels))
            history[-1] |= {f"{FACTOR}{task}": factor for task, factor in factors.items()}
        if history[-1][MACRO] > best:
            self.keep(model)


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
