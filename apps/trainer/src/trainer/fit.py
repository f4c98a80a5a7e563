"""One call that trains a module with Lightning: tracking, progress, and a history file beside the checkpoint."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import Logger

from trainer.modules import Batches, StageModule, write_history
from trainer.progress import Meter

HISTORY = "history.jsonl"
GRADIENT_CLIP = 1.0
"""Largest gradient norm of an optimiser step; a common default for transformers."""

TRACKED_POINTS = 400
"""About as many points a curve has in the tracking store; the history file has every step."""


class _Progress(Callback):
    """Shows every optimiser step on a `Meter`."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *args: Any, **kwargs: Any) -> None:
        """Advance by one step with its latest figures."""
        figures = dict(pl_module.history[-1])
        figures.pop("step")
        self.meter.advance(**figures)


def fit(module: StageModule, batches: Batches[Any, Any], *, what: str, out: Path, run_name: str) -> None:
    """Train `module` for one pass over `batches` and write `out/history.jsonl`."""
    out.mkdir(parents=True, exist_ok=True)
    with Meter(what, total=len(batches)) as meter:
        trainer = Trainer(
            max_epochs=1,
            accelerator="auto",
            devices=1,
            logger=_tracker(run_name) or False,
            callbacks=[_Progress(meter)],
            gradient_clip_val=GRADIENT_CLIP,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            log_every_n_steps=max(1, len(batches) // TRACKED_POINTS),
        )
        module.train()  # Lightning does not set the mode, and a loaded model is in evaluation mode
        trainer.fit(module, batches)
    write_history(out / HISTORY, module.history)


def _tracker(run_name: str) -> Logger | None:
    """An MLflow logger where a tracking store is configured (the command line does that), else none."""
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        return None
    from lightning.pytorch.loggers import MLFlowLogger

    return MLFlowLogger(experiment_name="emotionthinker", run_name=run_name, tracking_uri=uri)
