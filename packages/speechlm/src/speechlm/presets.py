"""One entry to every size, from the pocket model to the released 7B: `load_preset`.

A whole Qwen2.5-Omni on the hub holds a talker and a vocoder beside the Thinker; only the Thinker is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers.utils.hub import cached_file

from speechlm.checkpoint import load_checkpoint
from speechlm.errors import PresetError
from speechlm.graft import graft, load_pretrained_parts
from speechlm.model import SpeechLM
from speechlm.parity import check_parity
from speechlm.pocket import PocketSize, pocket
from speechlm.tokenizer import train_tokenizer

HELPFUL = "You are a helpful assistant."
"""What Qwen2.5-Omni's chat template says when a conversation has no system message of its own."""
THINKING = (
    "The user asks about a recording. Reason first, from what you hear, then answer: "
    "<think> reasoning </think><answer> answer </answer>."
)
"""A wording of what EmotionThinker was trained to do; its model card has the authors'."""


@dataclass(frozen=True, slots=True)
class Release:
    """A Thinker that others trained.

    - `hub_id`: its name on the Hugging Face hub; `revision`: the commit that this package was written for, or none
      where no commit is known, so that the caller must name one (or a folder)
    - `system`: the message before every turn
    """

    hub_id: str
    revision: str | None
    system: str


RELEASES = {
    "omni3b": Release("Qwen/Qwen2.5-Omni-3B", "f75b40e3da2003cdd6e1829b1f420ca70797c34e", HELPFUL),
    "omni7b": Release("Qwen/Qwen2.5-Omni-7B", "ae9e1690543ffd5c0221dc27f79834d0294cba00", HELPFUL),
    "emotionthinker": Release("ddwang2000/EmotionThinker", None, THINKING),
}
"""By the name of their preset. EmotionThinker answers with one of nine labels (`speech_records.PAPER_9`)."""

PRESETS = ("pocket", "compact", *RELEASES)
REQUIRED: Mapping[str, tuple[str, ...]] = {"pocket": ("texts",), "compact": ("audio", "text")}
ALLOWED: Mapping[str, tuple[str, ...]] = {
    "pocket": ("texts", "vocab_size", "size", "system"),
    "compact": ("audio", "text", "system"),
    **dict.fromkeys(RELEASES, ("source", "revision", "system")),
}


def load_preset(
    name: str,
    *,
    texts: Iterable[str] | None = None,
    vocab_size: int | None = None,
    size: PocketSize | None = None,
    audio: str | Path | None = None,
    text: str | Path | None = None,
    source: str | Path | None = None,
    revision: str | None = None,
    system: str | None = None,
    seed: int = 0,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
) -> SpeechLM:
    """The model of a preset, ready to be sampled from or trained.

    - `pocket`: random weights of a `size`, and a tokenizer of at most `vocab_size` tokens trained on `texts`
    - `compact`: grafted from a Whisper, `audio`, and a Llama or Qwen2, `text`, and checked to compute what they do
    - `omni3b`, `omni7b`, `emotionthinker`: released weights, from `source`, a folder, or from the hub's cache on this
      machine at the pinned `revision`; EmotionThinker's is not pinned, so it must be named

    `system` replaces the preset's message before every turn, `dtype` the precision that the weights were stored in.
    Nothing is downloaded. Raises `PresetError` for an unknown preset, an argument that it needs and lacks or does not
    take, and weights that are not on this machine; what `load_checkpoint`, `load_pretrained_parts` and `pocket` raise.
    """
    given = {
        "texts": texts,
        "vocab_size": vocab_size,
        "size": size,
        "audio": audio,
        "text": text,
        "source": source,
        "revision": revision,
        "system": system,
    }
    _check(name, {key for key, value in given.items() if value is not None})
    if name == "pocket":
        chosen = {} if vocab_size is None else {"vocab_size": vocab_size}
        model = pocket(train_tokenizer(texts or (), **chosen), seed=seed, size=size)
    elif name == "compact":
        parts = load_pretrained_parts(audio or "", text or "")
        model, _ = graft(parts, seed=seed)
        check_parity(model, parts)
    else:
        release = RELEASES[name]
        folder = Path(source) if source is not None else cached_folder(release, revision=revision)
        model = load_checkpoint(folder, device=device, dtype=dtype)
        if model.system is None:
            model.system = release.system
    if system is not None:
        model.system = system
    return model.to(device, dtype)


def cached_folder(release: Release, *, revision: str | None = None) -> Path:
    """Where the hub's cache on this machine holds a release, at its pinned revision unless another is named.

    Raises `PresetError`, which says how to get the weights, when it does not.
    """
    chosen = revision or release.revision
    if chosen is None:
        raise PresetError(
            f"{release.hub_id}: no revision of it is pinned here; name the commit you trust as revision=…, "
            "or a folder that holds it as source=…"
        )
    try:
        found = cached_file(release.hub_id, "config.json", revision=chosen, local_files_only=True)
    except OSError as error:
        raise PresetError(
            f"{release.hub_id}@{chosen} is not on this machine, and nothing is downloaded here; get it with "
            f"`hf download {release.hub_id} --revision {chosen}`, or name a folder that holds it as source=…"
        ) from error
    return Path(str(found)).parent


def _check(name: str, given: set[str]) -> None:
    if name not in PRESETS:
        raise PresetError(f"unknown preset {name!r}; there are {', '.join(PRESETS)}")
    missing = [key for key in REQUIRED.get(name, ()) if key not in given]
    if missing:
        raise PresetError(f"preset {name} needs {', '.join(f'{key}=…' for key in missing)}")
    foreign = sorted(given - set(ALLOWED[name]))
    if foreign:
        raise PresetError(f"preset {name} takes no {', '.join(foreign)}; it takes {', '.join(ALLOWED[name])}")
