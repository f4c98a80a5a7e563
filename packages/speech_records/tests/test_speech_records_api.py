"""What the package promises to whoever imports it."""

import ast
import sys
from pathlib import Path

import pytest

import speech_records

SOURCES = sorted(Path(speech_records.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_only_the_standard_library_is_imported(source: Path) -> None:
    """The interpreter's own list of standard modules is the reference."""
    imported = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source.name}:{node.lineno} imports relatively"
            imported.add(str(node.module).split(".")[0])
    allowed = set(sys.stdlib_module_names) | {"speech_records", "_typeshed"}  # _typeshed: types only, never at run time
    assert imported <= allowed


def test_every_error_is_one_of_ours_and_a_value_error() -> None:
    """One tree: whoever catches the base catches all, and plain `except ValueError` works too."""
    errors = [getattr(speech_records, name) for name in speech_records.__all__ if name.endswith("Error")]
    assert len(errors) == 6
    assert all(issubclass(e, speech_records.SpeechRecordsError) and issubclass(e, ValueError) for e in errors)


def test_the_example_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The README states what it prints."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    example = readme.partition("```python\n")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out == "['fear']\n"
    assert "# ['fear']" in example
