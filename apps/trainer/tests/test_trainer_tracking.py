"""Tracking: what a store must hold afterwards, with real stores: SQLite, MLflow's own server, and a closed port."""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trainer.errors import DataSetError, TrackingError
from trainer.tracking import HISTORY, RECORD, SAMPLES, Tracker, read_history, send

pytestmark = [
    pytest.mark.slow,  # MLflow makes its tables
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
]
PARAMETERS = {"learning_rate": 0.001, "data_sha256": "ab" * 32, "schedule.window": 4}


def run_of(uri: str, run_id: str) -> tuple[dict[str, str], dict[str, str], list[tuple[int, float]], str]:
    """Parameters, tags, the points of `loss`, and the status of a run."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri)
    run = client.get_run(run_id)
    points = sorted((m.step, m.value) for m in client.get_metric_history(run_id, "loss"))
    return dict(run.data.params), dict(run.data.tags), points, run.info.status


def record(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / RECORD).read_text())
    return found


def test_a_store_gets_parameters_code_data_and_every_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three steps of three: three points, the parameters as text, the commit of this checkout; the record and the
    samples as files beside the store."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    tracker = Tracker(tmp_path / "out", run_name="sft", steps=3, parameters=PARAMETERS)
    for step in (1, 2, 3):
        tracker.step({"step": step, "loss": 1.0 / step})
    (tmp_path / "out" / SAMPLES).write_text('{"step": 1, "text": "It is sad."}\n')
    tracker.close()
    run_id = record(tmp_path / "out")["run_id"]
    parameters, tags, points, status = run_of(uri, run_id)
    stored = {path.name: path.read_bytes() for path in (tmp_path / "artifacts" / run_id).rglob("*") if path.is_file()}
    assert stored == {name: (tmp_path / "out" / name).read_bytes() for name in (RECORD, SAMPLES)}
    assert parameters == {"learning_rate": "0.001", "data_sha256": "ab" * 32, "schedule.window": "4"}
    assert points == [(1, 1.0), (2, 0.5), (3, 1.0 / 3)]
    assert status == "FINISHED"
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    if head.returncode == 0:
        assert tags["git.commit"] == head.stdout.strip()
    assert "version.torch" in tags


def test_metrics_are_sent_at_intervals_and_all_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within an interval nothing is sent; with none every step is, with those before it."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    tracker = Tracker(tmp_path / "out", run_name="sft", steps=3, parameters=PARAMETERS)
    monkeypatch.setattr("trainer.tracking.SEND_EVERY_S", math.inf)
    tracker.step({"step": 1, "loss": 1.0})
    assert record(tmp_path / "out")["sent"] == 0
    monkeypatch.setattr("trainer.tracking.SEND_EVERY_S", 0.0)
    tracker.step({"step": 2, "loss": 0.5})
    assert record(tmp_path / "out")["sent"] == 2
    monkeypatch.setattr("trainer.tracking.SEND_EVERY_S", math.inf)
    tracker.step({"step": 3, "loss": 0.25})
    tracker.close()
    assert run_of(uri, record(tmp_path / "out")["run_id"])[2] == [(1, 1.0), (2, 0.5), (3, 0.25)]


def test_an_unreachable_server_costs_a_warning_and_is_caught_up_with_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Port 9 is closed: two lines (at the start and at the end), all metrics in the file; then they are sent."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    out = tmp_path / "out"
    tracker = Tracker(out, run_name="sft", steps=2, parameters=PARAMETERS)
    tracker.step({"step": 1, "loss": 1.0})
    tracker.step({"step": 2, "loss": 0.5})
    tracker.close()
    first, last = capsys.readouterr().err.splitlines()
    assert "warning: tracking failed" in first
    assert "training goes on" in first
    assert f"`trainer stage=track out={out}`" in last
    assert [row["loss"] for row in read_history(out / HISTORY)] == [1.0, 0.5]
    with pytest.raises(TrackingError, match="tracking failed"):
        send(out)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    run_id = send(out)
    assert run_of(uri, run_id)[2] == [(1, 1.0), (2, 0.5)]
    assert send(out) == run_id  # nothing is sent twice
    assert run_of(uri, run_id)[2] == [(1, 1.0), (2, 0.5)]


def test_a_folder_without_a_training_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="is not the output directory of a training"):
        send(tmp_path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """MLflow's own server on a free port, with a store of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = start_server(tmp_path, port)
    yield f"http://127.0.0.1:{port}", process
    stop(process)


def start_server(folder: Path, port: int) -> subprocess.Popen[bytes]:
    store = f"sqlite:///{folder}/server.db"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store, "--port", str(port)]
    command += ["--host", "127.0.0.1", "--workers", "1", "--artifacts-destination", str(folder / "artifacts")]
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.5)
    stop(process)
    pytest.fail("MLflow's server did not start within two minutes")


def stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.service
def test_a_server_that_dies_in_mid_run_and_comes_back(
    tmp_path: Path,
    server: tuple[str, subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It holds step 1, is killed, misses steps 2 and 3, and gets them at the end of the run, each once."""
    uri, process = server
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    monkeypatch.setattr("trainer.tracking.SEND_EVERY_S", 0.0)
    tracker = Tracker(tmp_path / "out", run_name="sft", steps=3, parameters=PARAMETERS)
    tracker.step({"step": 1, "loss": 1.0})
    assert record(tmp_path / "out")["sent"] == 1
    stop(process)
    tracker.step({"step": 2, "loss": 0.5})
    tracker.step({"step": 3, "loss": 0.25})
    again = start_server(tmp_path, int(uri.rpartition(":")[2]))
    try:
        tracker.close()
        said = capsys.readouterr().err.splitlines()
        assert "training goes on" in said[0]
        assert "all metrics were sent" in said[-1]
        run = record(tmp_path / "out")
        parameters, _, points, status = run_of(uri, run["run_id"])
        assert points == [(1, 1.0), (2, 0.5), (3, 0.25)]
        assert (len(parameters), status) == (3, "FINISHED")
    finally:
        stop(again)
