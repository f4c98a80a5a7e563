"""Files that are cut short, joined, renamed or replaced: what is measured is what the file holds, or an error."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import prosody
from prosody import batch, files
from prosody.energy import clipping_share
from prosody.parallel import ItemTimeoutError, WorkerDiedError, map_isolated
from speech_records import FailedItem, file_sha256

RATE = 16_000


def voice(f0_hz: float, seconds: float, *, rate: int = RATE, amplitude: float = 0.1) -> np.ndarray:
    """A pulsed harmonic sound that is measured as speech of this pitch."""
    t = np.arange(round(seconds * rate)) / rate
    harmonics = sum(np.sin(2 * np.pi * f0_hz * k * t) / k for k in range(1, 9))
    return (amplitude * harmonics * (0.05 + np.sin(np.pi * 3 * t) ** 2)).astype(np.float32)


def encoded(samples: np.ndarray, kind: str, subtype: str, *, rate: int = RATE, **options: object) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype, **options)
    return file.getvalue()


CONTAINERS = [
    ("WAV", "PCM_16"), ("WAV", "ULAW"), ("WAV", "IMA_ADPCM"), ("WAV", "MS_ADPCM"), ("WAV", "GSM610"),
    ("WAVEX", "PCM_24"),
    ("RF64", "FLOAT"), ("W64", "PCM_16"), ("AIFF", "PCM_16"), ("AIFF", "FLOAT"), ("AU", "PCM_16"), ("AU", "ULAW"),
    ("VOC", "PCM_16"), ("NIST", "PCM_16"), ("SVX", "PCM_16"), ("CAF", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"),
    ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "subtype"), CONTAINERS, ids=str)
@pytest.mark.parametrize("share", [0.35, 0.6, 0.9])
def test_a_file_cut_short_is_an_error_and_a_whole_one_is_not(tmp_path, kind, subtype, share):
    """The header promises 5 s. Whole: 5 s, to a codec's padding; cut anywhere: an error that says so."""
    rate = 8_000 if subtype == "GSM610" else RATE
    raw = encoded(voice(150, 5.0, rate=rate), kind, subtype, rate=rate)
    path = tmp_path / "clip.bin"  # the content decides, not the name
    path.write_bytes(raw)
    assert prosody.load_audio(path).duration_s == pytest.approx(5.0, abs=0.13)
    path.write_bytes(raw[: int(share * len(raw))])
    with pytest.raises(prosody.UnreadableAudioError, match=r"clip\.bin"):
        prosody.load_audio(path)


def test_no_sample_of_another_clip_is_ever_returned(tmp_path):
    """A cut MP3 measured after a clip of constant 0.777: an error each time, and no part of that clip."""
    soundfile.write(tmp_path / "marker.flac", np.full(6 * RATE, 0.777, np.float32), RATE)
    raw = encoded(voice(120, 6.0), "MP3", "MPEG_LAYER_III", bitrate_mode="CONSTANT")
    (tmp_path / "cut.mp3").write_bytes(raw[: len(raw) // 2])
    for _ in range(5):
        prosody.load_audio(tmp_path / "marker.flac")
        with pytest.raises(prosody.UnreadableAudioError, match="cut short"):
            prosody.load_audio(tmp_path / "cut.mp3")


def without_header_frame(raw: bytes) -> bytes:
    """An MP3 without the Xing or Info frame that its encoder wrote first."""
    first = raw.index(b"\xff")
    return raw[raw.index(raw[first : first + 2], first + 17) :]


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_an_mp3_of_variable_bit_rate_without_a_header_is_read_whole(tmp_path, rate):
    """3 s of noise, then silence and a voice: by the bit rate of the first frames it would last a third as long."""
    rng = np.random.default_rng(0)
    quiet = np.concatenate([voice(150, 3.0, rate=rate), np.zeros(16 * rate, np.float32), voice(150, 3.0, rate=rate)])
    signal = np.concatenate([rng.uniform(-0.5, 0.5, 3 * rate).astype(np.float32), quiet])
    raw = encoded(signal, "MP3", "MPEG_LAYER_III", rate=rate, bitrate_mode="VARIABLE", compression_level=0.5)
    path = tmp_path / "a.mp3"
    path.write_bytes(without_header_frame(raw))
    assert prosody.load_audio(path).duration_s == pytest.approx(25.0, abs=0.15)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_chained_ogg_is_read_whole_and_its_last_link_checked(tmp_path, subtype):
    """Three streams end to end: the sum of their lengths, each where it belongs; cut in the third: an error."""
    parts = [encoded(voice(f0, 2.0), "OGG", subtype) for f0 in (120, 180, 240)]
    path = tmp_path / "a.ogg"
    path.write_bytes(b"".join(parts))
    whole = prosody.load_audio(path)
    assert whole.duration_s == pytest.approx(6.0, abs=0.1)
    last = prosody.analyze(whole.samples[4 * RATE :], RATE)
    assert last.f0_median_hz == pytest.approx(240, rel=0.02)
    path.write_bytes(b"".join(parts)[:-2_000])
    with pytest.raises(prosody.UnreadableAudioError, match="cut short"):
        prosody.load_audio(path)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0])
def test_a_wav_whose_header_was_never_finished_is_read(tmp_path, size):
    """What programs write before they know the length: all samples that there are, and a note."""
    raw = bytearray(encoded(voice(150, 2.0), "WAV", "PCM_16"))
    at = raw.index(b"data") + 4
    raw[4:8] = raw[at : at + 4] = struct.pack("<I", size)
    (tmp_path / "a.wav").write_bytes(bytes(raw))
    profile = prosody.measure_file(tmp_path / "a.wav").profile
    assert profile.duration_s == 2.0
    assert any("length open" in note for note in profile.notes)


@pytest.mark.parametrize(
    ("name", "kind", "subtype"),
    [("a.raw", "WAV", "PCM_16"), ("a.gsm", "WAV", "GSM610"), ("a.vox", "AU", "G721_32"), ("a.mp3", "FLAC", "PCM_16")],
)
def test_content_decides_never_the_name(tmp_path, name, kind, subtype):
    """Formats that cannot be sought in (GSM 06.10, G.721) too: 3 s of a 153 Hz voice at 8 kHz."""
    (tmp_path / name).write_bytes(encoded(voice(153, 3.0, rate=8_000), kind, subtype, rate=8_000))
    measured = prosody.measure_file(tmp_path / name)
    assert measured.profile.duration_s == pytest.approx(3.0, abs=0.05)
    assert measured.profile.f0_median_hz == pytest.approx(153, rel=0.02)
    assert measured.profile.sample_rate == 8_000


def test_a_name_that_is_not_utf8_is_measured_and_escaped(tmp_path):
    """Latin-1 é in a file name: found in its folder, measured in a process of its own, written as `caf\\udce9.wav`."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav"))
    path.write_bytes(encoded(voice(150, 1.0), "WAV", "PCM_16"))
    bad = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xe9.wav"))
    bad.write_bytes(b"no sound")
    command = [sys.executable, "-m", "prosody.cli", "analyze", str(tmp_path), "-o", str(tmp_path / "out.jsonl")]
    command[1:3] = ["-c", "from prosody.cli import main; main()"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert done.returncode == 1
    (row,) = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert row["path"] == f"{tmp_path}/caf\\udce9.wav"
    (failure,) = (tmp_path / "out.jsonl.errors.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(failure)["id"] == f"{tmp_path}/bad\\udce9.wav"


def test_the_hash_is_of_what_was_decoded(tmp_path, monkeypatch):
    """A file that is replaced while it is measured is an error; measured again, hash and sound are the new file's."""
    path = tmp_path / "a.wav"
    path.write_bytes(encoded(voice(120, 1.0), "WAV", "PCM_16"))
    new = encoded(voice(240, 1.0), "WAV", "PCM_16")
    real = files.profile_of

    def replace_first(recording, **options):
        path.write_bytes(new)
        return real(recording, **options)

    monkeypatch.setattr(files, "profile_of", replace_first)
    with pytest.raises(prosody.UnreadableAudioError, match="changed while it was measured"):
        prosody.measure_file(path)
    monkeypatch.undo()
    measured = prosody.measure_file(path)
    assert measured.profile.f0_median_hz == pytest.approx(240, rel=0.02)
    assert measured.sha256 == file_sha256(path)


def test_a_file_is_measured_at_its_own_rate(tmp_path):
    """Clipped at 48 kHz: the share is that of the file's own samples; at 8 kHz gender is withheld."""
    clipped = np.clip(8 * voice(150, 2.0, rate=48_000), -0.5, 0.5)
    soundfile.write(tmp_path / "a.wav", clipped, 48_000, subtype="FLOAT")
    measured = prosody.measure_file(tmp_path / "a.wav")
    assert measured.profile.clipping_share == pytest.approx(clipping_share(clipped))
    assert measured.profile.clipping_share > 0.1
    assert (measured.profile.sample_rate, measured.audio.sample_rate) == (48_000, RATE)
    soundfile.write(tmp_path / "b.wav", voice(220, 2.0, rate=8_000), 8_000)
    assert prosody.measure_file(tmp_path / "b.wav").profile.gender is None


def test_a_long_clip_is_measured_as_a_short_one(tmp_path, monkeypatch):
    """Truth: `analyze` of all samples at once; here blocks of 0.2 s, and clipping by a second pass."""
    signal = np.clip(6 * voice(150, 3.0, rate=48_000), -0.5, 0.5)
    soundfile.write(tmp_path / "a.wav", signal, 48_000, subtype="FLOAT")
    whole = prosody.analyze(signal, 48_000)
    monkeypatch.setattr("prosody.decoding._BLOCK_SAMPLES", 9_601)
    monkeypatch.setattr(files, "_HELD_SAMPLES", 50_000)
    blocks = prosody.measure_file(tmp_path / "a.wav").profile
    assert blocks.clipping_share == whole.clipping_share
    assert blocks.duration_s == whole.duration_s
    assert blocks.f0_median_hz == pytest.approx(whole.f0_median_hz, rel=1e-4)
    assert blocks.energy_dbfs == pytest.approx(whole.energy_dbfs, abs=1e-3)


@pytest.mark.parametrize("kind", ["WAV", "OGG"])
def test_a_part_of_a_file(tmp_path, kind):
    """A voice of 120 Hz for 2 s, then 240 Hz: each part has its own pitch, whether or not one can seek in it."""
    signal = np.concatenate([voice(120, 2.0), voice(240, 2.0)])
    (tmp_path / "a").write_bytes(encoded(signal, kind, "PCM_16" if kind == "WAV" else "VORBIS"))
    for start, end, f0 in ((None, 1.9, 120), (2.1, 3.9, 240), (2.1, None, 240)):
        measured = prosody.measure_file(tmp_path / "a", start_s=start, end_s=end)
        assert measured.profile.f0_median_hz == pytest.approx(f0, rel=0.02)
        assert measured.profile.duration_s == pytest.approx((end or 4.0) - (start or 0.0), abs=0.01)
    with pytest.raises(prosody.EmptyAudioError, match=r"no sample from 9 s to the end"):
        prosody.load_audio(tmp_path / "a", start_s=9.0)


def test_channels_in_opposite_phase_get_a_note(tmp_path):
    """Equal channels and one channel: none; inverted with a rest of 1 %: 40 dB below them."""
    left = voice(150, 2.0)
    for right, noted in ((left, False), (-0.98 * left, True)):
        soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), RATE, subtype="FLOAT")
        notes = prosody.measure_file(tmp_path / "a.wav").profile.notes
        assert any("channels cancel" in note for note in notes) is noted
        assert not any("cancel" in n for n in prosody.measure_file(tmp_path / "a.wav", channel=1).profile.notes)


def test_linked_folders_are_searched_once_and_other_files_counted(tmp_path):
    """Two speakers behind links, one of them twice, a loop, a folder of its own, and three files of other kinds."""
    store = tmp_path / "store"
    for speaker in ("s1", "s2"):
        (store / speaker).mkdir(parents=True)
        (store / speaker / "a.wav").touch()
        (store / speaker / "notes.txt").touch()
    corpus = tmp_path / "corpus"
    (corpus / "own").mkdir(parents=True)
    for name in ("b.FLV", "c.sph", "d.snd", "e.aac", "f.3gp", "g.wv", "h.mp2", "strange.xyz"):
        (corpus / "own" / name).touch()
    (corpus / "s1").symlink_to(store / "s1")
    (corpus / "s2").symlink_to(store / "s2")
    (corpus / "s2-again").symlink_to(store / "s2")
    (corpus / "own" / "loop").symlink_to(corpus)
    found, passed_over = batch.find_audio([corpus])
    assert [str(path.relative_to(corpus)) for path in found] == [
        *(f"own/{name}" for name in ("b.FLV", "c.sph", "d.snd", "e.aac", "f.3gp", "g.wv", "h.mp2")),
        "s1/a.wav",
        "s2/a.wav",
    ]
    assert passed_over == {".txt": 2, ".xyz": 1}


def test_links_to_nothing_and_pipes_fail_by_name(tmp_path):
    """Found as what their names say they are; each costs itself only, and no reading of a pipe that nobody writes."""
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    (tmp_path / "self.wav").symlink_to(tmp_path / "self.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "folder.wav" / "a.wav").write_bytes(encoded(voice(150, 1.0), "WAV", "PCM_16"))
    found, _ = batch.find_audio([tmp_path])
    outcomes = {
        Path(path).name: item for path, item in zip(found, batch.measure_files([str(p) for p in found]), strict=True)
    }
    assert isinstance(outcomes.pop("a.wav"), batch.Measured)
    assert {name: item.error for name, item in outcomes.items()} == dict.fromkeys(
        ("gone.wav", "self.wav", "pipe.wav"), "AudioNotFoundError"
    )


def test_a_folder_of_many_files_is_searched_in_linear_time(tmp_path):
    """Twice the files, twice the time: comparing each with all found took 27 s for 16 000."""
    for number in range(3_000):
        (tmp_path / f"{number}.wav").touch()
        (tmp_path / f"{number}.txt").touch()
    start = time.perf_counter()
    found, passed_over = batch.find_audio([tmp_path])
    assert (len(found), passed_over[".txt"]) == (3_000, 3_000)
    assert time.perf_counter() - start < 1.5


def _work(task: str) -> str:
    if task == "die":
        os.kill(os.getpid(), 9)
    if task == "hang":
        import time

        time.sleep(60)
    if task == "fail":
        raise ValueError("as asked")
    return task.upper()


def test_an_item_that_kills_or_hangs_its_process_costs_itself_only():
    """Results in order, each item's own fate beside it."""
    tasks = ["a", "die", "b", "hang", "c", "fail", *"defghij"]
    outcomes = dict(map_isolated(_work, tasks, workers=2, timeout_s=2.0))
    assert list(outcomes) == tasks
    assert isinstance(outcomes["die"], WorkerDiedError)
    assert isinstance(outcomes["hang"], ItemTimeoutError)
    assert isinstance(outcomes["fail"], ValueError)
    assert [outcomes[t] for t in tasks if len(t) == 1] == [t.upper() for t in tasks if len(t) == 1]


UNGUARDED = """
from prosody.batch import measure_files
for number, result in enumerate(measure_files(["a.wav"] * 20, workers=2)):
    print("result", number)
"""


@pytest.mark.parametrize("kind", ["file", "stdin"])
def test_a_script_that_does_not_guard_its_main_module_is_told_to(tmp_path, kind):
    """Each process would import it and start processes in its turn, or does not find it. No file is failed for that."""
    (tmp_path / "script.py").write_text(UNGUARDED)
    words = [sys.executable, "script.py" if kind == "file" else "-"]
    done = subprocess.run(words, input=UNGUARDED, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    said = done.stderr.splitlines()[-1]
    assert said.startswith("prosody.errors.PoolError: ")
    assert 'guard the call with `if __name__ == "__main__":`' in said


def test_a_process_that_is_killed_between_two_items_fails_none(tmp_path):
    """The only one is killed before there is a second item: that is not the item's fault."""

    def items():
        yield str(tmp_path / "pid")
        while not (tmp_path / "pid").exists() or not (text := (tmp_path / "pid").read_text()):
            time.sleep(0.01)
        time.sleep(0.5)  # its result is received
        os.kill(int(text), 9)
        time.sleep(0.5)  # its end is noticed
        yield str(tmp_path / "other")

    with pytest.raises(prosody.PoolError, match="were killed"):
        list(map_isolated(_write_pid, items(), workers=1))


def _write_pid(path: str) -> None:
    Path(path).write_text(str(os.getpid()))


def test_items_are_taken_a_bounded_number_ahead():
    taken = []

    def items():
        for number in range(1000):
            taken.append(number)
            yield str(number)

    results = map_isolated(_work, items(), workers=1)
    assert next(results) == ("0", "0")
    assert len(taken) < 50
    results.close()


def test_resume_splits_lines_at_line_feeds_alone(tmp_path, monkeypatch, capsys):
    """U+2028 and U+0085 in a path are not ends of line; a line that is not a row is left out by name."""
    from prosody import cli

    folder = tmp_path / "a\u2028b\u0085c"
    folder.mkdir()
    for name in ("1.wav", "2.wav"):
        (folder / name).write_bytes(encoded(voice(150, 1.0), "WAV", "PCM_16"))
    out = tmp_path / "out.jsonl"

    def analyze(*paths: Path) -> str:
        monkeypatch.setattr(sys, "argv", ["prosody", "analyze", *map(str, paths), "-o", str(out), "--resume"])
        with pytest.raises(SystemExit) as left:
            cli.main()
        assert not left.value.code
        return capsys.readouterr().err

    analyze(folder / "1.wav")
    first = out.read_text(encoding="utf-8")
    with out.open("a", encoding="utf-8") as file:
        file.write('{"other": 1}\n[2]\nnot json\n')
    assert "left out 3 lines" in analyze(folder / "1.wav", folder / "2.wav")
    lines = out.read_text(encoding="utf-8").split("\n")
    assert lines[0] + "\n" == first
    assert [json.loads(line)["path"] for line in lines[:-1]] == [str(folder / "1.wav"), str(folder / "2.wav")]
    analyze(folder / "2.wav")
    assert len(out.read_text(encoding="utf-8").split("\n")) == 3, "the row of a file that is not asked for stays"
    out.write_text('{"path": "a.wav"}\n')
    assert "left out 1 lines" in analyze(folder / "1.wav")
    assert out.read_text(encoding="utf-8") == first


@pytest.mark.parametrize("output_format", ["jsonl", "csv", "parquet", "textgrid"])
def test_a_missing_output_folder_is_one_line_before_any_work(tmp_path, monkeypatch, capsys, output_format):
    from prosody import cli

    (tmp_path / "a.wav").write_bytes(encoded(voice(150, 1.0), "WAV", "PCM_16"))
    arguments = ["analyze", str(tmp_path / "a.wav"), "--format", output_format, "-o", str(tmp_path / "no" / "out")]
    monkeypatch.setattr(sys, "argv", ["prosody", *arguments])
    with pytest.raises(SystemExit, match="1"):
        cli.main()
    error = capsys.readouterr().err
    assert "no' does not exist: make it first" in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("output_format", "out"),
    [
        *((kind, "") for kind in ("jsonl", "csv", "parquet", "textgrid")),
        ("jsonl", "/dev/full"),
        ("textgrid", "/dev/full"),
    ],
)
def test_an_output_that_cannot_be_written_is_one_line(tmp_path, monkeypatch, capsys, output_format, out):
    """A folder in its place is said before any work; a full disk when it is found."""
    from prosody import cli

    (tmp_path / "a.wav").write_bytes(encoded(voice(150, 1.0), "WAV", "PCM_16"))
    arguments = ["analyze", str(tmp_path / "a.wav"), "--format", output_format, "-o", out or str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["prosody", *arguments])
    with pytest.raises(SystemExit, match="1"):
        cli.main()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("prosody: /dev/full: No space left" if out else f"prosody: {tmp_path}: is a folder")


def test_a_parquet_file_that_fails_leaves_the_old_one(tmp_path):
    """Files may not pass 200 bytes, as on a full disk: what an earlier run wrote is still there, nothing beside it."""
    pytest.importorskip("pyarrow")
    (tmp_path / "p.parquet").write_bytes(b"old")
    program = (
        "import resource, signal, sys; from pathlib import Path; from prosody.tables import write_parquet\n"
        "import pyarrow.parquet\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))\n"
        "try: write_parquet([], Path(sys.argv[1]))\n"
        "except OSError: sys.exit(7)\n"
    )
    done = subprocess.run([sys.executable, "-B", "-c", program, tmp_path / "p.parquet"], check=False, timeout=60)
    assert done.returncode == 7
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"p.parquet": b"old"}


def test_parquet_has_one_schema_for_all_files(tmp_path):
    """A voice with a pitch, and a hiss of which nearly nothing is known: equal schemas, so that they go together."""
    pq = pytest.importorskip("pyarrow.parquet")
    from prosody.tables import write_parquet

    hiss = np.random.default_rng(0).normal(0, 0.01, RATE).astype(np.float32)
    schemas = []
    for name, samples in (("a", voice(150, 1.0)), ("b", hiss)):
        profile = prosody.analyze(samples, RATE)
        write_parquet([batch.Measured(name, "00", profile)], tmp_path / f"{name}.parquet")
        schemas.append(pq.read_schema(tmp_path / f"{name}.parquet"))
    assert schemas[0].equals(schemas[1])
    assert str(schemas[0].field("age_group").type) == "string"
    assert str(schemas[0].field("f0_median_hz").type) == "double"
    assert pq.read_table(tmp_path).num_rows == 2


def test_failed_items_name_stage_and_error(tmp_path):
    """The one shape of all packages."""
    (tmp_path / "a.wav").write_bytes(b"no sound")
    (item,) = batch.measure_files([str(tmp_path / "a.wav")])
    assert isinstance(item, FailedItem)
    assert (item.id, item.stage, item.error) == (str(tmp_path / "a.wav"), "measure", "UnreadableAudioError")


def test_an_unforeseen_error_costs_its_clip_only(tmp_path, monkeypatch):
    """A worker in which measuring one clip raises what nobody expects: a failed item of that name, the others done."""
    for name in ("1.wav", "2.wav", "3.wav"):
        (tmp_path / name).write_bytes(encoded(voice(150, 1.0), "WAV", "PCM_16"))
    (tmp_path / "sitecustomize.py").write_text(
        "import prosody.files as f\nreal = f.measure_file\n"
        "def measure_file(path, **options):\n"
        "    if path.endswith('2.wav'): raise KeyError('unforeseen')\n"
        "    return real(path, **options)\n"
        "f.measure_file = measure_file\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    outcomes = list(batch.measure_files([str(tmp_path / f"{n}.wav") for n in (1, 2, 3)], workers=2))
    assert [type(outcome) for outcome in outcomes] == [batch.Measured, FailedItem, batch.Measured]
    assert outcomes[1].error == "KeyError"
    assert "2.wav: " in outcomes[1].message


def test_jitter_of_a_file_is_that_of_its_own_samples(tmp_path):
    """Truth: `voice_quality` of the samples at the file's rate; it measures at 16 kHz, as does the profile."""
    signal = voice(150, 2.0, rate=44_100)
    soundfile.write(tmp_path / "a.wav", signal, 44_100, subtype="FLOAT")
    measured = batch.measure_one(str(tmp_path / "a.wav"), extras=batch.Extras(voice=True))
    assert measured.voice == prosody.voice_quality(signal, 44_100)


@pytest.mark.slow
def test_an_hour_at_192_khz_is_measured_in_one_gibibyte(tmp_path):
    """691 million samples of a voice that moves, so that nothing is withheld; the limit is the issue's. Peak resident
    memory of a process that does nothing else."""
    rate = 192_000
    t = np.arange(10 * rate) / rate
    phase = 2 * np.pi * 150 * (t + 0.04 * np.sin(2 * np.pi * 0.5 * t))
    harmonics = sum(np.sin(k * phase) / k for k in range(1, 20))
    block = (0.05 * harmonics * (0.3 + np.sin(np.pi * 3 * t) ** 2)).astype(np.float32)
    with soundfile.SoundFile(tmp_path / "hour.flac", "w", rate, 1) as file:
        for _ in range(360):
            file.write(block)
    program = (
        "import prosody, sys; m = prosody.measure_file(sys.argv[1])\n"
        "print(m.profile.duration_s, next(line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "hour.flac"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},  # idle threads spin and slow the rest
    )
    duration_s, peak_kib = map(float, done.stdout.split())
    assert duration_s == 3600.0
    assert peak_kib <= 1 << 20
