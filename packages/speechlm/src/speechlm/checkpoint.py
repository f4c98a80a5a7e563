"""Checkpoints: whole models and adapters in safetensors, replaced as a whole, with record, tokenizer and card.

A whole checkpoint is a folder that transformers reads too; one of adapters has the files of peft, `parts.safetensors`
with parts that were trained besides, and needs its base to be loaded.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, PreTrainedTokenizerFast, Qwen2_5OmniThinkerForConditionalGeneration

from speechlm.adapters import (
    ADAPTER_CONFIG,
    PARTS,
    check_adapter_only,
    check_base,
    check_files,
    find_base,
    lay_over,
    save_adapter,
    text_tower_name,
)
from speechlm.errors import CheckpointError
from speechlm.folders import replaced_folder, standing
from speechlm.identity import identify, vocabulary_sha256
from speechlm.lora import has_lora, merged_weights
from speechlm.model import MODEL_TYPE, WHAT_SPEAKS, WHOLE_MODEL_TYPE, SpeechLM
from speechlm.modelcard import CARD, model_card
from speechlm.parts import LORA_WEIGHT, Part, part_weights
from speechlm.record import RECORD, CheckpointRecord, Provenance, read_record, write_record
from speechlm.weights import SHARD_SIZE, check_finite, reading, weight_files

_SIZE = re.compile(r"(?=.*[1-9])\d+(\.\d+)?\s*[KMGT]B", re.IGNORECASE)
WEIGHT_FILES = ("model*.safetensors", "adapter_model.safetensors", PARTS)
OURS = (
    "config.json", "generation_config.json", "model*.safetensors", "model.safetensors.index.json", "adapter_*",
    PARTS, "tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", RECORD, CARD,
)  # fmt: skip
"""Files of a checkpoint: a new one does not keep those of the old one."""
WRONG_KEYS = ("missing_keys", "mismatched_keys", "unexpected_keys")
PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "peft", "emotionthinker-speechlm")


def save_checkpoint(
    model: SpeechLM,
    directory: Path,
    *,
    adapter_only: bool = False,
    max_shard_size: int | str = SHARD_SIZE,
    provenance: Provenance | None = None,
    files: Mapping[str, bytes] | None = None,
) -> CheckpointRecord:
    """Write `model` into `directory`; see `SpeechLM.save`."""
    _check_shard_size(max_shard_size)
    _check_names(files or {})
    if adapter_only:
        check_adapter_only(model, directory)
    check_finite(dict(model.named_parameters()), directory, remedy="nothing was written; go back to an earlier state")
    with replaced_folder(Path(directory), discard=OURS) as folder:
        if adapter_only:
            save_adapter(model, folder)
        else:
            model.thinker.save_pretrained(folder, state_dict=_whole_state(model), max_shard_size=max_shard_size)
        model.tokenizer.save_pretrained(folder)
        for name, content in (files or {}).items():
            (folder / name).write_bytes(content)
        record = _record_of(model, folder, adapter_only=adapter_only, provenance=provenance or Provenance())
        write_record(record, folder)
        (folder / CARD).write_text(model_card(record), encoding="utf-8")
    return record


def load_checkpoint(
    directory: Path,
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
    attention: str = "sdpa",
    base: Path | None = None,
) -> SpeechLM:
    """Read what `save_checkpoint` wrote; see `SpeechLM.load`."""
    directory = standing(Path(directory))
    record = read_record(directory)
    if record is not None and record.kind == "adapter":
        model = _load_adapter(directory, record, base=base, dtype=dtype, attention=attention)
    elif record is None and (directory / ADAPTER_CONFIG).is_file() and not (directory / "config.json").is_file():
        raise CheckpointError(f"{directory}: adapters without {RECORD}: merge them with peft and load the whole model")
    elif base is not None:
        raise CheckpointError(f"{directory}: a whole model needs no base: leave out base=")
    else:
        model = _load_whole(directory, record, dtype=dtype, attention=attention)
    with reading(directory, what="weights", size=_bytes(model)):
        return model.to(device)


def _check_shard_size(size: int | str) -> None:
    valid = size > 0 if isinstance(size, int) else _SIZE.fullmatch(size)
    if not valid:
        raise CheckpointError(f"max_shard_size must be bytes or a size such as 500MB or 5GB, got {size!r}")


def _check_names(names: Iterable[str]) -> None:
    """Files of the caller lie in the folder itself and replace none of the model's."""
    for name in names:
        if name in {"", ".."} or Path(name).name != name or any(fnmatch(name, ours) for ours in OURS):
            raise CheckpointError(
                f"a file of the checkpoint cannot be called {name!r}: give it a plain name of its own"
            )


def _load_adapter(
    directory: Path, record: CheckpointRecord, *, base: Path | None, dtype: torch.dtype | None, attention: str
) -> SpeechLM:
    check_files(directory, record)
    place = base or find_base(directory, record)
    model = load_checkpoint(place, dtype=dtype, attention=attention)
    if has_lora(model):
        raise CheckpointError(f"{place}: the base of {directory} has adapters itself: merge them first")
    check_base(directory, record, place, model.base)
    if vocabulary_sha256(model.tokenizer) != record.vocabulary_sha256:
        raise CheckpointError(f"{directory}: its base {place} has another vocabulary: name the right one with base=")
    lay_over(model, directory, record)
    return model


def _whole_state(model: SpeechLM) -> dict[str, Tensor]:
    """The weights of the Thinker, adapters merged into them; the model is not changed."""
    tower = text_tower_name(model)
    merged = {f"{tower}.{name}.weight": weight for name, weight in merged_weights(model)} if has_lora(model) else {}
    state: dict[str, Tensor] = model.thinker.state_dict()
    names = {name: name.replace(".base_layer.", ".") for name in state if LORA_WEIGHT not in name}
    return {plain: merged.get(plain, state[name]) for name, plain in names.items()}


def _record_of(model: SpeechLM, folder: Path, *, adapter_only: bool, provenance: Provenance) -> CheckpointRecord:
    trained = model.trained
    if not adapter_only and Part.LORA in trained:
        trained = (trained - {Part.LORA}) | {Part.LLM}
    kept = [part for part in Part if adapter_only or part is not Part.LORA]
    weights = part_weights(model)
    return CheckpointRecord(
        kind="adapter" if adapter_only else "full",
        base=model.base,
        trained=tuple(part for part in Part if part in trained),
        parameters={part: sum(w.numel() for w in weights[part].values()) for part in kept if part in weights},
        lora=model.lora or model.merged,
        vocabulary=len(model.tokenizer),
        vocabulary_sha256=vocabulary_sha256(model.tokenizer),
        versions={"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        provenance=provenance,
        files=tuple(sorted(path.name for pattern in WEIGHT_FILES for path in folder.glob(pattern))),
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "from its source folder"


def _load_whole(
    directory: Path, record: CheckpointRecord | None, *, dtype: torch.dtype | None, attention: str
) -> SpeechLM:
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
    size = sum(path.stat().st_size for path in weight_files(directory))
    with reading(directory, what="weights", size=size):
        loaded: Any = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(
            directory,
            config=config,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are named below, where transformers points to its log
            dtype=dtype or "auto",
            attn_implementation=attention,
        )
        thinker, info = loaded
        found = [str(key) for kind in WRONG_KEYS for key in sorted(info[kind], key=str)]
        wrong = [key for key in found if not (whole and key.startswith(WHAT_SPEAKS))]
        if wrong:
            raise CheckpointError(f"{directory}: weights do not fit the configuration, for example {wrong[:3]}")
        check_finite(dict(thinker.named_parameters()), directory)
    model = SpeechLM(thinker, _tokenizer(directory, config, record))
    model.base = identify(model, name=str(directory.resolve()))
    return model


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


def _bytes(model: SpeechLM) -> int:
    return sum(weight.numel() * weight.element_size() for weight in model.parameters())
