"""One call that trains a module with Lightning: tracking, progress, and a history file beside the checkpoint."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException

from trainer.distributed import coming_rank, leave, strategy_of
from trainer.modules import Batches, StageModule
from trainer.progress import Meter
from trainer.resume import Checkpoints, identity_of, steps_done
from trainer.settings import OptimizerSettings, flat, plain
from trainer.tracking import Tracker

GRADIENT_CLIP = 1.0
"""Largest gradient norm of an optimiser step; a common default for transformers."""
SHOWN = ("loss", "accuracy", "format", "reward", "entropy", "kl", "gate", "greedy_accuracy")
"""Metrics beside the progress; the history has all."""


class _Metrics(Callback):
    """Shows metrics of every optimiser step on a `Meter` and gives all of them to the tracker."""

    def __init__(self, meter: Meter, tracker: Tracker, batches: Batches[Any, Any]) -> None:
        self.meter, self.tracker, self.batches = meter, tracker, batches
        self._waited = self._spent = 0.0
        self._at = time.perf_counter()

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *args: Any, **kwargs: Any) -> None:
        """Advance by one step."""
        metrics = pl_module.history[-1]
        before, self._at = self._at, time.perf_counter()
        metrics |= {"seconds_data": round(self.batches.seconds, 4), "seconds_wall": round(self._at - before, 4)}
        self._waited, self._spent = self._waited + self.batches.seconds, self._spent + metrics["seconds_step"]
        self.tracker.step(metrics)
        self.meter.advance(**{name: metrics[name] for name in SHOWN if name in metrics})

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Say which share of their time the steps waited for their batches."""
        total = self._waited + self._spent
        if trainer.is_global_zero and total:
            sys.stderr.write(
                f"{self.meter.what}: steps waited for data {100 * self._waited / total:.1f} % of their time\n"
            )


def fit(
    module: StageModule,
    batches: Batches[Any, Any],
    settings: OptimizerSettings,
    *,
    what: str,
    out: Path,
    run_name: str,
    data: Mapping[str, str],
    callbacks: Sequence[Callback] = (),
) -> None:
    """Train `module` for one pass over `batches`, writing `out/history.jsonl`; `settings` and `data` are tracked.
    `callbacks` come before that, so that they may add to the metrics of a step.

    A training that was stopped in `out` goes on where its state was last kept (`trainer.resume`). SIGTERM leaves with
    `SystemExit` and the status that shells give it.
    """
    parameters = dict(flat(plain(settings))) | dict(data)
    identity = identity_of(module, parameters)
    module.done = steps_done(out, identity)
    ranks = settings.devices * settings.nodes
    tracker = Tracker(
        out,
        run_name=run_name,
        steps=len(batches),
        parameters=parameters,
        done=module.done,
        writes=coming_rank() == 0,
    )
    module.history.extend(tracker.kept)
    checkpoints = Checkpoints(out, identity, every=settings.save_every, done=module.done, total=len(batches))
    module.train()  # a loaded checkpoint is in evaluation mode, in which activations are not checkpointed
    left = batches.after(module.done)
    if ranks > 1 and not module.shares_batches:
        left = left.shared(coming_rank(), ranks)
    with Meter(what, total=len(batches)) as meter:
        trainer = Trainer(
            max_epochs=1,
            accelerator="auto",
            devices=settings.devices,
            num_nodes=settings.nodes,
            strategy=strategy_of(settings),
            precision="bf16-mixed" if settings.bf16 else "32-true",
            logger=False,
            callbacks=[*callbacks, _Metrics(meter, tracker, left), checkpoints],
            gradient_clip_val=GRADIENT_CLIP,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        try:
            meter.advance(module.done)
            trainer.fit(module, left)
        except SIGTERMException:
            goes_on = f"the same command goes on after step {checkpoints.kept} of {len(batches)}"
            sys.stderr.write(f"{what}: stopped by SIGTERM, {goes_on}\n")
            raise SystemExit(128 + signal.SIGTERM) from None
        finally:
            tracker.close()
    for shards in module.shards:
        shards.end()
    leave(trainer)
