"""A training that was stopped goes on as if it had not been.

```
OUT/resume/state.safetensors    weights that are trained, moments of the optimizer, states of the random generators
OUT/resume/state.json           the step, learning rates, what the module keeps besides, and what is trained on what
```

The folder is replaced as a whole (`speechlm.folders`), so a process that dies while saving leaves the state before, and
is removed when the training has finished.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from speechlm import CheckpointError
from speechlm.folders import atomic_dir, resolve_dir
from trainer.errors import ConfigError, ResumeError
from trainer.modules import StageModule
from trainer.sharding import spread_like, whole

FOLDER, TENSORS, STATE = "resume", "state.safetensors", "state.json"
UNIMPORTANT = frozenset({"out", "workers", "tracking_uri", "save_every", "reward_model"})
"""Settings that do not change what a training computes: of the reward model its weights do, not their folder."""
DIGESTED = 64
"""Values of each weight that tell one start from another."""


def identity_of(module: StageModule, parameters: Mapping[str, Any]) -> dict[str, str]:
    """What a training is: its settings and data, the weights that it starts from, and those that are not trained and
    decide what is learnt. To be called before it begins.
    """
    identity = {name: str(value) for name, value in parameters.items() if name not in UNIMPORTANT}
    identity |= {name: _digest(model) for name, model in module.frozen_models.items()}
    return identity | {"start": _digest(module)}


def _digest(model: nn.Module) -> str:
    """A hash of the first values of every weight."""
    digest = hashlib.sha256()
    for name, weight in model.named_parameters():
        start = weight.detach().flatten()[:DIGESTED].float().cpu().numpy().tobytes()
        digest.update(f"{name} {tuple(weight.shape)} {weight.requires_grad}".encode() + start)
    return digest.hexdigest()


def steps_done(out: Path, identity: Mapping[str, str]) -> int:
    """Steps of a stopped training in `out`, 0 where there is none.

    Raises `ConfigError` where it was another training, naming what differs, and `ResumeError` where it cannot be read.
    """
    folder = out / FOLDER
    try:
        state = json.loads((resolve_dir(folder) / STATE).read_text(encoding="utf-8"))
    except CheckpointError:  # there is none
        return 0
    except (OSError, ValueError) as error:
        raise ResumeError(f"{folder} cannot be read, remove it to start again: {error}") from error
    stopped: dict[str, str] = state["identity"]
    for name in sorted(stopped.keys() | identity.keys()):
        if stopped.get(name) != identity.get(name):
            raise ConfigError(
                f"{out} holds a training that stopped at step {state['step']} with {name} {stopped.get(name)}, here it "
                f"is {identity.get(name)}: go on with the same settings, choose another out=, or remove {folder}"
            )
    return int(state["step"])


class Checkpoints(Callback):
    """Restores the state of a stopped training as this one begins, and keeps it every `every` of its `total` steps, but
    for the last, after which the result is saved; 0 keeps none.

    SIGTERM ends a training after the step that it is in, whose state is kept too, where one process trains.
    """

    def __init__(self, out: Path, identity: Mapping[str, str], *, every: int, done: int, total: int) -> None:
        self.folder, self.identity, self.every, self.total = out / FOLDER, identity, every, total
        self.done, self.kept = done, done

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Put everything back, now that optimizer and schedule exist and the weights are where they are trained."""
        if self.done:
            _restore(self.folder, pl_module, trainer)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *args: Any, **kwargs: Any) -> None:
        """Keep the state when it is due, once the module is not in the middle of something that is not kept."""
        step = pl_module.history[-1]["step"]
        if not self.every or step >= self.total or not pl_module.can_stop:
            return
        ends_here = trainer.received_sigterm and trainer.world_size == 1
        if ends_here or step // self.every > self.kept // self.every:
            self.kept = step
            _keep(self.folder, pl_module, trainer, step=step, identity=self.identity)


def remove_state(out: Path) -> None:
    """Forget how a training in `out` would go on: it has finished, and its result is saved."""
    shutil.rmtree(out / FOLDER, ignore_errors=True)


def _keep(folder: Path, module: StageModule, trainer: Trainer, *, step: int, identity: Mapping[str, str]) -> None:
    (optimizer,), (schedule,) = trainer.optimizers, trainer.lr_scheduler_configs
    tensors: dict[str, Tensor] = {f"weight.{name}": w for name, w in module.named_parameters() if w.requires_grad}
    for number, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"moment.{number}.{name}": value for name, value in moments.items()}
    kept = {f"random.{name}": state for name, state in _random_states(module).items()}
    for name, tensor in tensors.items():
        value = whole(tensor.detach())  # where it is spread, by all processes
        if trainer.is_global_zero:
            kept[name] = value.cpu().contiguous()
    if not trainer.is_global_zero:
        return
    state = {
        "step": step,
        "learning_rates": [group["lr"] for group in optimizer.param_groups],
        "schedule": schedule.scheduler.state_dict(),
        "module": module.state(),
        "identity": dict(identity),
    }
    try:
        with atomic_dir(folder) as new:
            save_file(kept, new / TENSORS)
            (new / STATE).write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
    except CheckpointError as error:
        raise ResumeError(f"the state at step {step} was not kept, go on with the same command: {error}") from error


def _restore(folder: Path, module: StageModule, trainer: Trainer) -> None:
    (optimizer,), (schedule,) = trainer.optimizers, trainer.lr_scheduler_configs
    try:
        here = resolve_dir(folder)
        state, tensors = json.loads((here / STATE).read_text(encoding="utf-8")), load_file(here / TENSORS)
        _restore_weights(module, tensors)
        moments: dict[int, dict[str, Tensor]] = {}
        trained = [weight for group in optimizer.param_groups for weight in group["params"]]
        for name, value in tensors.items():
            kind, _, rest = name.partition(".")
            if kind == "moment":
                number, _, key = rest.partition(".")
                weight = trained[int(number)]
                moments.setdefault(int(number), {})[key] = spread_like(value, weight) if value.ndim else value
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
        schedule.scheduler.load_state_dict(state["schedule"])
        for group, rate in zip(optimizer.param_groups, state["learning_rates"], strict=True):
            group["lr"] = rate
        module.restore(state["module"])
        _restore_random(module, {n.removeprefix("random."): t for n, t in tensors.items() if n.startswith("random.")})
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ResumeError(f"{folder} cannot be read, remove it to start again: {error!r}") from error


@torch.no_grad()
def _restore_weights(module: StageModule, tensors: Mapping[str, Tensor]) -> None:
    for name, weight in module.named_parameters():
        if weight.requires_grad:
            weight.copy_(spread_like(tensors[f"weight.{name}"], weight))


def _random_states(module: StageModule) -> dict[str, Tensor]:
    states = {name: generator.get_state() for name, generator in module.generators.items()}
    states["torch"] = torch.get_rng_state()
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _restore_random(module: StageModule, states: Mapping[str, Tensor]) -> None:
    for name, generator in module.generators.items():
        generator.set_state(states[name])
    torch.set_rng_state(states["torch"])
    if torch.cuda.is_available() and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])
