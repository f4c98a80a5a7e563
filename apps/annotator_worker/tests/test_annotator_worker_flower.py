"""Flower shows workers and tasks, to those who know its password."""

from __future__ import annotations

import base64
import json
import re
import socket
import sys
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

pytestmark = pytest.mark.service
SECRET = "flower:only-for-this-test"


def test_flower_lists_workers_and_tasks(services, tmp_path: Path, kit) -> None:
    """One worker and the one batch of three clips, with nothing in it but the batch's name; 401 without password."""
    pytest.importorskip("flower")
    root = kit.write_corpus(tmp_path / "corpus", clips=3)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "annotator_worker",
        "flower",
        "--address=127.0.0.1",
        f"--port={port}",
    ]
    environment = services.environment | {"FLOWER_BASIC_AUTH": SECRET}

    def ask(path: str, **headers: str) -> Any:
        with urlopen(Request(f"http://127.0.0.1:{port}{path}", headers=headers), timeout=60) as answer:
            return json.loads(answer.read())

    with services.local.running(services.local.Program("flower", command, tmp_path, environment, port=port)) as flower:
        services.start_worker()
        assert services.annotator("submit", str(root / "manifest.jsonl"))[0] == 0
        assert services.wait_for("measure", "annotation")["done"] == 3
        with pytest.raises(HTTPError, match="401"):
            ask("/api/tasks")
        known = {"Authorization": "Basic " + base64.b64encode(SECRET.encode()).decode()}
        end = time.monotonic() + 120
        while "SUCCESS" not in {task["state"] for task in ask("/api/tasks", **known).values()}:
            assert time.monotonic() < end, flower.log.read_text()[-2000:]
            time.sleep(0.5)
        (task,) = ask("/api/tasks", **known).values()
        (worker,) = ask("/api/workers?refresh=1", **known)
    assert task["name"] == "annotator_worker.tasks.annotate"
    assert re.fullmatch(r"\(\w{32}/0-3,\)", task["args"])
    assert task["worker"] == worker
    assert services.environment["AWS_SECRET_ACCESS_KEY"] not in json.dumps(task) + flower.log.read_text()
