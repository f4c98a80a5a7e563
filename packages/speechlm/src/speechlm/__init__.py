"""The speech LLM that policy and reward model stand on.

- `speechlm.features` — log-mel frames of 16 kHz speech
- `speechlm.windows` — longer clips, cut
- `speechlm.processor` — samples and questions to a batch, as the stock processor would make it
- `speechlm.tokenizer` — a small byte-level BPE with the special tokens of Qwen2.5-Omni
- `speechlm.batch` — clips, questions and completions as tensors
- `speechlm.model` — `SpeechLM`: load, encode audio once, run the text tower, save
- `speechlm.packed` — `PackedGroup`, K answers behind one copy of their prompt
- `speechlm.packed_attention` — attention of such rows without what their block mask throws away
- `speechlm.pocket` — the same architecture at a few million parameters
- `speechlm.graft`, `speechlm.proof` — one out of a Whisper encoder and a Llama or Qwen2, and that it is sound
- `speechlm.presets`, `speechlm.released` — every size by its name, released ones at a pinned revision
- `speechlm.parts`, `speechlm.training` — what is trained: audio encoder, adapter, language model, LoRA
- `speechlm.lora` — LoRA in place: put in, switched off, merged
- `speechlm.checkpoint`, `speechlm.adapters`, `speechlm.record`, `speechlm.modelcard` — what `save` writes, whole or
  adapters alone, with what is known of it
- `speechlm.folders`, `speechlm.weights` — folders replaced as a whole; weight files checked before they are read
- `speechlm.summary` — what a model is made of
- `speechlm.cli` — the command `speechlm`
"""

from speechlm.batch import SpeechBatch, collate
from speechlm.errors import (
    AudioInputError,
    BatchError,
    CheckpointError,
    GraftError,
    PartError,
    PresetError,
    SpeechLMError,
)
from speechlm.features import SAMPLE_RATE, FeatureSpec, audio_token_count, log_mel, pad_features
from speechlm.graft import Donors, GraftReport, graft, load_donors
from speechlm.lora import adapters_off, add_lora, has_lora, lora_is_new, merge_lora
from speechlm.model import SpeechLM, TextState
from speechlm.packed import PackedGroup, pack
from speechlm.parts import Part, PartCounts, count_parts
from speechlm.pocket import PocketSize, pocket
from speechlm.presets import PRESETS, load_preset
from speechlm.processor import SpeechProcessor
from speechlm.proof import Proof, prove
from speechlm.record import BaseIdentity, CheckpointRecord, LoraSettings, Provenance, read_record
from speechlm.released import RELEASES, Release, released_config
from speechlm.summary import ModelSummary, TowerSummary, summarize
from speechlm.tokenizer import train_tokenizer
from speechlm.training import recompute_activations, train_only
from speechlm.windows import windows

__all__ = [
    "PRESETS",
    "RELEASES",
    "SAMPLE_RATE",
    "AudioInputError",
    "BaseIdentity",
    "BatchError",
    "CheckpointError",
    "CheckpointRecord",
    "Donors",
    "FeatureSpec",
    "GraftError",
    "GraftReport",
    "LoraSettings",
    "ModelSummary",
    "PackedGroup",
    "Part",
    "PartCounts",
    "PartError",
    "PocketSize",
    "PresetError",
    "Proof",
    "Provenance",
    "Release",
    "SpeechBatch",
    "SpeechLM",
    "SpeechLMError",
    "SpeechProcessor",
    "TextState",
    "TowerSummary",
    "adapters_off",
    "add_lora",
    "audio_token_count",
    "collate",
    "count_parts",
    "graft",
    "has_lora",
    "load_donors",
    "load_preset",
    "log_mel",
    "lora_is_new",
    "merge_lora",
    "pack",
    "pad_features",
    "pocket",
    "prove",
    "read_record",
    "recompute_activations",
    "released_config",
    "summarize",
    "train_only",
    "train_tokenizer",
    "windows",
]
