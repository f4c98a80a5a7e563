"""Checkpoints: `save_checkpoint` and `load_checkpoint`, the only ways from a model to a folder and back.

A checkpoint has weights in safetensors, configuration, tokenizer, record (`speechlm.metadata`) and model card;
transformers reads it too. It is replaced as a whole (`speechlm.folders`).
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, PreTrainedTokenizerFast, Qwen2_5OmniThinkerForConditionalGeneration

from speechlm.errors import CheckpointError
from speechlm.folders import atomic_dir, resolve_dir
from speechlm.freezing import LORA_WEIGHT, Part, identify, part_weights
from speechlm.lora import has_lora, merged_weights
from speechlm.metadata import (
    KIND,
    RECORD,
    CheckpointRecord,
    Provenance,
    read_record,
    vocabulary_sha256,
    write_record,
)
from speechlm.model import MODEL_TYPE, SpeechLM
from speechlm.modelcard import CARD, model_card
from speechlm.weights import SHARD_SIZE, check_finite, reading, weight_files

_SIZE = re.compile(r"(?=.*[1-9])\d+(\.\d+)?\s*[KMGT]B", re.IGNORECASE)
WHOLE_MODEL_TYPE = "qwen2_5_omni"
"""A Thinker beside a talker and a vocoder; its weights are called `thinker.…`."""
TALKER_PREFIXES = ("talker.", "token2wav.")
"""Weights of a whole Qwen2.5-Omni that are not read; newer transformers do not even mention them."""
CHECKPOINT_FILES = (
    "config.json", "generation_config.json", "model*.safetensors", "model.safetensors.index.json", "adapter_*",
    "tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", RECORD, CARD,
)  # fmt: skip
"""Files of a checkpoint: a new one does not keep those of the old one."""
WRONG_KEYS = ("missing_keys", "mismatched_keys", "unexpected_keys")
PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "peft", "emotionthinker-speechlm")


def save_checkpoint(
    model: SpeechLM,
    directory: Path,
    *,
    max_shard_size: int | str = SHARD_SIZE,
    provenance: Provenance | None = None,
    files: Mapping[str, bytes] | None = None,
) -> CheckpointRecord:
    """Write `model` into `directory`, as a whole or not at all.

    A process that dies while saving leaves the old checkpoint; files of others in the folder are kept. LoRA is merged
    into what is written, while the model keeps it. Weights larger than `max_shard_size` are written in shards.
    `provenance` is what only the caller knows; `files`, by name, belong to the checkpoint and are replaced with it.
    Raises `CheckpointError` when the disk does not allow it, or a weight is not finite.
    """
    if not (max_shard_size > 0 if isinstance(max_shard_size, int) else _SIZE.fullmatch(max_shard_size)):
        raise CheckpointError(f"max_shard_size must be bytes or a size such as 500MB or 5GB, got {max_shard_size!r}")
    _check_names(files or {})
    check_finite(dict(model.named_parameters()), directory, remedy="nothing was written; go back to an earlier state")
    with atomic_dir(Path(directory), discard=CHECKPOINT_FILES) as folder:
        model.thinker.save_pretrained(folder, state_dict=_whole_state(model), max_shard_size=max_shard_size)
        model.tokenizer.save_pretrained(folder)
        written = tuple(sorted(path.name for path in folder.glob("model*.safetensors")))
        for name, content in (files or {}).items():
            (folder / name).write_bytes(content)
        record = _record_of(model, provenance=provenance or Provenance(), files=written)
        write_record(record, folder)
        (folder / CARD).write_text(model_card(record), encoding="utf-8")
    return record


def load_checkpoint(
    directory: Path, *, device: str | torch.device = "cpu", dtype: torch.dtype | None = None
) -> SpeechLM:
    """Read a Thinker with its tokenizer, in safetensors (pickle is refused); the model is in evaluation mode.

    Of a whole Qwen2.5-Omni, as released, only the Thinker is read. `dtype` is that of the files unless given.
    Raises `CheckpointError` when files are missing, damaged or half written, the architecture is another one,
    weights are not finite, weights or tokenizer do not fit, or memory does not suffice.
    """
    directory = resolve_dir(Path(directory))
    record = read_record(directory)
    config, whole = _config(directory)
    size = sum(path.stat().st_size for path in weight_files(directory))
    with reading(directory, what="weights", size=size):
        loaded: Any = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(
            directory,
            config=config,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are named below, where transformers points to its log
            dtype=dtype or "auto",
            attn_implementation="sdpa",
        )
        thinker, info = loaded
        found = [str(key) for kind in WRONG_KEYS for key in sorted(info[kind], key=str)]
        wrong = [key for key in found if not (whole and key.startswith(TALKER_PREFIXES))]
        if wrong:
            raise CheckpointError(f"{directory}: weights do not fit the configuration, for example {wrong[:3]}")
        check_finite(dict(thinker.named_parameters()), directory)
    model = SpeechLM(thinker, _tokenizer(directory, config, record))
    model.train_state = replace(model.train_state, base=identify(model, name=str(directory.resolve())))
    with reading(directory, what="weights", size=sum(w.numel() * w.element_size() for w in model.parameters())):
        return model.to(device)


def _config(directory: Path) -> tuple[Any, bool]:
    """The configuration of the Thinker, and whether it is part of a whole Qwen2.5-Omni."""
    for name in ("config.json", "tokenizer.json"):
        if not (directory / name).is_file():
            raise CheckpointError(f"{directory}: no {name}; a speech LLM checkpoint has config, weights, tokenizer")
    with reading(directory / "config.json"):
        config = AutoConfig.from_pretrained(directory)
    whole = config.model_type == WHOLE_MODEL_TYPE
    if whole:
        config = config.thinker_config
    if config.model_type != MODEL_TYPE:
        raise CheckpointError(f"{directory}: expected architecture {MODEL_TYPE}, found {config.model_type}")
    return config, whole


def _check_names(names: Iterable[str]) -> None:
    """Files of the caller must be in the folder itself and replace none of the model's."""
    for name in names:
        if name in {"", ".."} or Path(name).name != name or any(fnmatch(name, pattern) for pattern in CHECKPOINT_FILES):
            raise CheckpointError(
                f"a file of the checkpoint cannot be called {name!r}: give it a plain name of its own"
            )


def _whole_state(model: SpeechLM) -> dict[str, Tensor]:
    """The weights of the Thinker, adapters merged into them; the model is not changed."""
    state: dict[str, Tensor] = model.thinker.state_dict()
    if not has_lora(model):
        return state
    tower = next(name for name, module in model.thinker.named_modules() if module is model.text_tower)
    merged = {f"{tower}.{name}.weight": weight for name, weight in merged_weights(model)}
    names = {name: name.replace(".base_layer.", ".") for name in state if LORA_WEIGHT not in name}
    return {plain: merged.get(plain, state[name]) for name, plain in names.items()}


def _record_of(model: SpeechLM, *, provenance: Provenance, files: tuple[str, ...]) -> CheckpointRecord:
    trained = model.train_state.trained
    if Part.LORA in trained:  # merged into what is written
        trained = (trained - {Part.LORA}) | {Part.LLM}
    weights = part_weights(model)
    return CheckpointRecord(
        kind=KIND,
        base=model.train_state.base,
        trained=tuple(part for part in Part if part in trained),
        parameters={part: sum(w.numel() for w in weights[part].values()) for part in weights if part is not Part.LORA},
        lora=model.train_state.lora,
        vocabulary=len(model.tokenizer),
        vocabulary_sha256=vocabulary_sha256(model.tokenizer),
        versions={"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        provenance=provenance,
        files=files,
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "from its source folder"


def _tokenizer(directory: Path, config: Any, record: CheckpointRecord | None) -> PreTrainedTokenizerFast:
    """The tokenizer of a checkpoint, if it is the one that the model was trained with."""
    with reading(directory, what="tokenizer"):
        tokenizer: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(directory)
        found = tokenizer.convert_tokens_to_ids("<|AUDIO|>")
    embeddings, remedy = config.text_config.vocab_size, "restore the tokenizer that was saved with these weights"
    if len(tokenizer) > embeddings:
        raise CheckpointError(
            f"{directory}: tokenizer does not fit: it has {len(tokenizer)} tokens, the model embeds only {embeddings}: "
            f"{remedy}"
        )
    if found != config.audio_token_index:
        raise CheckpointError(
            f"{directory}: tokenizer does not fit: <|AUDIO|> is its token {found}, the model's is "
            f"{config.audio_token_index}: {remedy}"
        )
    if record is not None and vocabulary_sha256(tokenizer) != record.vocabulary_sha256:
        raise CheckpointError(
            f"{directory}: tokenizer does not fit: its {len(tokenizer)} tokens are not the {record.vocabulary} of the "
            f"checkpoint: {remedy}"
        )
    return tokenizer
