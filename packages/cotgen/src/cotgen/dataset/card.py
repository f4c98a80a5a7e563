"""The data card: what a data set holds, as numbers for machines (`card.json`) and as a page (`CARD.md`).

Everything is counted in whole numbers under keys, so that counts of shards add up to the same card in any order.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from speech_corpora.registry import CORPORA, NOT_RECORDED
from speech_records import MeasuredUtterance, ReasoningTrace

Tally = Counter[tuple[str, ...]]
"""Counts under (what, split or corpus, value)."""

NO_SPLIT = "none"


def count(measured: MeasuredUtterance, trace: ReasoningTrace) -> Tally:
    """What one row adds to a card. Durations are in milliseconds."""
    utterance, levels = measured.utterance, measured.levels
    split = utterance.split or NO_SPLIT
    tally: Tally = Counter()
    tally["rows", split] += 1
    tally["duration_ms", split] += round(measured.profile.duration_s * 1000)
    tally["label", split, trace.answer.value] += 1
    tally["answer", trace.answer.value] += 1
    for name in ("pitch", "energy", "rate"):
        reading = getattr(levels, name) if levels else None
        tally[name, split, reading.level.value if reading else "unknown"] += 1
    tally["corpus", utterance.corpus] += 1
    tally["generator", trace.generator] += 1
    tally["scale", f"{levels.scale} {levels.scale_hash}" if levels else "none"] += 1
    tally["synthetic", str(utterance.synthetic or trace.synthetic).lower()] += 1
    for claim in trace.claims:
        tally["claims", claim.verdict.value] += 1
    return tally


def happened(counts: Mapping[str, int]) -> Tally:
    """What a generator counted on the way, kept or not: candidates by what became of them, and what they used."""
    return Counter({("generation", name): n for name, n in counts.items()})


def dump(tally: Tally) -> str:
    """The tally as JSON, to be kept; `load` reads it."""
    return json.dumps(sorted([*key, n] for key, n in tally.items()))


def load(text: str) -> Tally:
    """What `dump` wrote."""
    return Counter({tuple(row[:-1]): row[-1] for row in json.loads(text)})


def describe(tally: Tally, more: Mapping[str, Any]) -> dict[str, Any]:
    """The card's numbers, followed by what only the caller knows (`more`: input, files, seeds, checks)."""
    splits = {
        split: {
            "rows": tally["rows", split],
            "hours": round(tally["duration_ms", split] / 3_600_000, 4),
            "labels": values(tally, "label", split),
            "levels": {name: values(tally, name, split) for name in ("pitch", "energy", "rate")},
        }
        for split in values(tally, "rows")
    }
    generation = values(tally, "generation")
    return {
        "schema_version": "2.0",
        "rows": sum(values(tally, "rows").values()),
        "hours": round(sum(values(tally, "duration_ms").values()) / 3_600_000, 4),
        "synthetic_rows": tally["synthetic", "true"],
        "labels": values(tally, "answer"),
        "splits": splits,
        "corpora": {name: {"rows": n, **_origin(name)} for name, n in values(tally, "corpus").items()},
        "generators": values(tally, "generator"),
        "scales": values(tally, "scale"),
        "claims": values(tally, "claims"),
        **({"generation": generation} if generation else {}),
        **more,
    }


def markdown(card: Mapping[str, Any]) -> str:
    """The card as a page to read."""
    lines = ["# Data card", "", f"{card['rows']} rows, {card['hours']} hours, {card['synthetic_rows']} synthetic.", ""]
    for split, found in card["splits"].items():
        lines += [f"## Split {split}", "", f"{found['rows']} rows, {found['hours']} hours.", ""]
        lines += ["| | |", "|---|---|", f"| labels | {_listed(found['labels'])} |"]
        lines += [f"| {name} | {_listed(values)} |" for name, values in found["levels"].items()] + [""]
    lines += ["## Origin", ""]
    for name, corpus in card["corpora"].items():
        lines.append(f"- {_cell(name)}: {corpus['rows']} rows, licence {corpus['licence']}, source {corpus['source']}")
    for title in ("generators", "scales", "claims"):
        lines.append(f"- {title}: {_listed(card[title])}")
    for title in sorted(set(card) - _TABLED):
        lines += ["", f"## {title.replace('_', ' ').capitalize()}", ""]
        lines += ["```json", json.dumps(card[title], indent=1, ensure_ascii=False), "```"]
    return "\n".join(lines) + "\n"


_TABLED = {
    "schema_version", "rows", "hours", "synthetic_rows", "splits", "corpora", "generators", "scales",
    "claims", "labels",
}  # fmt: skip


def values(tally: Tally, *head: str) -> dict[str, int]:
    """The counts under `head`, by value."""
    depth = len(head)
    return {key[depth]: n for key, n in sorted(tally.items()) if key[:depth] == head and len(key) == depth + 1}


def _origin(name: str) -> dict[str, str]:
    known = CORPORA.get(name)
    return {
        "licence": known.licence if known else NOT_RECORDED,
        "source": known.source if known else NOT_RECORDED,
    }


def _listed(values: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {_cell(name)}" for name, n in values.items()) or "none"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())
