"""Shards as Parquet, for those who train from columns: one row for each trace, its claims as a list of structs.

The rows hold the published EmotionCoT fields, the trace's own, and what places a clip (corpus, speaker, split). Text is
UTF-8: bytes of a file name that are not are escaped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cotgen.errors import CotgenError
from speech_corpora import emotioncot
from speech_records import MeasuredUtterance, ReasoningTrace, atomic_path, to_dict
from speech_records.files import escape_surrogates

_GROUP_ROWS = 1024
"""Rows that are held at once while a file is written."""
_PLACE = ("utterance_id", "corpus", "speaker_id", "split", "language", "start_s", "end_s", "channel")


@contextmanager
def writer(path: Path) -> Iterator[Callable[[MeasuredUtterance, ReasoningTrace], None]]:
    """What writes a row into the Parquet file `path`, which takes its place when it is whole; equal rows, equal bytes.

    Raises `CotgenError` when pyarrow is not installed.
    """
    pa, pq = _arrow()
    group: list[dict[str, Any]] = []
    schema = _schema(pa)
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as file:

        def flush() -> None:
            if group:
                file.write_table(pa.Table.from_pylist(group, schema=schema))
                group.clear()

        def add(measured: MeasuredUtterance, trace: ReasoningTrace) -> None:
            group.append(row(measured, trace))
            if len(group) == _GROUP_ROWS:
                flush()

        yield add
        flush()


def row(measured: MeasuredUtterance, trace: ReasoningTrace) -> dict[str, Any]:
    """The columns of one trace."""
    published: dict[str, Any] = json.loads(emotioncot.to_line(emotioncot.from_trace(measured, trace)))
    published["audio_path"] = escape_surrogates(published["audio_path"])
    stored = to_dict(trace)
    utterance = measured.utterance
    place = {name: getattr(utterance, name) for name in _PLACE}
    own = {name: stored[name] for name in ("generator", "seed", "claims")}
    synthetic = utterance.synthetic or trace.synthetic
    return place | published | own | {"synthetic": synthetic, "audio_sha256": measured.audio_sha256}


def _schema(pa: Any) -> Any:
    text, number = pa.string(), pa.float64()
    claim = pa.struct(
        [("start", pa.int32()), ("end", pa.int32())]
        + [(name, text) for name in ("text", "cue", "value", "verdict", "measured", "degree")]
        + [("hedged", pa.bool_())]
    )
    columns = [("utterance_id", text), ("corpus", text), ("speaker_id", text), ("split", text), ("language", text)]
    columns += [("start_s", number), ("end_s", number), ("channel", pa.int32())]
    columns += [("audio_path", text), ("audio_sha256", text)]
    columns += [(name, text) for name in ("transcription", "emotion", "pitch_level", "energy_level", "speed_level")]
    columns += [("stressed_words", pa.list_(text)), ("intonation", text), ("gender", text), ("age_level", text)]
    columns += [("cot_analysis", text), ("generator", text), ("seed", pa.int64()), ("claims", pa.list_(claim))]
    return pa.schema([*columns, ("synthetic", pa.bool_())])


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise CotgenError("Parquet needs pyarrow: pip install 'emotionthinker-cotgen[parquet]'") from None
    return pa, pq
