"""Experiment tracking with MLflow that cannot stop a run.

A training writes into its output directory what it is (`tracking.json`: parameters, code and data) and, step by step,
its metrics (`history.jsonl`). `send` brings the tracking server up to date with these files. When it cannot, it warns,
and the training goes on; what is missing is sent at the end of the run, or by `trainer stage=track out=DIR`.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, TextIO

from speech_records import atomic_write, from_json
from trainer.errors import DataSetError, TrackingError

HISTORY = "history.jsonl"
RECORD = "tracking.json"
SAMPLES = "samples.jsonl"
"""Answers of a reinforcement run, from `trainer.validation.Samples`."""
VALIDATIONS = "validation.jsonl"
"""What SFT found on validation voices, from `trainer.sft_validation`."""
EXPERIMENT = "emotionthinker"
METRICS_AT_ONCE = 1000
"""MLflow's limit for one request."""
TRACKED_POINTS = 400
"""About as many points a curve has on the tracking server; the history file has every step."""
SEND_EVERY_S = 10.0
"""Seconds between two sendings: each takes longer than a step of a small model."""
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
"""How long a server may keep a training waiting, unless the environment specifies it; MLflow's own are 7 and 120 s."""


@dataclass(frozen=True, slots=True)
class TrackingRecord:
    """One run as it is to be tracked: every `every`-th step and the last one; those up to `sent` were sent.

    `run_id` and `store` are those of the tracking server, `None` while it has not been reached.
    """

    run_name: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    every: int
    run_id: str | None = None
    store: str | None = None
    sent: int = 0


class Tracker:
    """Keeps the metrics of a run in its output directory, and sends them where a tracking store is configured.

    The command line configures one (`MLFLOW_TRACKING_URI`); without, nothing is sent. A training that goes on after
    its first `done` steps is one run with them: `kept` are their metrics. Of several processes only one `writes`.
    """

    def __init__(
        self,
        out: Path,
        *,
        run_name: str,
        steps: int,
        parameters: Mapping[str, Any],
        done: int = 0,
        writes: bool = True,
    ) -> None:
        self.out, self.every = out, max(1, steps // TRACKED_POINTS)
        self._away, self._sent_at = False, 0.0
        self._history: TextIO | None = None
        out.mkdir(parents=True, exist_ok=True)
        self.kept = history_until(out / HISTORY, done)
        if not writes:
            return
        if not done:
            given = {name: str(value) for name, value in parameters.items()}
            _write(out, TrackingRecord(run_name, given, provenance(), self.every))
        keep_until(out / HISTORY, done)
        self._history = (out / HISTORY).open("a", encoding="utf-8")
        self._send()

    def step(self, metrics: Mapping[str, float]) -> None:
        """Keep the metrics of a step, `step` among them, and now and then send those that were not sent."""
        if self._history is None:
            return
        self._history.write(json.dumps(metrics) + "\n")
        self._history.flush()
        if not self._away and time.monotonic() - self._sent_at >= SEND_EVERY_S:
            self._send()

    def close(self) -> None:
        """Send what was not sent; a second failure says which command does it later."""
        if self._history is None:
            return
        self._history.close()
        if self._send(finished=True) and self._away:
            _say("tracking server reached again: all metrics were sent")

    def _send(self, *, finished: bool = False) -> bool:
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            return False
        try:
            send(self.out, finished=finished)
        except TrackingError as error:
            then = f"send them with `trainer stage=track out={self.out}`" if finished else "training goes on"
            _say(f"warning: {error}; metrics are kept in {self.out / HISTORY}, {then}")
            self._away = True
            return False
        finally:
            self._sent_at = time.monotonic()
        return True


def send(out: Path, *, finished: bool = True) -> str:
    """Send to the tracking store what it does not have of the run in `out`; returns the id of the run there.

    Raises `DataSetError` when `out` holds no run, and `TrackingError` when the store cannot be reached or refuses.
    """
    try:
        record = from_json(TrackingRecord, (out / RECORD).read_text(encoding="utf-8"))
        history = read_history(out / HISTORY)
    except FileNotFoundError as error:
        raise DataSetError(f"{error.filename} is missing: {out} is not the output directory of a training") from error
    last = history[-1]["step"] if history and finished else 0
    try:
        due = [row for row in history if row["step"] % record.every == 0 or row["step"] == last]
        return _send(out, record, due, finished=finished)
    except Exception as error:  # a store raises MLflow's errors, SQLAlchemy's, those of requests and of the system
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise TrackingError(f"tracking failed: {reason[:200]}") from error


def _send(out: Path, record: TrackingRecord, rows: list[dict[str, float]], *, finished: bool) -> str:
    client, store = _client()
    from mlflow.entities import Metric, Param

    if record.store != store:  # another store knows nothing of this run
        record = replace(record, run_id=None, store=store, sent=0)
    if record.run_id is None:
        experiment = client.get_experiment_by_name(EXPERIMENT)
        where = _artifacts_of(store)
        number = experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT, where)
        run = client.create_run(number, run_name=record.run_name, tags=dict(record.tags))
        record = replace(record, run_id=run.info.run_id)
        _write(out, record)
    if not record.sent:
        client.log_batch(record.run_id, params=[Param(name, value) for name, value in record.parameters.items()])
    now = int(time.time() * 1000)
    due = [row for row in rows if row["step"] > record.sent]
    metrics = [Metric(key, row[key], now, int(row["step"])) for row in due for key in row if key != "step"]
    for start in range(0, len(metrics), METRICS_AT_ONCE):
        client.log_batch(record.run_id, metrics=metrics[start : start + METRICS_AT_ONCE])
    if due:
        _write(out, replace(record, sent=int(due[-1]["step"])))
    if finished:
        for name in (RECORD, SAMPLES, VALIDATIONS):
            if (out / name).is_file():
                client.log_artifact(record.run_id, str(out / name))
        client.set_terminated(record.run_id)
    return str(record.run_id)


def _artifacts_of(store: str) -> str | None:
    """Where the files of an experiment go: beside a database in a file; a server has a place of its own (`None`)."""
    scheme, _, path = store.partition(":///")
    return (Path(path).resolve().parent / "artifacts").as_uri() if scheme == "sqlite" else None


def read_history(path: Path) -> list[dict[str, float]]:
    """The metrics of every step, from a history file; a last line that was cut off, when its process died, is none."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def history_until(path: Path, done: int) -> list[dict[str, Any]]:
    """The lines of a file about steps up to `done`, of which a training that begins has none."""
    return [row for row in read_history(path) if row["step"] <= done] if done else []


def keep_until(path: Path, done: int) -> None:
    """Keep those lines alone: a training that goes on takes the steps after them again."""
    kept = history_until(path, done)
    with atomic_write(path) as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in kept)


def provenance() -> dict[str, str]:
    """Which code runs: the commit and whether it was changed, where there is a git checkout, and our versions."""
    ours = [d for d in distributions() if d.name.startswith(("emotionthinker", "torch"))]
    tags = {f"version.{d.name}": d.version for d in ours}
    try:
        commit, changed = (
            subprocess.run(  # noqa: S603 - fixed words
                ["git", "-C", str(Path(__file__).parent), *words],  # noqa: S607
                capture_output=True, text=True, check=True, timeout=10,
            ).stdout.strip()
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return tags
    return tags | {"git.commit": commit, "git.changed": str(bool(changed)).lower()}


def _client() -> tuple[Any, str]:
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    import mlflow
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):  # set by MLflow when it is imported
        logging.getLogger(name).setLevel(logging.ERROR)
    store = mlflow.get_tracking_uri()
    return MlflowClient(store), store


def _write(out: Path, record: TrackingRecord) -> None:
    with atomic_write(out / RECORD) as file:
        file.write(json.dumps(asdict(record), indent=2) + "\n")


def _say(text: str) -> None:
    sys.stderr.write(f"trainer: {text}\n")
