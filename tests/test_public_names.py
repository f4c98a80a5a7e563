"""Every public name has a caller: a program, a benchmark or a documented example."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
SPEC = spec_from_file_location("public_names", ROOT / "infra/ci/public_names.py")
assert SPEC is not None
assert SPEC.loader is not None
public_names = sys.modules["public_names"] = module_from_spec(SPEC)
SPEC.loader.exec_module(public_names)

ALLOWED: dict[str, str] = {}
"""Names that nothing reaches yet, with the subject of the issue that calls them."""

PACKAGES = sorted({name for name in public_names.modules_of() if "." not in name})


def test_every_public_name_has_a_caller() -> None:
    """What is listed has no caller outside tests: give it one, delete it, or say in `ALLOWED` what will call it."""
    found = set(public_names.unreached(public_names.reach()))
    assert found - set(ALLOWED) == set()
    assert set(ALLOWED) - found == set(), "reached now: take it out of ALLOWED"


@pytest.mark.parametrize("package", PACKAGES)
def test_exported_names_exist_and_are_documented(package: str) -> None:
    """`__all__` of each package; a constant has no docstring of its own."""
    module = import_module(package)
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name)
        if isinstance(value, type | ModuleType) or callable(value):
            assert value.__doc__, f"{package}.{name} has no docstring"


CLI = """
from made.core import Kept, unused, used

def main():
    used(Kept().run())
"""
CORE = """
LIMIT = 3
LOST = 4

class Kept:
    def run(self):
        return LIMIT

    def idle(self):
        return LOST

class Gone:
    def run(self):
        return 1

def used(x):
    return x

def told():
    return 0

def unused():
    return LOST
"""


def test_an_unused_name_is_found(tmp_path: Path) -> None:
    """`used` by the command, `told` by the README, `Kept.run` through its class; the other four by nobody."""
    package = tmp_path / "packages" / "made"
    source = package / "src" / "made"
    source.mkdir(parents=True)
    (package / "pyproject.toml").write_text('[project]\nscripts = { made = "made.cli:main" }\n')
    (package / "README.md").write_text("```python\nimport made\nmade.told()\n```\n")
    (source / "__init__.py").write_text("from made.core import told, unused\n")
    (source / "cli.py").write_text(CLI)
    (source / "core.py").write_text(CORE)
    assert public_names.unreached(public_names.reach(tmp_path)) == [
        "made.core.Gone",
        "made.core.Kept.idle",
        "made.core.LOST",
        "made.core.unused",
    ]
