"""The repository's own rules: what lies where, what each package must have, who may depend on whom.

Expected values are the architecture as `docs/index.md` draws it, written out here by hand.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from poetry.core.masonry import api as poetry_core

ROOT = Path(__file__).resolve().parents[1]

# Which of our packages each one may import, and so depend on.
ALLOWED: dict[str, set[str]] = {
    "packages/speech_records": set(),
    "packages/prosody": {"speech_records"},
    "packages/speech_claims": {"speech_records"},
    "packages/speech_corpora": {"speech_records"},
    "packages/cotgen": {"speech_records", "speech_claims", "speech_corpora"},
    "packages/speechlm": {"speech_records"},
    "packages/policy": {"speech_records", "speechlm"},
    "packages/rewardmodel": {"speech_records", "speech_claims", "speechlm"},
    "packages/grpo_ptr": set(),
}
LIBRARIES = {folder.split("/")[1] for folder in ALLOWED}
ALLOWED |= {f"apps/{app}": LIBRARIES for app in ("annotator_worker", "trainer", "explainer")}
FOLDERS = pytest.mark.parametrize("folder", [ROOT / name for name in ALLOWED], ids=lambda folder: folder.name)

GENERATED = {".wav", ".flac", ".mp3", ".safetensors", ".pt", ".ckpt", ".db", ".sqlite", ".whl", ".pyc", ".parquet"}


def project(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


@cache
def distributions() -> dict[str, list[str]]:
    """Which installed distributions provide a top-level module."""
    # parselmouth is one compiled module whose wheel does not list it among its files.
    return {**packages_distributions(), "parselmouth": ["praat-parselmouth"]}


@cache
def imports_of(source: Path) -> frozenset[str]:
    """The top-level names that a module imports at run time, wherever in it."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    typing_only = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in ast.walk(node)
    }
    names = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(str(node.module).split(".")[0])
    return frozenset(names)


def test_the_folders_are_those_of_the_architecture() -> None:
    """Every package and app, by its import name."""
    found = {
        p.parent.relative_to(ROOT).as_posix() for group in ("packages", "apps") for p in ROOT.glob(f"{group}/*/src")
    }
    assert found == set(ALLOWED)
    assert all((ROOT / name).is_dir() for name in ("infra", "tests", "benchmarks", "docs"))


@FOLDERS
def test_every_package_has_its_files(folder: Path) -> None:
    """What the architecture asks of each; the change log must be where a release can write to."""
    source = f"src/{folder.name}"
    files = (
        "pyproject.toml",
        "README.md",
        "CHANGELOG.md",
        "changelog.d",
        "tests",
        f"{source}/__init__.py",
        f"{source}/py.typed",
    )
    assert [name for name in files if not (folder / name).exists()] == []
    assert "```" in (folder / "README.md").read_text(encoding="utf-8")
    changelog = (folder / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = changelog.partition("<!-- towncrier release notes start -->\n")[2].strip().splitlines()[0]
    assert newest.startswith(f"## {project(folder)['project']['version']}")


@FOLDERS
def test_the_metadata_follows_the_house(folder: Path) -> None:
    """PEP 621 with poetry-core; distribution names carry dashes; both supported Pythons."""
    data = project(folder)
    meta = data["project"]
    assert meta["name"] == f"emotionthinker-{folder.name.replace('_', '-')}"
    assert Version(meta["version"])
    assert meta["license"] == "Apache-2.0"
    assert meta["requires-python"] == ">=3.11,<3.13"
    assert meta["readme"] == "README.md"
    assert data["build-system"]["build-backend"] == "poetry.core.masonry.api"
    assert data["tool"]["poetry"]["packages"] == [{"include": folder.name, "from": "src"}]
    assert any(requirement.startswith("pytest") for requirement in data["dependency-groups"]["test"])


@FOLDERS
def test_dependencies_have_ranges_that_hold_what_was_tested(folder: Path) -> None:
    """The lock is what the tests ran with, so it must lie in every range; torch also needs an upper bound."""
    locked = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines())
    locked = {canonicalize_name(name): version for name, version in locked.items()}
    ours = {project(ROOT / name)["project"]["name"]: ROOT / name for name in ALLOWED}
    for line in project(folder)["project"]["dependencies"]:
        requirement = Requirement(line)
        assert requirement.specifier, f"{line} has no range"
        if requirement.name in ours:
            sibling = ours[requirement.name]
            assert sibling.name in ALLOWED[folder.relative_to(ROOT).as_posix()]
            assert requirement.specifier.contains(project(sibling)["project"]["version"])
        else:
            assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), line
        if requirement.name == "torch":
            assert any(clause.operator in ("<", "<=", "==") for clause in requirement.specifier)


@FOLDERS
def test_what_is_imported_is_declared(folder: Path) -> None:
    """Every module's imports against its package's own metadata; a dependency's dependency does not count."""
    meta = project(folder)["project"]
    lines = [
        *meta["dependencies"],
        *(line for extra in meta.get("optional-dependencies", {}).values() for line in extra),
    ]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    undeclared = {}
    for source in sorted((folder / "src").rglob("*.py")):
        for name in imports_of(source) - set(sys.stdlib_module_names) - {folder.name}:
            if name in {Path(other).name for other in ALLOWED}:
                providers = {f"emotionthinker-{name.replace('_', '-')}"}
            else:
                providers = {canonicalize_name(d) for d in distributions().get(name, [name])}
            if not providers & declared:
                undeclared[f"{source.relative_to(folder)}: {name}"] = providers
    assert undeclared == {}


@FOLDERS
def test_the_wheel_is_complete(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything under src/<name> is in the wheel, py.typed and data files included, and nothing else."""
    monkeypatch.chdir(folder)
    wheel = tmp_path / poetry_core.build_wheel(str(tmp_path))
    packed = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    sources = {p.relative_to(folder / "src").as_posix() for p in tracked() if p.is_relative_to(folder / "src")}
    assert f"{folder.name}/py.typed" in packed
    assert sources <= packed
    assert {name.split("/")[0] for name in packed} == {folder.name}


@FOLDERS
def test_commands_lead_somewhere(folder: Path) -> None:
    """Each entry of [project.scripts] names something that can be called."""
    for target in project(folder)["project"].get("scripts", {}).values():
        module, _, name = target.partition(":")
        assert callable(getattr(import_module(module), name))


@pytest.mark.parametrize("lock", ["constraints.txt", "infra/vllm/constraints.txt"])
def test_the_lock_holds_plain_pins(lock: str) -> None:
    """pip installs from it on any machine: no addresses, no local versions, none of ours, nothing twice."""
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)] == []
    names = [canonicalize_name(line.split("==")[0]) for line in lines]
    assert len(set(names)) == len(names)
    assert not any(name.startswith("emotionthinker") for name in names)
    assert "torch==2.13.0" in lines


def test_the_root_project_lists_every_package() -> None:
    """So that Poetry sees the whole house, in editable form."""
    dependencies = project(ROOT)["tool"]["poetry"]["dependencies"]
    assert {spec["path"] for spec in dependencies.values()} == set(ALLOWED)
    assert all(spec["develop"] for spec in dependencies.values())


def test_the_import_contracts_can_fail(tmp_path: Path) -> None:
    """Contracts that nothing could break would prove nothing: a copy is broken once for each of them."""
    for name in ALLOWED:
        shutil.copytree(ROOT / name / "src", tmp_path / name / "src", ignore=shutil.ignore_patterns("__pycache__"))
    violations = {
        "packages/prosody": "import cotgen\nimport mlflow\nimport torch",
        "packages/cotgen": "import numpy",
        "packages/grpo_ptr": "import transformers",
        "packages/speech_records": "import numpy",
        "apps/explainer": "import trainer",
    }
    for name, statements in violations.items():
        (tmp_path / name / "src" / Path(name).name / "violation.py").write_text(statements, encoding="utf-8")
    inside = {
        "packages/cotgen/src/cotgen/rules": "import cotgen.cli",
        "packages/speechlm/src/speechlm": "import speechlm.cli",
    }
    for name, statements in inside.items():
        (tmp_path / name / "violation.py").write_text(statements, encoding="utf-8")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    program = "import sys; sys.path[:0] = sys.argv[1:]; from importlinter.cli import lint_imports; lint_imports()"
    done = subprocess.run(
        [sys.executable, "-c", program, *(str(tmp_path / name / "src") for name in ALLOWED)],
        cwd=tmp_path, capture_output=True, text=True, check=False, env={"PATH": "", "COLUMNS": "200"},
    )  # fmt: skip
    contracts = project(ROOT)["tool"]["importlinter"]["contracts"]
    assert re.search(rf"Contracts: 0 kept, {len(contracts)} broken", done.stdout), done.stdout + done.stderr
    assert "explainer.violation -> trainer" in done.stdout
    assert "prosody.violation -> cotgen" in done.stdout


def test_modules_are_loaded_by_name_where_an_adr_says_so_only() -> None:
    """Import contracts see import statements; these are the doors past them (docs/adr/0006): the optional models of
    prosody, and the client that a user names to the reward model."""
    sources = [source for name in ALLOWED for source in (ROOT / name / "src").rglob("*.py")]
    through = {s.stem for s in sources if re.search(r"\b(import_module|__import__|optional)\(", s.read_text("utf-8"))}
    assert through == {"neural", "whistress", "age_gender", "completion"}
    program = "import prosody, prosody.cli, sys; print({'torch', 'transformers'} & set(sys.modules) or 'none')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "none"


def test_no_source_unpickles() -> None:
    """Weights are safetensors, records are JSON: loading never runs code."""
    for name in ALLOWED:
        for source in (ROOT / name / "src").rglob("*.py"):
            assert not imports_of(source) & {"pickle", "dill", "cloudpickle", "shelve", "joblib"}, source
            assert "torch.load(" not in source.read_text(encoding="utf-8"), source


def test_nothing_generated_and_nothing_large_is_committed() -> None:
    """Audio, checkpoints and runs are made, not shipped; but for what training changed in a model (at most 12 MiB)."""
    published = {p for p in tracked() if p.match("models/*/delta.safetensors") and p.stat().st_size <= 12 << 20}
    large = {p for p in tracked() if p.suffix in GENERATED or p.stat().st_size > 1 << 20}
    assert large == published


def test_no_file_names_a_machine() -> None:
    """A path that is right on one machine only: this clone's, or the home of whoever runs the tests."""
    places = [str(place) for place in (ROOT, Path.home()) if place != Path(place.anchor)]
    pattern = re.compile("|".join(rf"(?<![\w.]){re.escape(place)}/" for place in places))
    named = [
        p for p in tracked() if p != Path(__file__) and pattern.search(p.read_text(encoding="utf-8", errors="replace"))
    ]
    assert named == []


def test_test_modules_have_unique_names() -> None:
    """pytest's importlib mode and the reader of a failure both need to tell them apart."""
    names = [p.name for p in tracked() if p.name.startswith("test_") and p.suffix == ".py"]
    assert sorted(names) == sorted(set(names))
