"""The speech LLM that policy and reward model build on.

In the order in which they build on one another:

- `speechlm.tokenizer` — a small byte-level BPE with the special tokens of Qwen2.5-Omni
- `speechlm.features` — log-mel frames of 16 kHz speech
- `speechlm.prompt` — where a clip becomes a prompt: clips, questions and completions as tensors
- `speechlm.attention` — which attention the text tower runs
- `speechlm.packed`, `speechlm.packed_attention` — K answers that share one copy of their prompt, and their attention
- `speechlm.metadata` — what a model was trained from; the record of a checkpoint
- `speechlm.model` — `SpeechLM`: collate, embed, forward
- `speechlm.freezing` — the parts that can be trained: frozen, counted, with gradient checkpointing
- `speechlm.lora` — LoRA on the text tower: added, switched off, merged when saved
- `speechlm.checkpoint` — `save_checkpoint`, `load_checkpoint`, with `modelcard`, `folders` (replaced as a whole) and
  `weights` (checked before they are read)
- `speechlm.pocket`, `speechlm.graft`, `speechlm.released` — the architecture at a few million parameters; from a
  Whisper encoder and a Llama or Qwen2 (`speechlm.parity` checks both); as released (`thinker_config` serves all)
- `speechlm.presets` — every size by its name
- `speechlm.summary`, `speechlm.cli` — what a model is made of; the command `speechlm`
"""

from speechlm.checkpoint import load_checkpoint, save_checkpoint
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
from speechlm.freezing import Part, enable_gradient_checkpointing, train_only, trainable_parts
from speechlm.graft import GraftReport, PretrainedParts, graft, load_pretrained_parts
from speechlm.lora import adapters_off, add_lora, has_lora, lora_is_new
from speechlm.metadata import BaseIdentity, CheckpointRecord, LoraSettings, Provenance, TrainState, read_record
from speechlm.model import SpeechLM, TextState
from speechlm.packed import PackedGroup, pack
from speechlm.parity import Parity, check_parity
from speechlm.pocket import PocketSize, pocket
from speechlm.presets import PRESETS, RELEASES, Release, load_preset
from speechlm.prompt import SpeechBatch, collate
from speechlm.released import released_config
from speechlm.summary import ModelSummary, TowerSummary, summarize
from speechlm.tokenizer import train_tokenizer

__all__ = [
    "PRESETS",
    "RELEASES",
    "SAMPLE_RATE",
    "AudioInputError",
    "BaseIdentity",
    "BatchError",
    "CheckpointError",
    "CheckpointRecord",
    "FeatureSpec",
    "GraftError",
    "GraftReport",
    "LoraSettings",
    "ModelSummary",
    "PackedGroup",
    "Parity",
    "Part",
    "PartError",
    "PocketSize",
    "PresetError",
    "PretrainedParts",
    "Provenance",
    "Release",
    "SpeechBatch",
    "SpeechLM",
    "SpeechLMError",
    "TextState",
    "TowerSummary",
    "TrainState",
    "adapters_off",
    "add_lora",
    "audio_token_count",
    "check_parity",
    "collate",
    "enable_gradient_checkpointing",
    "graft",
    "has_lora",
    "load_checkpoint",
    "load_preset",
    "load_pretrained_parts",
    "log_mel",
    "lora_is_new",
    "pack",
    "pad_features",
    "pocket",
    "read_record",
    "released_config",
    "save_checkpoint",
    "summarize",
    "train_only",
    "train_tokenizer",
    "trainable_parts",
]
