"""Which parts of a speech LLM a stage trains."""

from __future__ import annotations

from collections.abc import Sequence

from speechlm import LoraSettings, Part, SpeechLM, add_lora, has_lora, train_only


def choose_parts(model: SpeechLM, parts: Sequence[str] | None, *, lora_rank: int) -> None:
    """Freeze all of `model` but `parts` (`speechlm.Part`), with new adapters where `lora` is one and there are none.

    Without `parts` everything is trained.
    """
    if parts is None:
        return
    if Part.LORA in parts and not has_lora(model):
        add_lora(model, LoraSettings(rank=lora_rank, alpha=2.0 * lora_rank))
    train_only(model, parts)
