"""The README's code runs as it stands, and the package's names are pinned."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cotgen


def test_readme_example_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    """The expected lines are the comments under the example."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    exec(block, {})
    assert capsys.readouterr().out.splitlines() == re.findall(r"^# (.*)$", block, flags=re.MULTILINE)


def test_public_names_are_pinned() -> None:
    """What others may import; a name that leaves this list is a breaking change."""
    expected = (
        "CorpusError CotgenError GenerationError Language Style TaskError corpora generate tasks verify verify_trace"
    )
    assert set(cotgen.__all__) == set(expected.split())
    assert all(hasattr(cotgen, name) for name in cotgen.__all__)
