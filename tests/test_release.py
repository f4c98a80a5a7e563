"""`make release` on a small copy of the repository, with the real towncrier and the real build."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[1]

SIBLING = """
[project]
name = "emotionthinker-sibling"
version = "0.3.0"
dependencies = ["emotionthinker-speech-records>=0.1,<0.2"]
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A repository with the release script, `speech_records`, one sibling that depends on it, and one fragment."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "infra/release", tmp_path / "infra/release", ignore=ignore)
    shutil.copytree(ROOT / "packages/speech_records", tmp_path / "packages/speech_records", ignore=ignore)
    package = tmp_path / "packages/speech_records"
    text = (package / "pyproject.toml").read_text(encoding="utf-8")
    found = text[text.index('version = "') :].splitlines()[0]
    (package / "pyproject.toml").write_text(text.replace(found, 'version = "0.1.4"'), encoding="utf-8")
    for fragment in package.glob("changelog.d/*.md"):
        fragment.unlink()
    (package / "changelog.d/7.added.md").write_text("Claims say where they stand.\n", encoding="utf-8")
    (tmp_path / "packages/sibling").mkdir()
    (tmp_path / "packages/sibling/pyproject.toml").write_text(SIBLING, encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "-A"], cwd=tmp_path, check=True)
    return tmp_path


def release(house: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = house / "infra/release/release.py"
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False)


def test_a_release_bumps_writes_and_builds(house: Path) -> None:
    """0.1.4 and a patch make 0.1.5; the fragment becomes the newest section and is gone."""
    done = release(house, "speech_records", "patch")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "dist/emotionthinker_speech_records-0.1.5-py3-none-any.whl\n"
    package = house / "packages/speech_records"
    assert 'version = "0.1.5"' in (package / "pyproject.toml").read_text(encoding="utf-8")
    changelog = (package / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = changelog.partition("<!-- towncrier release notes start -->")[2].partition("## 0.1.0")[0]
    assert newest.strip().startswith("## 0.1.5 (")
    assert "### Added\n\n- Claims say where they stand. (#7)" in newest
    assert list(package.glob("changelog.d/*.md")) == []
    with ZipFile(house / done.stdout.strip()) as wheel:
        assert "Version: 0.1.5" in wheel.read("emotionthinker_speech_records-0.1.5.dist-info/METADATA").decode()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nobody", "patch"), "PACKAGE=nobody is none of: sibling, speech_records"),
        ((), "PACKAGE=? is none of"),
        (("speech_records", "huge"), "PART=huge is none of: major, minor, patch"),
        (("speech_records", "minor"), "0.2.0 would be excluded, widen first: packages/sibling/pyproject.toml asks for"),
    ],
)
def test_a_bad_request_changes_nothing(house: Path, arguments: tuple[str, ...], message: str) -> None:
    """One line that says what is wrong, a status, and the tree as it was."""
    done = release(house, *arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert subprocess.run(["git", "diff", "--quiet"], cwd=house, check=False).returncode == 0


def test_a_release_without_fragments_is_refused(house: Path) -> None:
    """Nobody could read what it changes."""
    (house / "packages/speech_records/changelog.d/7.added.md").unlink()
    done = release(house, "speech_records", "patch")
    assert done.returncode == 1
    assert "holds no fragment" in done.stderr


def test_a_failed_build_puts_everything_back(house: Path) -> None:
    """The package declares a README that is not there, which poetry-core refuses after the change log was written."""
    package = house / "packages/speech_records"
    (package / "README.md").unlink()
    before = {p: p.read_bytes() for p in package.rglob("*") if p.is_file()}
    done = release(house, "speech_records", "patch")
    assert done.returncode == 1
    assert "build ended with status" in done.stderr
    assert {p: p.read_bytes() for p in package.rglob("*") if p.is_file()} == before
