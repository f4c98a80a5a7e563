"""What READMEs and docs tell people to type or open must exist."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import typer

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("packages/*/README.md"), *ROOT.glob("apps/*/README.md"), *ROOT.glob("docs/**/*.md")]
)
SCRIPTS = {
    name: target
    for path in ROOT.glob("*/*/pyproject.toml")
    for name, target in tomllib.loads(path.read_text(encoding="utf-8"))["project"].get("scripts", {}).items()
}
COMMANDS = {"setup", "demo", "test", "lint", "types", "check", "docs", "lock", "clean", "help"}


def code_of(page: Path) -> list[str]:
    """Every line inside fences or indented blocks, and every inline code span."""
    text = page.read_text(encoding="utf-8")
    fenced = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^ {4}(\S.*)$", text, re.MULTILINE)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return [line.strip().removeprefix("$ ") for block in fenced for line in block.splitlines()] + indented + spans


def subcommands(script: str) -> set[str]:
    """The subcommands of a typer application; empty where it has none or is not made with typer."""
    module = import_module(SCRIPTS[script].partition(":")[0])
    applications = [value for value in vars(module).values() if isinstance(value, typer.Typer)]
    return {name for found in applications for name in getattr(typer.main.get_command(found), "commands", {})}


def test_make_help_explains_every_verb() -> None:
    """Commands that CONTRIBUTING.md names; `help` lists a target only with its explanation."""
    done = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    explained = set(re.findall(r"^  make ([a-z-]+) +\S", done.stdout, re.MULTILINE))
    assert explained >= COMMANDS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_make_targets_exist(page: Path) -> None:
    """Every `make x` that a page mentions is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    mentioned = {found[1] for line in code_of(page) if (found := re.match(r"make ([a-z-]+)\b", line))}
    assert mentioned <= targets


@pytest.mark.parametrize("script", sorted(SCRIPTS))
def test_subcommands_exist(script: str) -> None:
    """Every `prosody analyze …` on any page names a subcommand that the program has."""
    known = subcommands(script)
    lines = [line for page in PAGES for line in code_of(page)]
    mentioned = {found[1] for line in lines if (found := re.match(rf"{script} ([a-z][a-z-]+)(?=\s|$)", line))}
    assert not known or mentioned <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_relative_links_lead_somewhere(page: Path) -> None:
    """Files that a page links to lie where it says."""
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    files = [link.partition("#")[0] for link in links if "://" not in link and not link.startswith(("#", "mailto:"))]
    assert [link for link in files if not (page.parent / link).exists()] == []


def test_the_site_has_a_page_for_every_package() -> None:
    """mkdocs' strict build sees dead links, not missing pages."""
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    packages = [path.parent.name for path in ROOT.glob("*/*/pyproject.toml")]
    assert [name for name in packages if f"api/{name}.md" not in nav] == []
    assert [name for name in packages if f"::: {name}" not in (ROOT / f"docs/api/{name}.md").read_text("utf-8")] == []


def test_the_hooks_are_valid() -> None:
    """pre-commit's own judgement of its configuration."""
    command = [sys.executable, "-m", "pre_commit", "validate-config", ".pre-commit-config.yaml"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0
