"""One clip in twenty is poisoned, in seventeen ways, two of which end the process that measures it. Real servers."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import soundfile

from speech_records import file_sha256

pytestmark = pytest.mark.service

GOOD = 300
CLIP_LIMIT_S = 8.0
POISON = """
import io, ctypes, os, signal

opened = io.open

def open_or_end(file, *arguments, **more):
    if signal.getitimer(signal.ITIMER_REAL)[0] > 0:
        if os.environ["KILLS"] in str(file):
            os.kill(os.getpid(), signal.SIGKILL)
        if os.environ["HANGS"] in str(file):
            ctypes.PyDLL(None).sleep(3600)
        if os.environ["EATS"] in str(file):
            bytearray(16 << 30)
    return opened(file, *arguments, **more)

io.open = open_or_end
"""
"""Python runs it at the start of every process that finds it as `sitecustomize`. It acts where a clip is measured,
which an alarm watches. The sleep keeps the interpreter's lock, so that no Python code runs in the process any more."""


def ten_hours(path: Path) -> None:
    """1 kB of PCM whose header claims ten hours at 8 kHz, 8 bit."""
    claimed = 10 * 3600 * 8000
    head = struct.pack("<4sI4s4sI", b"RIFF", claimed + 36, b"WAVE", b"fmt ", 16)
    path.write_bytes(head + struct.pack("<HHIIHH4sI", 1, 1, 8000, 8000, 1, 8, b"data", claimed) + bytes(1000))


def cut_short(path: Path, speech: np.ndarray) -> None:
    soundfile.write(path, speech, 16_000)
    path.write_bytes(path.read_bytes()[:-2000])


def poisons(kit) -> Mapping[str, tuple[Callable[[Path], object], dict[str, object], str]]:
    """How each is made, what its line says besides, and the error that it must get."""
    speech = kit.speechlike(150.0, syllables=6, rate_sps=4.0, peak=0.4)

    def sound(samples: object, rate: int = 16_000, **more: str) -> Callable[[Path], object]:
        return lambda path: soundfile.write(path, samples, rate, **more)

    nothing = {}
    return MappingProxyType({
        "missing.wav": (lambda _: None, nothing, "MissingAudioError"),
        "text.wav": (lambda p: p.write_text("no sound"), nothing, "UnreadableAudioError"),
        "empty.wav": (lambda p: p.write_bytes(b""), nothing, "EmptyAudioError"),
        "cut.flac": (lambda p: cut_short(p, speech), nothing, "UnreadableAudioError"),
        "silent.wav": (sound(np.zeros(16_000)), nothing, "TooLittleSpeechError"),
        "click.wav": (sound(speech[4000:4040]), nothing, "TooLittleSpeechError"),
        "hours.wav": (ten_hours, nothing, "UnreadableAudioError"),
        "slow.wav": (sound(speech, 1000), nothing, "UnsupportedAudioError"),
        "channel.wav": (sound(speech), {"channel": 3}, "NoSuchChannelError"),
        "late.wav": (sound(speech), {"start_s": 60.0}, "EmptyAudioError"),
        "nan.wav": (sound(np.full(16_000, np.nan), subtype="FLOAT"), nothing, "InvalidSamplesError"),
        "label.wav": (sound(speech), {"emotion": "hungry as a bear"}, "UnknownEmotionError"),
        "../up.wav": (lambda _: None, nothing, "RecordFormatError"),
        "kills.wav": (sound(speech * 0.9), nothing, "WorkerDiedError"),
        "hangs.wav": (sound(speech * 0.8), nothing, "ItemTimeoutError"),
        "eats.wav": (sound(speech * 0.7), nothing, "MemoryError"),
    })  # fmt: skip


@pytest.mark.timeout(600)
def test_every_poisoned_clip_is_named_and_every_other_is_done(services, tmp_path: Path, kit) -> None:
    """The reasons are the libraries' own errors for the fault that each file was made with; ends of processes are named
    by their signal. Doing all again sends nothing."""
    root = kit.write_corpus(tmp_path / "corpus", clips=8)
    made = poisons(kit)
    with (root / "manifest.jsonl").open("w") as manifest:
        for i in range(GOOD):
            manifest.write(kit.line(f"good-{i:03}", f"audio/{i % 8:03}.flac"))
        for i, (name, (make, fields, _)) in enumerate(made.items()):
            make(root / name)
            manifest.write(kit.line(f"poisoned-{i}", name, **fields))
        manifest.write("no JSON\n")
    (tmp_path / "poison").mkdir()
    (tmp_path / "poison" / "sitecustomize.py").write_text(POISON)
    ends = {name.upper(): file_sha256(root / f"{name}.wav") for name in ("kills", "hangs", "eats")}
    services.start_worker(
        processes=2, PYTHONPATH=str(tmp_path / "poison"), ANNOTATOR_CLIP_LIMIT_S=str(CLIP_LIMIT_S), **ends
    )  # fmt: skip
    asked = ("submit", "--corpus", "manifest", "--root", str(root), "--job", "made")
    assert services.annotator(*asked)[0] == 0
    progress = services.wait_for("measure")
    letters = {d["id"]: d for d in map(json.loads, services.annotator("dead-letters", "--job", "made")[1].splitlines())}
    rejected = services.annotator("status", "--job", "made")[1]
    reasons = {name: letter["error"] for name, letter in letters.items()}

    ids = {name: f"poisoned-{i}" for i, name in enumerate(made)}
    listed = {"label.wav": GOOD + 12, "../up.wav": GOOD + 13}
    ids |= {name: f"manifest.jsonl:{number}" for name, number in listed.items()}
    expected = {ids[name]: error for name, (_, _, error) in made.items()}
    assert reasons == expected | {f"manifest.jsonl:{GOOD + 17}": "RecordFormatError"}
    assert progress == {"total": GOOD + 13, "done": GOOD, "failed": 13, "pending": 0}
    assert json.loads(rejected)["rejected"] == 4
    assert letters[ids["kills.wav"]]["attempt"] == letters[ids["hangs.wav"]]["attempt"] == 3
    assert "signal 9" in letters[ids["kills.wav"]]["message"]
    assert f"longer than {CLIP_LIMIT_S:g} s" in letters[ids["hangs.wav"]]["message"]
    log = services.worker.log.read_text()
    assert services.annotator(*asked)[1] == "0 items sent in 0 messages\n"
    assert services.worker.log.read_text().count("received") == log.count("received")
