"""The queue and the store through TLS: their certificates are checked, and secrets may lie in files."""

from __future__ import annotations

import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority of our own, and a certificate of it for the loopback address."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificates")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -keyout ca.key -out ca.crt -subj /CN=authority",
        "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=127.0.0.1",
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out server.crt -extfile names",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    return folder


PROXY = """
import asyncio, ssl, sys

async def pump(reader, writer):
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()

async def serve(reader, writer):
    behind = await asyncio.open_connection("127.0.0.1", int(sys.argv[2]))
    await asyncio.gather(pump(reader, behind[1]), pump(behind[0], writer), return_exceptions=True)

async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain("server.crt", "server.key")
    await (await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), ssl=context)).serve_forever()

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def tls(services, certificates: Path) -> Iterator[dict[str, str]]:
    """The environment of the servers, behind TLS: neither of those from pip speaks it, so a proxy does."""
    queue, store = services.environment["CELERY_BROKER_URL"], services.environment["AWS_ENDPOINT_URL"]
    with ExitStack() as stack:

        def behind(name: str, url: str) -> str:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = int(probe.getsockname()[1])
            proxy = [sys.executable, "-c", PROXY, str(port), str(urlsplit(url).port)]
            command = ["sh", "-c", f"cd {certificates} && exec {shlex.join(proxy)}"]
            stack.enter_context(services.local.running(services.local.Program(name, command, certificates, port=port)))
            return f"127.0.0.1:{port}"

        yield {
            "CELERY_BROKER_URL": f"rediss://:{urlsplit(queue).password}@{behind('queue', queue)}/0",
            "AWS_ENDPOINT_URL": f"https://{behind('store', store)}",
            "REDIS_CA_CERTS": str(certificates / "ca.crt"),
            "AWS_CA_BUNDLE": str(certificates / "ca.crt"),
        }


def test_submit_and_work_through_tls(services, tls: dict[str, str], tmp_path: Path, kit) -> None:
    """With the secrets in files, as containers have them: submitted, measured by a worker, told by status."""
    root = kit.write_corpus(tmp_path / "corpus", clips=4)
    secret = tmp_path / "secret"
    secret.write_text(services.environment["AWS_SECRET_ACCESS_KEY"] + "\n")
    url = tmp_path / "url"
    url.write_text(tls["CELERY_BROKER_URL"])
    asked = tls | {"AWS_SECRET_ACCESS_KEY_FILE": str(secret), "CELERY_BROKER_URL_FILE": str(url)}
    services.environment |= asked
    del services.environment["AWS_SECRET_ACCESS_KEY"], services.environment["CELERY_BROKER_URL"]
    services.start_worker()
    submitted = services.annotator("submit", "--corpus", "manifest", "--root", str(root), "--job", "made")
    assert submitted[0] == 0, submitted[2]
    assert services.wait_for("measure")["done"] == 4


@pytest.mark.parametrize("missing", ["REDIS_CA_CERTS", "AWS_CA_BUNDLE"])
def test_an_unknown_certificate_is_refused(services, tls: dict[str, str], missing: str) -> None:
    """One clear line and status 2, and nothing of the address that holds the password."""
    status, out, err = services.annotator("status", "--job", "made", **(tls | {missing: ""}))
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert urlsplit(tls["CELERY_BROKER_URL"]).password not in err
