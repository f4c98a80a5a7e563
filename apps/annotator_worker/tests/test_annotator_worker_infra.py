"""Compose file, Kubernetes manifests, dashboard and image, as far as they can be tested without Docker."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from annotator_worker.metrics import LedgerCollector

ROOT = Path(__file__).parents[3]
INFRA = ROOT / "infra"
COMPOSE = INFRA / "compose" / "compose.yaml"
MANIFESTS = sorted((INFRA / "kubernetes").glob("*.yaml"))
DOCKERFILE = Path(__file__).parents[1] / "Dockerfile"
ONCE = {"bucket"}
"""Services that do one thing and end."""

pytestmark = pytest.mark.skipif(not COMPOSE.is_file(), reason="infra is not part of this installation")


class Counters:
    """What the exporter asks a ledger for."""

    def totals(self) -> dict[str, int]:
        return {"items": 12, "deaths": 1}

    def by_worker(self) -> dict[str, int]:
        return {"here": 12}

    def queued(self, queue: str) -> int:
        return 3


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


def pods() -> list[tuple[str, dict[str, Any]]]:
    """Every pod that the manifests start, by its name."""
    documents = [d for path in MANIFESTS for d in yaml.safe_load_all(path.read_text())]
    return [
        (d["metadata"]["name"], d["spec"]["template"]["spec"]) for d in documents if "template" in d.get("spec", {})
    ]


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
    published = [port for service in services().values() for port in service.get("ports", ())]
    assert len(published) == 7
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_what_serves_pages_has_no_key_of_the_store() -> None:
    """Flower and the metrics exporter read the queue alone; the settings of an S3 client begin with AWS_."""
    readers = [services()[name]["environment"] for name in ("flower", "metrics")]
    readers += [
        {v["name"]: v for c in pod["containers"] for v in c["env"]} for name, pod in pods() if "metrics" in name
    ]
    assert len(readers) == 3
    assert all("CELERY_BROKER_URL" in reader for reader in readers)
    assert not any(key.startswith("AWS_") for reader in readers for key in reader)


@pytest.mark.parametrize("name", sorted(services()) if COMPOSE.is_file() else [])
def test_every_service_is_pinned_limited_and_watched(name: str) -> None:
    """An image by a version (or built here), limits of memory and processor, and a health check."""
    service = services()[name]
    image = service.get("image", "")
    assert "build" in service or re.search(r":-[\w./-]+:[\w.-]*\d[\w.-]*\}$", image), image
    limits = service["deploy"]["resources"]["limits"]
    assert {"cpus", "memory"} <= limits.keys()
    assert name in ONCE or "healthcheck" in service


@pytest.mark.parametrize(("name", "pod"), pods() if MANIFESTS else [])
def test_every_pod_is_limited_and_cannot_become_root(name: str, pod: dict[str, Any]) -> None:
    """As the restricted Pod Security Standard asks, and with limits and a probe of liveness."""
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} <= container["resources"]["limits"].keys()
        assert "livenessProbe" in container
        assert not any("value" in variable for variable in container.get("env", ()))


def test_the_manifests_fit_the_schemas_of_kubernetes() -> None:
    """Those that kubernetes-validate carries, without fields that they do not know. KEDA's kinds are not among them."""
    validator = pytest.importorskip("kubernetes_validate")
    documents = [d for path in MANIFESTS for d in yaml.safe_load_all(path.read_text())]
    foreign = [d["kind"] for d in documents if not re.fullmatch(r"v1|apps/v1", d["apiVersion"])]
    assert set(foreign) == {"Kustomization", "ScaledObject", "TriggerAuthentication"}
    for document in documents:
        if document["kind"] not in foreign:
            validator.validate(document, validator.latest_version(), strict=True)


def test_the_manifests_can_be_built() -> None:
    """By kustomize, as kubectl carries it: the worker gets settings and secret, the autoscaler the worker's name."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    command = ["kubectl", "kustomize", str(INFRA / "kubernetes")]
    built = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stderr
    kinds = [d["kind"] for d in yaml.safe_load_all(built.stdout)]
    assert sorted(kinds).count("Deployment") == 3
    assert "ScaledObject" in kinds
    assert "Secret" not in kinds


def test_dashboard_and_alerts_ask_for_what_is_exported() -> None:
    """Every metric that is named there is one of the exporter's; counters end in `_total`, as Prometheus names them."""
    exported = {
        f"{metric.name}_total" if metric.type == "counter" else metric.name
        for metric in LedgerCollector(Counters()).collect()
    }
    dashboard = json.loads((INFRA / "compose" / "grafana" / "dashboards" / "annotation.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    alerts = yaml.safe_load((INFRA / "compose" / "prometheus" / "alerts.yaml").read_text())
    asked += [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]
    assert {name for expression in asked for name in re.findall(r"annotator_\w+", expression)} == exported


@pytest.mark.parametrize("path", [DOCKERFILE, INFRA / "images" / "Dockerfile"], ids=["worker", "others"])
def test_dockerfiles_have_no_known_fault(path: Path) -> None:
    """As hadolint, which pip installs, knows them. DL3008: packages of Debian are not pinned one by one, the release of
    their image is."""
    hadolint = shutil.which("hadolint", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    command = [hadolint, "--ignore", "DL3008", str(path)]
    found = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert (found.returncode, found.stdout) == (0, "")


@pytest.mark.parametrize("path", [DOCKERFILE, INFRA / "images" / "Dockerfile"], ids=["worker", "others"])
def test_dockerfiles_copy_what_is_there_and_are_not_root(path: Path) -> None:
    """Every source of a COPY exists, and is let through by the ignore file; the last user has a number but 0."""
    text = path.read_text()
    sources = re.findall(r"^COPY (?!--from)(\S+) ", text, flags=re.MULTILINE)
    allowed = re.findall(r"^!(\S+)$", path.with_name("Dockerfile.dockerignore").read_text(), flags=re.MULTILINE)
    assert sorted(sources) == sorted(allowed)
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert int(re.findall(r"^USER (\S+)$", text, flags=re.MULTILINE)[-1]) > 0
