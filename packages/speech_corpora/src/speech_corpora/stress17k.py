"""Stress-17K: Yosha et al. (2025), *StressTest*, arXiv 2505.22765. Synthetic English speech, CC-BY-NC-4.0.

Sentences that mean something else when another word is stressed, spoken by a synthesiser; no emotions. The release is
Parquet; it is read here as JSON Lines, a file for each split (`train_full.jsonl`, `train_fine.jsonl`), whose rows keep
their fields. Needed are

```
{"transcription": "I never said that.", "gt_stress_indices": [1], "audio": "clips/0001.wav"}
```

`audio` is the path of the clip below the root, or an object with that `path`, as the release has it. `audio_id` names the
clip and `metadata` its voice, where they are there. Stressed words are counted from 0 over the words between white
space, after a hyphen between two words is taken for white space, as the authors' own code counts them. `train_fine` is
a part of `train_full`: a clip of both is read once.
"""  # noqa: E501  (a row)

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from speech_corpora.listing import CorpusListing, Dropped, Entry, collect
from speech_corpora.manifest import parse_object
from speech_corpora.search import MissingAudioError
from speech_records import InvalidRecordError, Utterance

NAME = "stress17k"
_HYPHEN = re.compile(r"\b(\w+)-(\w+)\b")
_AROUND = " .,;:!?…\"'“”‘’()[]*"


def load(root: Path) -> CorpusListing:
    """Every clip of the JSON Lines files in `root`, or of the one file that `root` is; audio paths start at its folder.

    Raises `CorpusError` when `root` is missing or no row is usable.
    """
    if root.is_file():
        return collect(NAME, root.parent, _entries([root]), linked_folders=False)
    return collect(NAME, root, _entries(sorted(root.glob("*.jsonl"))), linked_folders=False)


def spoken_words(transcription: str) -> list[str]:
    """The words that `gt_stress_indices` count.

    >>> spoken_words("A well-known, ever-so-small risk.")
    ['A', 'well', 'known,', 'ever', 'so-small', 'risk.']
    """
    return _HYPHEN.sub(r"\1 \2", transcription).split()


def _entries(paths: list[Path]) -> Iterator[Entry]:
    seen: dict[str, str] = {}
    for path in paths:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                if raw.strip():
                    yield Entry(f"{path.name}:{number}", partial(_read, raw, path, number, seen))


def _read(raw: bytes, path: Path, number: int, seen: dict[str, str]) -> Utterance:
    row = parse_object(raw, f"line {number}")
    name = row.get("audio_id")
    identity = str(name) if isinstance(name, str | int) and str(name).strip() else f"{path.stem}-{number:05}"
    if seen.setdefault(identity, path.name) != path.name:
        raise Dropped(f"a clip of {seen[identity]} that is in {path.name} too")
    transcription = row.get("transcription")
    if not isinstance(transcription, str) or not transcription.strip():
        raise InvalidRecordError(f"clip {identity!r}: transcription must be a text that is not empty")
    stressed = _stressed(row.get("gt_stress_indices"), spoken_words(transcription), identity)
    utterance = Utterance(
        utterance_id=identity,
        corpus=NAME,
        audio_path=_audio(row.get("audio"), identity),
        speaker_id=_voice(row.get("metadata")),
        transcript=transcription.strip(),
        language="en",
        split="test" if path.stem.startswith("test") else "train",
        stressed_words=stressed,
        synthetic=True,
    )
    if not (path.parent / utterance.audio_path).is_file():
        raise MissingAudioError(f"clip {identity!r}: audio {utterance.audio_path} is missing")
    return utterance


def _stressed(indices: object, spoken: list[str], identity: str) -> tuple[str, ...]:
    if not isinstance(indices, list) or not all(type(index) is int for index in indices):
        raise InvalidRecordError(f"clip {identity!r}: gt_stress_indices must be a list of integers, got {indices!r}")
    if not indices:
        raise Dropped("no stressed word")
    for index in indices:
        if not 0 <= index < len(spoken):
            known = f"the transcription has words 0 to {len(spoken) - 1}"
            raise InvalidRecordError(f"clip {identity!r}: gt_stress_indices holds {index}, {known}")
    stressed = tuple(spoken[index].strip(_AROUND) for index in sorted(set(indices)))
    if not all(stressed):
        raise InvalidRecordError(f"clip {identity!r}: a stressed word is punctuation only")
    return stressed


def _audio(value: object, identity: str) -> str:
    path = value.get("path") if isinstance(value, Mapping) else value
    if not isinstance(path, str) or not path.strip():
        raise InvalidRecordError(f"clip {identity!r}: audio must be a path, or an object with a path")
    return path


def _voice(metadata: Any) -> str:
    """The synthesiser's voice, which is the speaker; the corpus's name where it is not said."""
    spoken = metadata.get("tts_metadata") if isinstance(metadata, Mapping) else None
    voice = spoken.get("voice_name") if isinstance(spoken, Mapping) else None
    return voice if isinstance(voice, str) and voice.strip() else NAME
