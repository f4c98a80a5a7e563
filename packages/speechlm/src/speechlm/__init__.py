"""The speech LLM that policy and reward model stand on.

- `speechlm.features` — log-mel frames of 16 kHz speech
- `speechlm.tokenizer` — a small byte-level BPE with the special tokens of Qwen2.5-Omni
- `speechlm.batch` — clips, questions and completions as tensors
- `speechlm.model` — `SpeechLM`: load, encode audio once, run the text tower, save
- `speechlm.packed` — `PackedGroup`, K answers behind one copy of their prompt
- `speechlm.pocket` — the same architecture at a few million parameters
- `speechlm.graft`, `speechlm.proof` — one out of a Whisper encoder and a Llama or Qwen2, and that it is sound
- `speechlm.summary` — what a model is made of
- `speechlm.cli` — the command `speechlm`
"""

from speechlm.batch import SpeechBatch, collate
from speechlm.errors import AudioInputError, BatchError, CheckpointError, GraftError, SpeechLMError
from speechlm.features import SAMPLE_RATE, FeatureSpec, audio_token_count, log_mel, pad_features
from speechlm.graft import Donors, GraftReport, graft, load_donors
from speechlm.model import SpeechLM, TextState
from speechlm.packed import PackedGroup, pack
from speechlm.pocket import PocketSize, pocket
from speechlm.proof import Proof, prove
from speechlm.summary import ModelSummary, TowerSummary, summarize
from speechlm.tokenizer import train_tokenizer

__all__ = [
    "SAMPLE_RATE",
    "AudioInputError",
    "BatchError",
    "CheckpointError",
    "Donors",
    "FeatureSpec",
    "GraftError",
    "GraftReport",
    "ModelSummary",
    "PackedGroup",
    "PocketSize",
    "Proof",
    "SpeechBatch",
    "SpeechLM",
    "SpeechLMError",
    "TextState",
    "TowerSummary",
    "audio_token_count",
    "collate",
    "graft",
    "load_donors",
    "log_mel",
    "pack",
    "pad_features",
    "pocket",
    "prove",
    "summarize",
    "train_tokenizer",
]
