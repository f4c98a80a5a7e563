"""One table over corpora: every policy on the test clips of each, those of the paper's four that are absent said.

```
OUT/NAME/          the evaluation on that corpus (`trainer.evaluate`)
OUT/corpora.json   accuracy and UAR of every policy on every corpus
OUT/corpora.md     the table, beside the paper's
```
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from speech_records import atomic_write
from trainer.errors import ConfigError
from trainer.settings import CorporaStage

TABLE, RESULT = "corpora.md", "corpora.json"
PAPER = {"iemocap": 77.68, "meld": 59.71, "ravdess": 71.56, "savee": 73.96}
"""EmotionThinker's accuracy in per cent, as the paper reports it."""


def run_corpora(settings: CorporaStage, run: Callable[[str, Mapping[str, Any]], None]) -> str:
    """Evaluate on every corpus that is given, with `run` for a stage by name and settings; the table, also written."""
    out = Path(settings.out)
    given = {name: folder for name, folder in settings.corpora.items() if folder is not None}
    if not given or not any(settings.policies.values()):
        raise ConfigError("stage corpora needs corpora.NAME=DIR and policies.NAME=DIR, one at least of each")
    for name, folder in given.items():
        if not Path(folder).is_dir():
            raise ConfigError(f"corpora.{name}={folder} is not a folder: give an annotated data set, or null")
    results: dict[str, dict[str, dict[str, float]]] = {}
    shared: dict[str, Any] = {"policies": dict(settings.policies), "model": dict(settings.model)}
    shared |= {"workers": settings.workers, "seed": settings.seed}
    for name, folder in given.items():
        run("evaluate", shared | dict(settings.evaluate) | {"data": folder, "out": str(out / name)})
        found = json.loads((out / name / "evaluation.json").read_text(encoding="utf-8"))
        results[name] = {policy["name"]: _measures(policy["evaluation"]) for policy in found["policies"]}
    text = table(results, absent=[name for name, folder in settings.corpora.items() if folder is None])
    for file_name, content in ((RESULT, json.dumps(results, indent=2)), (TABLE, text)):
        with atomic_write(out / file_name) as file:
            file.write(content + "\n")
    return text


def _measures(evaluation: Mapping[str, Any]) -> dict[str, float]:
    return {name: evaluation[name]["value"] for name in ("accuracy", "unweighted_average_recall")} | {
        "clips": evaluation["clips"]
    }


def table(results: Mapping[str, Mapping[str, Mapping[str, float]]], *, absent: list[str]) -> str:
    """Accuracy (UAR) in per cent, a row for each policy; `absent` corpora have empty columns and are named below.

    >>> found = {"ravdess": {"sft": {"accuracy": 0.5, "unweighted_average_recall": 0.45, "clips": 240}}}
    >>> print(table(found, absent=["savee"]))
    | accuracy (UAR), % | ravdess, 240 clips | savee | mean of those here |
    |---|---|---|---|
    | sft | 50.0 (45.0) | absent | 50.0 |
    | EmotionThinker, as the paper reports it | 71.56 | 73.96 | 71.56 |
    <BLANKLINE>
    Not scored, because no data set was given: savee.
    """
    policies = list(dict.fromkeys(name for row in results.values() for name in row))
    heads = [f"{name}, {int(next(iter(row.values()))['clips'])} clips" for name, row in results.items()]
    lines = [f"| accuracy (UAR), % | {' | '.join([*heads, *absent, 'mean of those here'])} |"]
    lines.append("|---" * (len(heads) + len(absent) + 2) + "|")
    for policy in policies:
        cells = [_cell(row[policy]) for row in results.values()]
        mean = fmean(100 * row[policy]["accuracy"] for row in results.values())
        lines.append(f"| {policy} | {' | '.join([*cells, *['absent'] * len(absent), f'{mean:.1f}'])} |")
    known = [PAPER[name] for name in results if name in PAPER]
    cells = [f"{PAPER[name]:.2f}" if name in PAPER else "–" for name in (*results, *absent)]
    cells.append(f"{fmean(known):.2f}" if known else "–")
    lines.append(f"| EmotionThinker, as the paper reports it | {' | '.join(cells)} |")
    if absent:
        lines += ["", f"Not scored, because no data set was given: {', '.join(absent)}."]
    return "\n".join(lines)


def _cell(measures: Mapping[str, float]) -> str:
    return f"{100 * measures['accuracy']:.1f} ({100 * measures['unweighted_average_recall']:.1f})"
