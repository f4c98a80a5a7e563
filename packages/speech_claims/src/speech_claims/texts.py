"""Files of texts to verify, each text with the measurements of its clip.

One JSON object a line, of either kind:

- a stored `ReasoningTrace`;
- a plain row: the text as `text` (or `cot_analysis`, as published EmotionCoT rows spell it), its clip as
  `utterance_id` or `audio_path`, and, where known, `emotion` (or `gt`) and `transcript` (or `transcription`). Other
  fields are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from speech_claims.errors import ClaimsError
from speech_claims.quotes import words
from speech_records import (
    Emotion,
    FailedItem,
    MeasuredUtterance,
    ReasoningTrace,
    SpeechRecordsError,
    from_dict,
)
from speech_records.failures import Report
from speech_records.shards import ShardReader
from speech_records.streams import MeasuredIndex

_STAGE = "verify"


def measured_texts(
    path: Path, measured: MeasuredIndex, report: Report
) -> Iterator[tuple[ReasoningTrace, MeasuredUtterance]]:
    """The texts of a file or of its shards, each with the measurements of its clip.

    A line that is neither kind, a text without measurements, and a row whose transcript is not that of the measured
    clip are reported and left out.
    """
    with ShardReader(path) as lines:
        for where, _, raw in lines:
            try:
                yield _matched(_object(raw), measured)
            except (SpeechRecordsError, ClaimsError) as error:
                report(FailedItem.of(where, _STAGE, error))


def _object(raw: bytes) -> dict[str, Any]:
    try:
        data = json.loads(raw.decode())
    except (ValueError, RecursionError) as error:
        raise ClaimsError(f"the line is not JSON in UTF-8: {error}") from error
    if not isinstance(data, dict):
        raise ClaimsError(f"a JSON object is needed, got {type(data).__name__}")
    return data


def _matched(data: dict[str, Any], measured: MeasuredIndex) -> tuple[ReasoningTrace, MeasuredUtterance]:
    if "think" in data:
        trace = from_dict(ReasoningTrace, data)
        item = measured.by_id(trace.utterance_id)
        if item is None:
            raise ClaimsError(f"utterance {trace.utterance_id!r}: no measured utterance has this id")
        return trace, item
    text = _first(data, "text", "cot_analysis")
    if text is None:
        raise ClaimsError("the line holds no text: it needs the field text, cot_analysis or (of a trace) think")
    item = _clip(data, measured)
    return ReasoningTrace(item.utterance.utterance_id, text, _emotion(data, item), generator="unknown"), item


def _clip(data: Mapping[str, Any], measured: MeasuredIndex) -> MeasuredUtterance:
    name, path = _first(data, "utterance_id"), _first(data, "audio_path")
    if name is None and path is None:
        raise ClaimsError("the line names no clip: it needs utterance_id or audio_path")
    item = measured.by_id(name) if name is not None else measured.by_audio(path or "")
    if item is None:
        found = f"no measured utterance has this {'utterance_id' if name is not None else 'audio_path'}"
        raise ClaimsError(f"{name or path}: {found}{'' if name is not None else ', or several are parts of that file'}")
    said, spoken = _first(data, "transcript", "transcription"), item.utterance.transcript
    if said and spoken and words(said) != words(spoken):
        raise ClaimsError(f"{name or path}: profile of another utterance: {said!r} was measured as {spoken!r}")
    return item


def _emotion(data: Mapping[str, Any], item: MeasuredUtterance) -> Emotion:
    label = _first(data, "emotion", "gt")
    emotion = item.utterance.emotion if label is None else Emotion.parse(label)
    if emotion is None:
        name = item.utterance.utterance_id
        raise ClaimsError(f"utterance {name!r}: neither the line nor its measured utterance names an emotion")
    return emotion


def _first(data: Mapping[str, Any], *names: str) -> str | None:
    """The first of the fields that is there; `ClaimsError` where it is not a text."""
    for name in names:
        value = data.get(name)
        if value is not None:
            if not isinstance(value, str):
                raise ClaimsError(f"{name} must be a text, got {type(value).__name__}")
            return value
    return None
