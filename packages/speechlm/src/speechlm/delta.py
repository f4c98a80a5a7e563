"""Deltas: what training changed in a model, as one small file to publish beside bases that others can get.

The change of a matrix is stored as an approximation of low rank (truncated singular values, Halko et al. 2011), which
is exact for what LoRA changed; a weight that this does not make smaller is stored as it is. All numbers are float16.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from speechlm.errors import CheckpointError
from speechlm.freezing import Part, identify, part_weights
from speechlm.model import SpeechLM
from speechlm.weights import reading

DELTA = "delta.safetensors"
CHECKED = (Part.AUDIO_ENCODER, Part.LLM)
"""Parts whose base must be the very same; the adapter's is not, because all of it is stored."""
_OUT, _IN, _WHOLE = "@out", "@in", "@whole"


@dataclass(frozen=True, slots=True)
class DeltaReport:
    """What a delta holds: how many weights as a change of low rank and how many whole, its size in bytes, and the
    largest share of a change's norm that the approximation leaves out.
    """

    low_rank: int
    whole: int
    size: int
    residual: float


@torch.no_grad()
def save_delta(base: SpeechLM, tuned: SpeechLM, path: Path, *, rank: int = 32) -> DeltaReport:
    """Write what turns `base` into `tuned` to `path`; both must be of one architecture, without adapters.

    `rank` bounds the rank of a matrix's change. Raises `CheckpointError` when the weights of the two differ in shape,
    or a tuned one is not finite.
    """
    before, after = _weights(base), _weights(tuned)
    if {n: w.shape for n, w in before.items()} != {n: w.shape for n, w in after.items()}:
        raise CheckpointError("base and tuned model have other weights: a delta needs two models of one architecture")
    stored: dict[str, Tensor] = {}
    residual, low_rank = 0.0, 0
    for name, old in before.items():
        new = after[name].float().to(old.device)
        change = (new - old.float()).flatten(1) if old.ndim > 1 else None
        if torch.equal(new, old.float()) and not name.startswith(Part.ADAPTER):
            continue
        if not bool(new.isfinite().all()):
            raise CheckpointError(f"{name}: the tuned weight is not finite: go back to an earlier checkpoint")
        if change is None or rank * sum(change.shape) >= change.numel() or name.startswith(Part.ADAPTER):
            stored[name + _WHOLE] = new.half().cpu()
            continue
        with torch.random.fork_rng():
            torch.manual_seed(0)
            u, s, v = torch.svd_lowrank(change, q=min(rank, *change.shape), niter=4)
        kept = int((s > 1e-4 * s[0]).sum())
        root = s[:kept].sqrt()
        out, inner = u[:, :kept] * root, root[:, None] * v[:, :kept].T
        stored |= {name + _OUT: out.half().cpu().contiguous(), name + _IN: inner.half().cpu().contiguous()}
        residual, low_rank = max(residual, float((change - out @ inner).norm() / change.norm())), low_rank + 1
    save_file(stored, path, metadata={"base": json.dumps(_fingerprints(base)), "rank": str(rank)})
    return DeltaReport(low_rank, len(stored) - 2 * low_rank, path.stat().st_size, residual)


@torch.no_grad()
def apply_delta(base: SpeechLM, path: Path, *, any_base: bool = False) -> None:
    """Turn `base` in place into the model that a delta was made from.

    With `any_base` another base of the same shape is taken too, such as the same model stored in another precision.
    Raises `CheckpointError` for a file that cannot be read, that was made for another base, or whose weights do not
    fit; `base` is then unchanged.
    """
    with reading(path, what="delta"), safe_open(path, framework="pt") as file:
        expected = json.loads(file.metadata()["base"])
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    wrong = [part for part, value in _fingerprints(base).items() if expected.get(part) != value]
    if wrong and not any_base:
        raise CheckpointError(f"{path}: made for another base: {', '.join(wrong)} differs; graft the bases it names")
    weights = _weights(base)
    changed = {name: _changed(name, stored, weights, path) for name in sorted({n.rpartition("@")[0] for n in stored})}
    for name, value in changed.items():
        weights[name].copy_(value)


def _changed(name: str, stored: dict[str, Tensor], weights: dict[str, Tensor], path: Path) -> Tensor:
    """The new value of one weight."""
    old = weights.get(name)
    whole, out, inner = (stored.get(name + kind) for kind in (_WHOLE, _OUT, _IN))
    if old is not None and whole is not None and whole.shape == old.shape:
        return whole.to(old)
    if old is not None and out is not None and inner is not None and out.shape[1] == inner.shape[0]:
        change = out.float() @ inner.float()
        if change.numel() == old.numel() and len(change) == len(old):
            return (old.float().cpu() + change.view(old.shape)).to(old)
    raise CheckpointError(f"{path}: {name} does not fit the model that it is applied to")


def _weights(model: SpeechLM) -> dict[str, Tensor]:
    return {f"{part}/{n}": w for part, named in part_weights(model).items() for n, w in named.items()}


def _fingerprints(model: SpeechLM) -> dict[str, str]:
    identity = identify(model)
    return {part: identity.fingerprints[part] for part in CHECKED} if identity else {}
