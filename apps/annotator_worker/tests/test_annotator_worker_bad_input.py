"""Every bad input of the list that the application promises to survive: a clear letter each, and the rest is done."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from annotator_worker.cli import cli
from cotgen.dataset import DataSet

RATE = 16_000
TWO_HOURS_S = 7200

EXPECTED = {
    "missing": ("MissingAudioError", "missing.wav is not a file"),
    "empty": ("EmptyAudioError", "0 bytes"),
    "text": ("UnreadableAudioError", "text.wav"),
    "truncated": ("UnreadableAudioError", "cut short"),
    "nan": ("InvalidSamplesError", "NaN"),
    "silence": ("TooLittleSpeechError", "too little speech in 1.000 s"),
    "10ms": ("TooLittleSpeechError", "too little speech in 0.010 s"),
    "2hours": ("AudioTooLongError", "7200.0 s"),
    "elsewhere": ("GenerationError", "bored"),
    "link": ("CorpusError", "leads out of the corpus root"),
    "outside": ("RecordFormatError", "stay inside the corpus root"),
    "purple": ("UnknownEmotionError", "unknown emotion label 'purple'"),
    "duplicate": ("CorpusError", "'made-000' was already given by manifest.jsonl:1"),
}
"""Failed items by the clip they are of: error, and a part of its message that names the value or the limit."""
LISTED = {"link", "outside", "purple", "duplicate"}
"""Those that are refused when the corpus is listed, by their line."""


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory, kit) -> tuple[int, str, Path]:
    """Exit status, stderr and data set of a run over four good clips, two unusual ones and every bad one."""
    folder = tmp_path_factory.mktemp("bad")
    root = kit.write_corpus(folder / "corpus", clips=4)
    speech = kit.speechlike(140.0, syllables=5, rate_sps=4.0, peak=0.4)
    soundfile.write(root / "stereo.flac", np.stack([speech, 0.5 * speech], axis=1), RATE)
    soundfile.write(
        root / "8k.flac", kit.speechlike(140.0, syllables=5, rate_sps=4.0, peak=0.4, sample_rate=8000), 8000
    )
    write_bad_files(root, speech)
    entries = [
        *(kit.line(name, f"{name}.flac", split="train") for name in ("stereo", "8k", "truncated", "silence", "10ms")),
        *(kit.line(name, f"{name}.wav", split="train") for name in ("missing", "empty", "text", "nan")),
        kit.line("2hours", "2hours.flac", split="train"),
        kit.line("unlabelled", "stereo.flac", split="train", emotion=None),
        kit.line("elsewhere", "stereo.flac", split="train", emotion="boredom"),
        kit.line("link", "link.flac"),
        kit.line("outside", "../outside.flac"),
        kit.line("purple", "stereo.flac", emotion="purple"),
        kit.line("made-000", "stereo.flac"),
    ]
    with (root / "manifest.jsonl").open("a") as manifest:
        manifest.writelines(entries)
    arguments = ["run", "--local", "--corpus", "manifest", "--root", str(root), "-o", str(folder / "out")]
    result = CliRunner().invoke(cli, arguments)
    return result.exit_code, result.stderr, folder / "out"


def write_bad_files(root: Path, speech: np.ndarray) -> None:
    (root / "empty.wav").touch()
    (root / "text.wav").write_text("This is no sound at all.\n" * 100)
    soundfile.write(root / "truncated.flac", speech, RATE)
    whole = (root / "truncated.flac").read_bytes()
    (root / "truncated.flac").write_bytes(whole[: len(whole) // 2])
    soundfile.write(root / "nan.wav", np.where(np.arange(len(speech)) == 100, np.nan, speech), RATE, subtype="FLOAT")
    soundfile.write(root / "silence.flac", np.zeros(RATE), RATE)
    soundfile.write(root / "10ms.flac", speech[4000:4160], RATE)
    with soundfile.SoundFile(root / "2hours.flac", "w", samplerate=8000, channels=1, format="FLAC") as file:
        hour_quarter = np.zeros(TWO_HOURS_S // 8 * 8000, dtype=np.int16)
        for _ in range(8):
            file.write(hour_quarter)
    soundfile.write(root.parent / "outside.flac", speech, RATE)
    (root / "link.flac").symlink_to(root.parent / "outside.flac")


def letters(out: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (out / "errors.jsonl").read_text().splitlines()]


def test_the_status_says_that_something_failed(annotated: tuple[int, str, Path]) -> None:
    """Documented status 1, and one line on stderr that counts the letters and names their file."""
    status, stderr, out = annotated
    assert status == 1
    assert f"{len(EXPECTED)} failed items" in stderr
    assert str(out / "errors.jsonl") in stderr


@pytest.mark.parametrize("name", EXPECTED)
def test_each_bad_input_has_its_letter(annotated: tuple[int, str, Path], name: str) -> None:
    """`EXPECTED` above, written from the issue's list; listing rejections say the line of the manifest."""
    _, _, out = annotated
    error, part = EXPECTED[name]
    found = [d for d in letters(out) if d["error"] == error and part in d["message"]]
    assert len(found) == 1, letters(out)
    assert found[0]["id"].startswith("manifest.jsonl:" if name in LISTED else name)


def test_the_rest_is_done(annotated: tuple[int, str, Path]) -> None:
    """Four good clips, stereo and 8 kHz; the same six in every file. One without a label is kept apart."""
    _, _, out = annotated
    expected = ["8k", "made-000", "made-001", "made-002", "made-003", "stereo"]
    rows = list(DataSet.open(out).rows())
    assert [m.utterance.utterance_id for m, _ in rows] == [t.utterance_id for _, t in rows] == expected
    assert len((out / "emotioncot.jsonl").read_text().splitlines()) == len(expected)
    assert [m.utterance.utterance_id for m in DataSet.open(out).unlabelled()] == ["unlabelled"]


def test_letters_do_not_tell_where_the_corpus_lies(annotated: tuple[int, str, Path]) -> None:
    """Equal failures give equal letters on every machine: paths are those of the corpus."""
    _, _, out = annotated
    assert str(out.parent) not in (out / "errors.jsonl").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--corpus", "nonsense", "--root", "."], "unknown corpus 'nonsense'"),
        (["--corpus", "ravdess", "--root", "does-not-exist"], "does-not-exist does not exist"),
        (["--corpus", "manifest", "--root", "does-not-exist"], "does not exist"),
    ],
)
def test_unusable_input_is_one_line_and_status_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(cli, ["run", "--local", *arguments, "-o", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_levels_are_never_fitted_on_a_test_split(tmp_path: Path, kit) -> None:
    """A corpus whose only clips are test clips has nothing to fit a scale on."""
    root = kit.write_corpus(tmp_path / "corpus", clips=4)
    text = (root / "manifest.jsonl").read_text().replace('"split": "train"', '"split": "dev"')
    (root / "manifest.jsonl").write_text(text)
    arguments = ["run", "--local", "--corpus", "manifest", "--root", str(root), "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert "train split" in result.stderr
