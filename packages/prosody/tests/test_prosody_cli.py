"""The command line and many files, run as a user runs them."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import subprocess
import sys
import threading

import numpy as np
import pytest
import soundfile

import prosody
from prosody import batch, cli
from speech_records import FailedItem, ProsodyProfile, StressedWord, from_dict

RATE = 16_000


@dataclasses.dataclass
class Done:
    stdout: str
    stderr: str


@pytest.fixture
def run(monkeypatch, capsys):
    """The command's entry point in this process; its output, after its status was checked."""

    def run_command(*arguments, status=0):
        monkeypatch.setattr(sys, "argv", ["prosody", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        captured = capsys.readouterr()
        assert (left.value.code or 0) == status, captured.err
        return Done(captured.out, captured.err)

    return run_command


def test_the_installed_command_runs(clips):
    """In a process of its own, warnings as errors: JSON on stdout, status 1 for a bad file."""
    command = [sys.executable, "-W", "error", "-c", "from prosody.cli import main; main()", "analyze"]
    done = subprocess.run([*command, clips / "a.wav"], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout)["profile"]["sample_rate"] == RATE
    bad = subprocess.run([*command, clips / "c.wav"], capture_output=True, text=True, check=False, timeout=60)
    assert (bad.returncode, bad.stdout) == (1, "")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Two tones with pulses and one text file called .wav."""
    folder = tmp_path_factory.mktemp("clips")
    t = np.arange(RATE) / RATE
    for name, f0 in (("a.wav", 120.0), ("b.flac", 240.0)):
        wave = 0.1 * sum(np.sin(2 * np.pi * f0 * k * t) / k for k in range(1, 6)) * (0.05 + np.sin(np.pi * 4 * t) ** 2)
        soundfile.write(folder / name, wave, RATE)
    (folder / "c.wav").write_text("no audio")
    (folder / "ignored.txt").write_text("no audio either")
    return folder


def test_analyze_a_folder(run, clips, tmp_path):
    """Rows in order, errors on stderr and beside OUT, the rest done, status 1."""
    out = tmp_path / "p.jsonl"
    done = run("analyze", clips, "-o", out, "--workers", "2", status=1)
    assert done.stdout == ""
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["path"][-6:] for row in rows] == ["/a.wav", "b.flac"]
    assert from_dict(ProsodyProfile, rows[0]["profile"]).f0_median_hz == pytest.approx(120.0, rel=0.01)
    assert len(rows[0]["sha256"]) == 64
    (failure,) = map(json.loads, (tmp_path / "p.jsonl.errors.jsonl").read_text().splitlines())
    assert failure["error"] == "UnreadableAudioError"
    assert "c.wav" in done.stderr
    assert "1 of 3 files" in done.stderr
    assert "Traceback" not in done.stderr


def test_resume_keeps_finished_rows(run, clips, tmp_path):
    """A killed run left one row and half of another: the row stays as it is, the rest is measured."""
    out = tmp_path / "p.jsonl"
    run("analyze", clips / "a.wav", clips / "b.flac", "-o", out)
    first, second = out.read_text().splitlines()
    marked = first.replace('"duration_s": 1.0', '"duration_s": 1.5')  # shows that it was kept, not measured again
    out.write_text(marked + "\n" + second[:40])
    run("analyze", clips / "a.wav", clips / "b.flac", "-o", out, "--resume")
    assert out.read_text().splitlines() == [marked, second]


def test_resume_measures_again_what_was_measured_otherwise(run, clips, tmp_path):
    """Rows without jitter do not answer a run that asks for it, nor the other way round."""
    out = tmp_path / "p.jsonl"
    run("analyze", clips / "a.wav", "-o", out)
    run("analyze", clips / "a.wav", "-o", out, "--resume", "--voice")
    (row,) = map(json.loads, out.read_text().splitlines())
    assert row["extras"] == {"voice": True}
    assert "voice" in row
    run("analyze", clips / "a.wav", "-o", out, "--resume")
    (row,) = map(json.loads, out.read_text().splitlines())
    assert set(row) == {"path", "sha256", "profile"}


def test_one_file_to_stdout_and_csv(run, clips):
    """JSON on stdout alone; the same values in CSV; the transcript's syllables are counted."""
    row = json.loads(run("analyze", clips / "a.wav", "--transcript", "kids are talking").stdout)
    assert row["profile"]["syllables"] == 4
    (cells,) = csv.DictReader(io.StringIO(run("analyze", clips / "a.wav", "--format", "csv").stdout))
    assert float(cells["f0_median_hz"]) == row["profile"]["f0_median_hz"]
    assert cells["stressed_words"] == ""


def test_stressed_words_on_request(run, clips):
    """Without --align they are unknown (null); with an even spread there is a list, of words of the transcript; digits
    cannot be placed, and a note says so."""
    text = ("analyze", clips / "a.wav", "--transcript", "kids are talking")
    assert json.loads(run(*text).stdout)["profile"]["stressed_words"] is None
    words = json.loads(run(*text, "--align", "even").stdout)["profile"]["stressed_words"]
    assert {word["word"] for word in words} <= {"kids", "are", "talking"}
    digits = json.loads(run(*text[:3], "room 101", "--align", "even").stdout)["profile"]
    assert digits["stressed_words"] is None
    assert any("stressed words unknown" in note for note in digits["notes"])


def test_levels_plot_and_modify(run, clips, tmp_path):
    """The other three commands, from file to file."""
    run("analyze", clips / "a.wav", clips / "b.flac", "-o", tmp_path / "p.jsonl")
    run("levels", "fit", tmp_path / "p.jsonl", "-o", tmp_path / "s.json", "--name", "two")
    assert prosody.LevelScale.load(tmp_path / "s.json").groups["pitch"]["pooled"].n == 2
    run("plot", clips / "a.wav", "-o", tmp_path / "p.png", "--transcript", "kids are talking", "--align", "even")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    run("modify", clips / "a.wav", "--pitch", "+3st", "--energy", "-3dB", "-o", tmp_path / "m.wav")
    changed = prosody.load_audio(tmp_path / "m.wav")
    assert prosody.analyze(changed.samples, RATE).f0_median_hz == pytest.approx(120.0 * 2 ** (3 / 12), rel=0.01)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("analyze", "{empty}"), "no audio file"),
        (("analyze", "{a}", "{a}", "--transcript", "x"), "belongs to one file"),
        (("analyze", "{a}", "--resume"), "--resume continues"),
        (("plot", "{a}", "-o", "p.txt"), "p.txt: the picture"),
        (("modify", "{a}", "--pitch", "high", "-o", "m.wav"), "'high': a number"),
        (("modify", "missing.wav", "-o", "m.wav"), "missing.wav: no such file"),
        (("levels", "fit", "{c}", "-o", "s.json"), "line 1"),
    ],
)
def test_bad_input_is_one_clear_line(run, clips, tmp_path, arguments, message):
    """Status 1, nothing on stdout, one line on stderr."""
    places = {"{empty}": tmp_path, "{a}": clips / "a.wav", "{c}": clips / "c.wav"}
    done = run(*(places.get(argument, argument) for argument in arguments), status=1)
    assert done.stdout == ""
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_clip_that_takes_too_long_costs_itself_only(clips, tmp_path):
    """Forty minutes of pulsed tone need longer than the limit: they fail by name, a fresh process does the next."""
    slow = tmp_path / "slow.flac"
    t = np.arange(40 * RATE) / RATE
    block = 0.1 * sum(np.sin(2 * np.pi * 150 * k * t) / k for k in range(1, 9)) * (0.01 + np.sin(np.pi * 3 * t) ** 2)
    with soundfile.SoundFile(slow, "w", RATE, 1) as file:
        for _ in range(60):
            file.write(block)
    first, last = str(clips / "a.wav"), str(clips / "b.flac")
    results = list(batch.measure_files([first, str(slow), last], workers=1, timeout_s=4.0))
    assert isinstance(results[1], FailedItem)
    assert (results[1].id, results[1].error) == (str(slow), "ItemTimeoutError")
    assert [results[0].path, results[2].path] == [first, last]
    assert all(isinstance(results[i], batch.Measured) for i in (0, 2))


def test_figures_are_drawn_in_threads_without_pyplot():
    """The figure has three panels, draws in a thread, and pyplot's figure list stays empty."""
    import matplotlib.pyplot as plt

    t = np.arange(RATE) / RATE
    wave = 0.1 * sum(np.sin(2 * np.pi * 150 * k * t) / k for k in range(1, 6))
    drawn = []
    thread = threading.Thread(target=lambda: drawn.append(prosody.plot(wave, RATE, title="$x_{1")))
    thread.start()
    thread.join()
    (figure,) = drawn
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg")
    assert b"<svg" in buffer.getvalue()
    assert len(figure.axes) == 3
    assert plt.get_fignums() == []


def test_stressed_words_are_written_over_the_wave():
    """Truth: the word and the middle of its times in the profile that is drawn."""
    t = np.arange(RATE) / RATE
    wave = 0.1 * sum(np.sin(2 * np.pi * 150 * k * t) / k for k in range(1, 6))
    word = StressedWord("never", 0.9, 0.25, 0.55)
    profile = dataclasses.replace(prosody.analyze(wave, RATE), stressed_words=(word,))
    (text,) = prosody.plot(wave, RATE, profile=profile).axes[0].texts
    assert (text.get_text(), text.xy[0]) == ("never", pytest.approx(0.4))


def test_silence_can_be_drawn():
    """Nothing measured is said in the picture, not crashed on."""
    figure = prosody.plot(np.zeros(RATE, np.float32), RATE)
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert "no credible voicing" in texts


def test_parquet_and_textgrid(run, clips, tmp_path):
    """Parquet holds the columns typed; a TextGrid of one file reads back."""
    parquet = pytest.importorskip("pyarrow.parquet")
    run("analyze", clips / "a.wav", "--format", "parquet", "-o", tmp_path / "p.parquet")
    table = parquet.read_table(tmp_path / "p.parquet").to_pydict()
    assert table["f0_median_hz"][0] == pytest.approx(120.0, rel=0.01)
    run("analyze", clips / "a.wav", "--format", "textgrid", "-o", tmp_path / "a.TextGrid")
    assert set(prosody.read_textgrid(tmp_path / "a.TextGrid")) == {"pauses", "phrases", "voicing"}


def test_prosody_itself_loads_no_model_library():
    """A process that imports the package and analyses a clip has neither torch nor transformers in it."""
    program = (
        "import sys, numpy as np, prosody; prosody.analyze(np.zeros(16000, np.float32), 16000); "
        "sys.exit(bool({'torch', 'transformers', 'safetensors'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize("model", [prosody.WhiStress, prosody.AgeGender])
def test_models_without_their_libraries_say_what_to_install(tmp_path, monkeypatch, model):
    """Truth: an environment without torch, which is what an entry of None in sys.modules makes of any."""
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(prosody.ModelError, match=r"torch is not installed: pip install .*\[models\]"):
        model(tmp_path)
