"""The last files of a data set: its card, and `dataset.json`, which vouches for all others."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cotgen.dataset import card
from cotgen.dataset.checks import RowChecks
from cotgen.dataset.reading import DESCRIPTION, SCHEMA_VERSION, UNLABELLED
from speech_records import FailedItem, atomic_write, file_sha256

_VERSIONS = ("cotgen", "speech-claims", "speech-records")


def describe(
    out: Path,
    asked: Mapping[str, Any],
    checks: RowChecks,
    *,
    tally: card.Tally,
    errors: Mapping[str, int],
    examples: Mapping[str, int],
    files: Mapping[str, str],
    names: Iterable[str],
) -> None:
    """Write the card and `dataset.json` of the data set in `out`.

    `asked` is what decided it; where that names no corpus, the corpora of the rows do. `tally` counts rows, `errors`
    failed items by error, `examples` training examples by task. `files` are known hashes; `names` are the files that
    have none yet, the card's own among them.
    """
    left_out = sum(errors.values())
    described = card.describe(tally, {**asked, "left_out": left_out, **checks.found()})
    _write(out / "CARD.md", card.markdown(described))
    _write(out / "card.json", json.dumps(described, indent=1, ensure_ascii=False) + "\n")
    hashes = {name: file_sha256(out / name) for name in names}
    unlabelled = card.values(tally, UNLABELLED)
    counts = {
        "utterances": described["rows"],
        "splits": {split: found["rows"] for split, found in described["splits"].items()},
        "emotions": described["labels"],
        "claims": described["claims"],
        **({UNLABELLED: unlabelled} if unlabelled else {}),
        "sft_examples": dict(sorted(examples.items())),
        "failed": left_out,
        "failed_by_error": dict(sorted(errors.items())),
    }
    corpus = asked["corpus"] or "+".join(described["corpora"])
    synthetic = described["synthetic_rows"] > 0
    index = {"schema_version": SCHEMA_VERSION, **asked, "corpus": corpus, "synthetic": synthetic}
    index |= {"counts": counts, "files": {**files, **hashes}}
    _write(out / DESCRIPTION, json.dumps(index, indent=1, ensure_ascii=False) + "\n")


def failed_line(failed: FailedItem) -> str:
    """A failed item as a line of `errors.jsonl`, without its end."""
    return json.dumps(asdict(failed), ensure_ascii=False)


def installed_versions() -> dict[str, str]:
    """The releases that write here; `uninstalled` for code from a source tree that pip does not know."""
    return {name: installed_version(f"emotionthinker-{name}") for name in _VERSIONS}


def installed_version(distribution: str) -> str:
    """The release that runs here; `uninstalled` for code from a source tree that pip does not know."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "uninstalled"


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as file:
        file.write(text)
