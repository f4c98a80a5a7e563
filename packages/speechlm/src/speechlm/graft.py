"""A speech LLM from two pretrained halves: any Whisper encoder and any Llama or Qwen2 language model.

Both fit the Thinker class unchanged. Qwen2 is Llama with biases on queries, keys and values, so Llama's are
zero; Whisper's convolutions, layers and final norm are the audio tower's. New and untrained are the projection between
the two, the vocabulary rows of special tokens that the language model lacks, and a vision tower of one layer that the
class demands and that is never run. `speechlm.parity` checks that each half still computes what it did.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2_5OmniThinkerConfig,
    Qwen2_5OmniThinkerForConditionalGeneration,
    Qwen2ForCausalLM,
    WhisperModel,
)
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from speechlm.errors import CheckpointError, GraftError
from speechlm.model import SpeechLM
from speechlm.thinker_config import rope_parameters, special_token_ids, text_token_ids, unused_vision_tower
from speechlm.tokenizer import PAD, SPECIAL_TOKENS, TURN_END
from speechlm.weights import weight_files

LANGUAGE_MODELS = {"llama": LlamaForCausalLM, "qwen2": Qwen2ForCausalLM}
TRIM_DB = 40.0
"""Silence at the ends of a clip is not encoded (`FeatureSpec.trim_db`): acted corpora have a second of it on either
side, and every second costs 25 tokens."""
_TABLES = ("text.embed_tokens.weight", "head.weight")
_POSITIONS = "embed_positions.weight"
_STORED: dict[str, Any] = {"use_safetensors": True, "dtype": torch.float32, "local_files_only": True}
_HALF_PRECISION = 1e-3
"""More than half-precision storage can have rounded the positions of a Whisper by (3e-4 in whisper-base)."""


@dataclass(frozen=True, slots=True)
class GraftReport:
    """What became of every weight: names in the new model, and of `unused` in the source.

    - `copied`: equal to a source weight; `zeroed`: biases that the source does not have
    - `new`: random, to be trained (with a range of rows after a table's name); `never_run`: new, and never run
    - `unused`: source weights without a place in the new model
    - `added_tokens`: special tokens that the language model's tokenizer lacked
    """

    copied: tuple[str, ...]
    zeroed: tuple[str, ...]
    new: tuple[str, ...]
    never_run: tuple[str, ...]
    unused: tuple[str, ...]
    added_tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PretrainedParts:
    """The two halves that a speech LLM is grafted from, and the tokenizer of the second."""

    encoder: Any  # transformers leaves the modules within untyped
    language_model: Any
    tokenizer: PreTrainedTokenizerFast


def load_pretrained_parts(audio: str | Path, text: str | Path) -> PretrainedParts:
    """Read a Whisper (whole or encoder) and a Llama or Qwen2 with its tokenizer: local folders or hub ids, safetensors.

    A hub id is looked up in the hub's cache on this machine; nothing is downloaded.
    Both are read in float32, and a Whisper's positions, if they were stored in half precision, without its rounding.
    Raises `GraftError` for another architecture, a missing, truncated or unreadable file, or weights in pickle.
    """
    with _reading(audio):
        config = AutoConfig.from_pretrained(audio, local_files_only=True)
        if config.model_type != "whisper":
            raise GraftError(f"{audio}: need a Whisper encoder, got architecture {config.model_type!r}")
        _check_files(audio)
        alone = "WhisperEncoder" in (config.architectures or ())
        kind: Any = WhisperEncoder if alone else WhisperModel
        loaded = kind.from_pretrained(audio, **_STORED)
        encoder: Any = loaded if alone else loaded.encoder
        _unround_positions(encoder)
    with _reading(text):
        config = AutoConfig.from_pretrained(text, local_files_only=True)
        if config.model_type not in LANGUAGE_MODELS:
            raise GraftError(
                f"{text}: need one of {', '.join(LANGUAGE_MODELS)}, got architecture {config.model_type!r}"
            )
        _check_files(text)
        model: Any = LANGUAGE_MODELS[config.model_type]
        language_model = model.from_pretrained(text, **_STORED)
        tokenizer = PreTrainedTokenizerFast.from_pretrained(text, local_files_only=True)
    return PretrainedParts(encoder, language_model, tokenizer)


def graft(source: PretrainedParts, *, seed: int = 0) -> tuple[SpeechLM, GraftReport]:
    """Join `source` into one speech LLM; `seed` makes the new weights, and the sources are not changed.

    The tokenizer gains the special tokens it lacks; their rows are the mean of the language model's embeddings, so that
    none is likelier than a common word. Raises `GraftError` with the reason when the Thinker class cannot compute what
    one of them computes.
    """
    refuse_unfitting(source)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=_copy_of(source.tokenizer))  # type: ignore[no-untyped-call]
    known = tokenizer.get_vocab()
    added = tuple(token for token in SPECIAL_TOKENS if token not in known)
    tokenizer.add_special_tokens(
        {"pad_token": PAD, "eos_token": TURN_END, "extra_special_tokens": list(SPECIAL_TOKENS)}
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        thinker = Qwen2_5OmniThinkerForConditionalGeneration(_config(source, tokenizer))
    model = SpeechLM(thinker, tokenizer)
    report = _transplant(model, source, added)
    _scale_projection(model)
    return model, report


def refuse_unfitting(source: PretrainedParts) -> None:
    """Raise `GraftError` for parts that the Thinker class cannot hold without changing what they compute."""
    text, audio = source.language_model.config, source.encoder.config
    rope = getattr(text, "rope_parameters", None) or {}
    head_dim = _head_dim(text)
    reasons = {
        f"its rotary positions are scaled ({rope.get('rope_type')!r})": rope.get("rope_type", "default") != "default",
        "its rotary positions cover a part of each head": rope.get("partial_rotary_factor", 1.0) != 1.0,
        "its attention output has a bias": bool(getattr(text, "attention_bias", False)),
        "its MLP has biases": bool(getattr(text, "mlp_bias", False)),
        "it attends through a sliding window": bool(getattr(text, "use_sliding_window", False)),
        f"its heads are {head_dim} wide, not a multiple of 16 as three rotary axes need": head_dim % 16 != 0,
        f"its tokenizer has {len(source.tokenizer)} tokens, but it embeds only {text.vocab_size}": (
            len(source.tokenizer) > text.vocab_size
        ),
    }
    for reason, holds in reasons.items():
        if holds:
            raise GraftError(f"the language model cannot be grafted: {reason}")
    if _rounding_of_positions(source.encoder) > _HALF_PRECISION:
        raise GraftError("the encoder cannot be grafted: its positions are learned, the audio tower's are sinusoids")
    if audio.activation_function != "gelu":
        raise GraftError(f"the encoder cannot be grafted: it uses {audio.activation_function!r} instead of 'gelu'")


def _config(source: PretrainedParts, tokenizer: PreTrainedTokenizerFast) -> Qwen2_5OmniThinkerConfig:
    text, audio = source.language_model.config, source.encoder.config
    own: dict[str, Any] = {"audio_feature_trim_db": TRIM_DB}  # read by `SpeechLM`, unknown to the class
    return Qwen2_5OmniThinkerConfig(
        audio_config={
            "num_mel_bins": audio.num_mel_bins,
            "d_model": audio.d_model,
            "encoder_layers": audio.encoder_layers,
            "encoder_attention_heads": audio.encoder_attention_heads,
            "encoder_ffn_dim": audio.encoder_ffn_dim,
            "max_source_positions": audio.max_source_positions,
            "scale_embedding": audio.scale_embedding,
            "output_dim": text.hidden_size,
            "n_window": audio.max_source_positions,  # half a window, in frames: a clip is one window
        },
        text_config={
            "vocab_size": max(text.vocab_size, len(tokenizer)),
            "hidden_size": text.hidden_size,
            "intermediate_size": text.intermediate_size,
            "num_hidden_layers": text.num_hidden_layers,
            "num_attention_heads": text.num_attention_heads,
            "num_key_value_heads": text.num_key_value_heads,
            "head_dim": _head_dim(text),
            "hidden_act": text.hidden_act,
            "rms_norm_eps": text.rms_norm_eps,
            "max_position_embeddings": text.max_position_embeddings,
            "rope_parameters": rope_parameters(_head_dim(text), theta=text.rope_parameters["rope_theta"]),
            **text_token_ids(tokenizer),
            "tie_word_embeddings": text.tie_word_embeddings,
        },
        vision_config=unused_vision_tower(text.hidden_size),
        tie_word_embeddings=text.tie_word_embeddings,
        **special_token_ids(tokenizer),
        **own,
    )


@torch.no_grad()
def _transplant(model: SpeechLM, source: PretrainedParts, added: tuple[str, ...]) -> GraftReport:
    given = {f"audio.{_tower_name(n)}": w for n, w in source.encoder.named_parameters() if n != _POSITIONS}
    given |= {f"text.{n}": w for n, w in source.language_model.model.named_parameters()}
    if not source.language_model.config.tie_word_embeddings:
        given["head.weight"] = source.language_model.lm_head.weight
    copied: list[str] = []
    zeroed: list[str] = []
    new: list[str] = []
    taken: set[str] = set()
    for name, weight in _named(model):
        old = given.get(name)
        if old is not None and old.shape == weight.shape:
            weight.copy_(old)
            copied.append(name)
        elif old is not None and name in _TABLES:
            weight[: len(old)] = old
            weight[len(old) :] = old.mean(dim=0)
            copied.append(f"{name}[:{len(old)}]")
            new.append(f"{name}[{len(old)}:{len(weight)}]")
        elif old is None and name.startswith("text.") and name.endswith("_proj.bias"):
            weight.zero_()
            zeroed.append(name)
        elif old is None:
            new.append(name)
        else:
            raise GraftError(f"{name}: the source has {tuple(given[name].shape)}, the new model {tuple(weight.shape)}")
        taken.add(name)
    never_run = [n for n, _ in model.thinker.named_parameters() if "visual" in n.split(".")]
    unused = [*sorted(set(given) - taken), f"audio.{_POSITIONS} (the tower computes the same sinusoids)"]
    return GraftReport(tuple(copied), tuple(zeroed), tuple(new), tuple(never_run), tuple(unused), added_tokens=added)


@torch.no_grad()
def _scale_projection(model: SpeechLM) -> None:
    """Give audio tokens the mean square of text embeddings, so that the language model reads both alike.

    The tower's last norm gives values of mean square weight² + bias², so no clip needs to be run.
    """
    tower: Any = model.audio_tower
    norm, projection = tower.ln_post, tower.proj
    wanted = model.thinker.get_input_embeddings().weight.square().mean()  # type: ignore[operator]
    projection.weight.mul_((wanted / (norm.weight**2 + norm.bias**2).sum() / projection.weight.square().mean()).sqrt())
    projection.bias.zero_()


def _named(model: SpeechLM) -> Iterator[tuple[str, Tensor]]:
    """The weights that run, under the names of their parts: `audio.…`, `text.…`, `head.weight` unless tied."""
    for part, module in (("audio", model.audio_tower), ("text", model.text_tower)):
        for name, weight in module.named_parameters():
            yield f"{part}.{name}", weight
    if not model.head_is_tied:
        yield "head.weight", model.head.weight


def _tower_name(name: str) -> str:
    """A weight of Whisper's encoder in the audio tower; only the final norm is called otherwise."""
    return name.replace("layer_norm.", "ln_post.") if name.startswith("layer_norm.") else name


def _copy_of(tokenizer: PreTrainedTokenizerFast) -> Any:
    backend = tokenizer.backend_tokenizer
    return type(backend).from_str(backend.to_str())


def _head_dim(config: Any) -> int:
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def _rounding_of_positions(encoder: Any) -> float:
    table = encoder.embed_positions.weight
    return float((table - _sinusoids(*table.shape)).detach().abs().max())


@torch.no_grad()
def _unround_positions(encoder: Any) -> None:
    """Positions that half precision rounded become the sinusoids they were, which the audio tower computes itself.

    Rounded, they alone would move whisper-base's states by up to 4e-3.
    """
    if 0 < _rounding_of_positions(encoder) <= _HALF_PRECISION:
        table = encoder.embed_positions.weight
        table.copy_(_sinusoids(*table.shape))


def _sinusoids(length: int, width: int) -> Tensor:
    """Whisper's positions `[length, width]`: sines, then cosines, of wavelengths from 2π to 10 000 · 2π."""
    scale = torch.exp(-torch.log(torch.tensor(10_000.0)) / (width // 2 - 1) * torch.arange(width // 2))
    angle = torch.arange(length)[:, None] * scale[None]
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def _check_files(place: str | Path) -> None:
    """Of a folder; files in the hub's cache were checked when it was downloaded."""
    if Path(place).is_dir():
        weight_files(Path(place))


@contextmanager
def _reading(place: str | Path) -> Iterator[None]:
    try:
        yield
    except GraftError:
        raise
    except CheckpointError as error:
        raise GraftError(str(error)) from error
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        if not Path(place).is_dir():
            reason = f"no such folder, and not in the hub's cache; get it with `hf download {place}` ({reason})"
        raise GraftError(f"{place}: cannot be loaded: {reason[:300]}") from error
