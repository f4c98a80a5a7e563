"""The README's code runs as it is printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


def test_readme_example_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    """The expected lines are the comments under the example."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    block, *_ = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    exec(block, {})
    assert capsys.readouterr().out.splitlines() == re.findall(r"^# (.*)$", block, flags=re.MULTILINE)
