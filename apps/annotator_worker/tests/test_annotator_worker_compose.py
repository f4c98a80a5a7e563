"""The compose file and the image of the worker, as far as they can be held to account without Docker."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
COMPOSE = ROOT / "infra" / "compose" / "compose.yaml"
DOCKERFILE = Path(__file__).parents[1] / "Dockerfile"

pytestmark = pytest.mark.skipif(not COMPOSE.is_file(), reason="infra/compose is not part of this installation")


def test_compose_file_fits_the_compose_specification() -> None:
    """Against the schema of compose-spec that check-jsonschema carries."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_secrets_have_no_default_and_ports_stay_on_loopback() -> None:
    """`${NAME:?…}` makes compose refuse to start without the secret; `${NAME:-…}` would be a default."""
    text = COMPOSE.read_text()
    secret_uses = re.findall(r"\$\{\w+_(?:PASSWORD|KEY)([^}]*)\}", text)
    assert secret_uses
    assert all(use.startswith(":?") for use in secret_uses)
    published = re.findall(r'"([\d.:]+:\d+)"', text)
    assert len(published) == 4
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_dockerfile_copies_what_is_there() -> None:
    """Every source of a COPY exists, and is let through by the ignore file."""
    sources = re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE.read_text(), flags=re.MULTILINE)
    allowed = re.findall(r"^!(\S+)$", DOCKERFILE.with_name("Dockerfile.dockerignore").read_text(), flags=re.MULTILINE)
    assert sorted(sources) == sorted(allowed)
    assert [source for source in sources if not (ROOT / source).exists()] == []
