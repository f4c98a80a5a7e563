"""What tests across packages share."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from contextlib import chdir, redirect_stderr
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import pytest

from trainer.cli import compose_and_run


@pytest.fixture(scope="session")
def run_stage() -> Callable[..., str]:
    """What the command `trainer` does in `cwd`, in this process, which has imported everything; what it says on stderr.
    Its status must be `expect`.
    """

    def run(*words: str, cwd: Path, expect: int = 0) -> str:
        (cwd / "runs").mkdir(exist_ok=True)
        tracked = {"MLFLOW_TRACKING_URI": f"sqlite:///{cwd / 'runs' / 'mlflow.db'}"}
        said = StringIO()
        with chdir(cwd), patch.dict(os.environ, tracked), redirect_stderr(said), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Lightning, about itself
            status = compose_and_run(list(words))
        assert status == expect, said.getvalue()
        return said.getvalue()

    return run
