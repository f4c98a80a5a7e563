"""The reference policy, from which KL is measured: the policy as it was when its training began.

Where new LoRA adapters are all that is trained, the policy without them is that very model and costs no memory;
otherwise a frozen copy is kept.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from policy.logprobs import sequence_logprobs
from speechlm import PackedGroup, Part, SpeechBatch, SpeechLM, adapters_off, lora_is_new, trainable_parts


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A policy that is not trained. `shared`: its weights are those of the policy, whose adapters are switched off."""

    model: SpeechLM
    shared: bool

    @classmethod
    def of(cls, model: SpeechLM) -> Reference:
        """The reference of a training of `model` that begins now; shared whenever it can be."""
        if can_share(model):
            return cls(model, shared=True)
        return cls(copy.deepcopy(model).eval().requires_grad_(requires_grad=False), shared=False)

    @torch.no_grad()
    def logprobs(self, batch: SpeechBatch | PackedGroup, *, temperature: float = 1.0) -> Tensor:
        """`sequence_logprobs` under the reference, without gradients."""
        if not self.shared:
            return sequence_logprobs(self.model, batch, temperature=temperature)
        with adapters_off(self.model) as base:
            return sequence_logprobs(base, batch, temperature=temperature)

    def to(self, device: torch.device | str) -> None:
        """Move a copy to `device`; a shared one is where the policy is."""
        if not self.shared:
            self.model.to(device)


def can_share(model: SpeechLM) -> bool:
    """Whether `model` without its adapters is what it is now: they are new, and all that is trainable."""
    only_lora = set(trainable_parts(model)) == {Part.LORA} == model.train_state.trained
    return only_lora and lora_is_new(model)
