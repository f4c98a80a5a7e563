"""Release one package: bump its version, turn its fragments into a change-log section, build its wheel.

usage: release.py PACKAGE major|minor|patch

Refuses when the package has no fragments (a release nobody can read about) or when a sibling's dependency range would
exclude the new version. If a later step fails, the version and the change log are put back. Commits nothing: the
commands for that are printed at the end, for a person to run.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("major", "minor", "patch")
VERSION_LINE = re.compile(r'^version = "(\d+)\.(\d+)\.(\d+)"$', re.MULTILINE)


class ReleaseError(Exception):
    """Why there is no release; one line for the person who asked."""


def folder_of(package: str) -> Path:
    """The folder of a package or app by its import name."""
    folders = {p.parent.name: p.parent for p in ROOT.glob("*/*/pyproject.toml")}
    if package not in folders:
        raise ReleaseError(f"PACKAGE={package or '?'} is none of: {', '.join(sorted(folders))}")
    return folders[package]


def bumped(version: tuple[int, int, int], part: str) -> str:
    """The next version.

    >>> bumped((0, 1, 4), "minor"), bumped((0, 1, 4), "patch"), bumped((0, 1, 4), "major")
    ('0.2.0', '0.1.5', '1.0.0')
    """
    major, minor, patch = version
    following = {"major": (major + 1, 0, 0), "minor": (major, minor + 1, 0), "patch": (major, minor, patch + 1)}
    if part not in following:
        raise ReleaseError(f"PART={part or '?'} is none of: {', '.join(PARTS)}")
    return ".".join(map(str, following[part]))


def siblings_that_exclude(distribution: str, version: str) -> list[str]:
    """The dependencies of our other packages that the new version would not satisfy."""
    excluding = []
    for path in sorted(ROOT.glob("*/*/pyproject.toml")):
        for line in tomllib.loads(path.read_text(encoding="utf-8"))["project"].get("dependencies", []):
            requirement = Requirement(line)
            if requirement.name == distribution and not requirement.specifier.contains(version):
                excluding.append(f"{path.relative_to(ROOT)} asks for {line}")
    return excluding


def fragments_of(folder: Path) -> list[Path]:
    """The change-log fragments that wait to be released."""
    return sorted(folder.glob("changelog.d/*.md"))


def release(package: str, part: str) -> Path:
    """Bump, write the change log, build; the path of the wheel."""
    folder = folder_of(package)
    pyproject, changelog = folder / "pyproject.toml", folder / "CHANGELOG.md"
    before = {path: path.read_text(encoding="utf-8") for path in (pyproject, changelog, *fragments_of(folder))}
    found = VERSION_LINE.search(before[pyproject])
    if found is None:
        raise ReleaseError(f'{pyproject} has no line like: version = "0.1.0"')
    major, minor, patch = map(int, found.groups())
    version = bumped((major, minor, patch), part)
    if not fragments_of(folder):
        raise ReleaseError(f"{folder.name}/changelog.d holds no fragment: say first what {version} changes")
    excluding = siblings_that_exclude(tomllib.loads(before[pyproject])["project"]["name"], version)
    if excluding:
        raise ReleaseError(f"{version} would be excluded, widen first: {'; '.join(excluding)}")
    try:
        pyproject.write_text(VERSION_LINE.sub(f'version = "{version}"', before[pyproject], count=1), encoding="utf-8")
        run("towncrier", "build", "--yes", "--config", str(ROOT / "infra/release/towncrier.toml"),
            "--dir", str(folder), "--version", version)  # fmt: skip
        run("build", "--wheel", "--no-isolation", "--outdir", str(ROOT / "dist"), str(folder))
    except BaseException:
        for path, text in before.items():
            path.write_text(text, encoding="utf-8")
        raise
    wheel = ROOT / "dist" / f"emotionthinker_{package}-{version}-py3-none-any.whl"
    if not wheel.is_file():
        raise ReleaseError(f"the build ended well but {wheel} is not there")
    return wheel


def run(module: str, *arguments: str) -> None:
    """Run a tool of this environment; its output goes to stderr, which leaves stdout for the result."""
    done = subprocess.run([sys.executable, "-m", module, *arguments], cwd=ROOT, stdout=sys.stderr, check=False)
    if done.returncode:
        raise ReleaseError(f"{module} ended with status {done.returncode}")


def main(arguments: list[str]) -> int:
    """Parse the two arguments, release, say what is left to do."""
    package, part = (*arguments, "", "")[:2]
    try:
        wheel = release(package, part)
    except ReleaseError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    version = wheel.name.split("-")[1]
    print(wheel.relative_to(ROOT))
    print(f"Now: git commit -am 'Release {package} {version}' && git tag {package}-v{version}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
