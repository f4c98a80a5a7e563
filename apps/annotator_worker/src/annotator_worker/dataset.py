"""The annotated data set: a folder of files that a person can open, the same bytes from the same input.

```
utterances.jsonl   Utterance               measured.jsonl   MeasuredUtterance, with levels
scale.json         LevelScale              traces.jsonl     ReasoningTrace, with verified claims
emotioncot.jsonl   the published form      sft.jsonl        SFTExample (comparative ones name a clip of this folder)
comparative/*.flac the clips themselves    errors.jsonl     DeadLetter
duplicates.jsonl   near-duplicates         card.json, CARD.md  the data card, as `cotgen build` writes it
dataset.json       what was asked for, versions, counts, SHA-256 of every file
```

Utterances, measurements and traces are sorted by utterance id and speak of the same utterances: one that failed at any
stage is in `errors.jsonl` only.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotator_worker.errors import UnusableInputError
from annotator_worker.pipeline import verify
from annotator_worker.records import ComparativePlan, DeadLetter, JobSpec, Stage, digest
from cotgen import tasks
from cotgen.dataset import card
from cotgen.dataset.checks import RowChecks
from prosody import LevelScale
from speech_corpora import emotioncot
from speech_records import (
    LABEL_SETS,
    MeasuredUtterance,
    ReasoningTrace,
    SpeechRecordsError,
    Verdict,
    file_sha256,
    read_jsonl,
    to_dict,
    to_json,
    write_jsonl,
)

INDEX = "dataset.json"


@dataclass(frozen=True, slots=True)
class Annotation:
    """Everything a data set is written from. `plans` name clips that lie in the folder's `comparative/` already."""

    spec: JobSpec
    measured: Sequence[MeasuredUtterance]
    scale: LevelScale
    traces: Sequence[ReasoningTrace]
    plans: Sequence[ComparativePlan]
    dead_letters: Sequence[DeadLetter]


@dataclass(frozen=True, slots=True)
class Summary:
    """What is in a data set: see `dataset.json`."""

    folder: Path
    index: Mapping[str, Any]

    @property
    def dead_letters(self) -> int:
        """How many inputs failed."""
        return int(self.index["counts"]["dead_letters"])


def write(out: Path, annotation: Annotation) -> Summary:
    """Write the data set into `out`; `dataset.json` comes last, so a folder that has one is whole."""
    traces = sorted(annotation.traces, key=lambda t: t.utterance_id)
    kept = {t.utterance_id for t in traces}
    measured = sorted(
        (m for m in annotation.measured if m.utterance.utterance_id in kept), key=lambda m: m.utterance.utterance_id
    )
    clips = [p.clip for p in annotation.plans if p.utterance.utterance_id in kept]
    spec = annotation.spec
    examples = tasks.build(
        measured,
        traces,
        label_set=LABEL_SETS[spec.label_set],
        reasoning_question=spec.question,
        seed=spec.seed,
        comparative=clips,
    )
    letters = sorted(annotation.dead_letters, key=lambda d: (d.where, d.stage, d.message))
    (out / INDEX).unlink(missing_ok=True)
    write_jsonl(out / "utterances.jsonl", (m.utterance for m in measured))
    write_jsonl(out / "measured.jsonl", measured)
    annotation.scale.save(out / "scale.json")
    write_jsonl(out / "traces.jsonl", traces)
    emotioncot.write(
        out / "emotioncot.jsonl",
        [emotioncot.from_trace(m, t) for m, t in zip(measured, traces, strict=True)],
    )
    write_jsonl(out / "sft.jsonl", examples)
    write_jsonl(out / "errors.jsonl", letters)
    _write_card(out, spec, list(zip(measured, traces, strict=True)), left_out=len(letters))
    _drop_other_clips(out, {clip.audio_path for clip in clips})
    index = {
        **to_dict(spec),
        "synthetic": any(m.utterance.synthetic for m in measured),
        "inputs": fingerprint(annotation),
        "counts": _counts(measured, traces, examples, letters),
        "files": {name: file_sha256(out / name) for name in _files(clips)},
    }
    _write_text(out / INDEX, json.dumps(index, indent=1, ensure_ascii=False) + "\n")
    return Summary(out, index)


def fingerprint(annotation: Annotation) -> str:
    """What the data set depends on, before reasoning: the spec, the measurements, the clips, the failures so far."""
    return digest([
        to_json(annotation.spec),
        annotation.scale.hash,
        *sorted(to_json(m) for m in annotation.measured),
        *(p.clip_id for p in annotation.plans),
        *sorted(to_json(d) for d in annotation.dead_letters if d.stage in (Stage.LIST, Stage.MEASURE)),
    ])  # fmt: skip


def read_summary(out: Path) -> Summary | None:
    """The summary of a data set that is whole: `dataset.json` is there and every file has the SHA-256 it names."""
    try:
        index = json.loads((out / INDEX).read_text(encoding="utf-8"))
        whole = all(file_sha256(out / name) == sha256 for name, sha256 in index["files"].items())
        return Summary(out, index) if whole and index["counts"]["dead_letters"] >= 0 else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def check(out: Path) -> Counter[Verdict]:
    """Hold a data set against itself: file hashes, then every claim of every trace; the verdicts, counted.

    Raises `UnusableInputError` for a folder that is no whole data set, `ContradictedTraceError` for a trace that its
    measurements contradict.
    """
    if read_summary(out) is None:
        raise UnusableInputError(f"{out}: no {INDEX}, or a file differs from the SHA-256 that it names")
    verdicts: Counter[Verdict] = Counter()
    try:
        measured = {m.utterance.utterance_id: m for m in read_jsonl(out / "measured.jsonl", MeasuredUtterance)}
        for trace in read_jsonl(out / "traces.jsonl", ReasoningTrace):
            verified = verify(measured[trace.utterance_id], trace)
            verdicts.update(claim.verdict for claim in verified.claims)
    except (KeyError, SpeechRecordsError) as error:
        raise UnusableInputError(f"{out}: {error}") from error
    return verdicts


def _write_card(
    out: Path, spec: JobSpec, rows: Sequence[tuple[MeasuredUtterance, ReasoningTrace]], *, left_out: int
) -> None:
    """The data card of `rows`, and the near-duplicates among them."""
    with closing(sqlite3.connect(":memory:")) as db:
        checks = RowChecks(db)
        for measured, trace in rows:
            checks.learn(measured, trace)
        _write_text(out / "duplicates.jsonl", "".join(f"{record}\n" for record in checks.duplicates()))
        more = {
            "dropped": {d.reason: d.count for d in spec.dropped},
            "left_out": left_out,
            "options": {"label_set": spec.label_set, "seed": spec.seed, "style": spec.style, "limit": spec.limit},
            "versions": to_dict(spec.versions),
            **checks.found(),
        }
        described = card.describe(checks.tally, more)
    _write_text(out / "card.json", json.dumps(described, indent=1, ensure_ascii=False) + "\n")
    _write_text(out / "CARD.md", card.markdown(described))


def _counts(
    measured: Sequence[MeasuredUtterance],
    traces: Sequence[ReasoningTrace],
    examples: Iterable[tasks.SFTExample],
    letters: Sequence[DeadLetter],
) -> dict[str, Any]:
    claims = Counter(claim.verdict.value for trace in traces for claim in trace.claims)
    return {
        "utterances": len(measured),
        "splits": _sorted(Counter(m.utterance.split or "none" for m in measured)),
        "emotions": _sorted(Counter(t.answer.value for t in traces)),
        "claims": _sorted(claims),
        "sft_examples": _sorted(Counter(e.task.value for e in examples)),
        "dead_letters": len(letters),
        "dead_letters_by_error": _sorted(Counter(d.error for d in letters)),
    }


def _sorted(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items()))


def _files(clips: Iterable[tasks.ComparativeClip]) -> list[str]:
    texts = ["utterances", "measured", "traces", "emotioncot", "sft", "errors", "duplicates"]
    others = ["scale.json", "card.json", "CARD.md"]
    return [f"{name}.jsonl" for name in texts] + others + [clip.audio_path for clip in clips]


def _drop_other_clips(out: Path, wanted: set[str]) -> None:
    """Remove clips of an earlier annotation with other options from the same folder."""
    for path in (out / "comparative").glob("comparative-*.flac"):
        if path.relative_to(out).as_posix() not in wanted:
            path.unlink()


def _write_text(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
