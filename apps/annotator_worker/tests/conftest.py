"""A corpus made for the tests: harmonic complexes with a syllabic envelope. Synthetic, and labelled so."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

RATE = 16_000
EMOTIONS = ("neutral", "happy", "sad", "angry")


def speechlike(
    f0_hz: float, *, syllables: int, rate_sps: float, peak: float, sample_rate: int = RATE
) -> NDArray[np.float64]:
    """Syllables as raised cosines over a gliding harmonic complex, with 0.15 s of faint noise at both ends."""
    count = round(syllables / rate_sps * sample_rate)
    times = np.arange(count) / sample_rate
    phase = 2 * np.pi * np.cumsum(f0_hz * 2 ** (-2 * times / times[-1] / 12)) / sample_rate
    harmonics = range(1, int(min(3500.0, 0.45 * sample_rate) / f0_hz))
    voice = sum(np.sin(k * phase) / k for k in harmonics) * (0.02 + np.sin(np.pi * rate_sps * times) ** 2)
    edge = np.zeros(round(0.15 * sample_rate))
    clip = np.concatenate([edge, peak * voice / np.max(np.abs(voice)), edge])
    return clip + 1e-4 * np.random.default_rng(0).standard_normal(len(clip))


def line(name: str, path: str, **fields: object) -> str:
    """One line of a manifest."""
    record = {"utterance_id": name, "audio_path": path, "speaker_id": "made", "emotion": "neutral", "synthetic": True}
    return json.dumps(record | fields) + "\n"


def write_corpus(root: Path, *, clips: int) -> Path:
    """A manifest of `clips` good utterances below `root`, three train to one test, all different."""
    (root / "audio").mkdir(parents=True)
    lines = []
    for i in range(clips):
        f0_hz, rate_sps = 110.0 * 2 ** (i % 7 / 7), 3.5 + i % 3
        samples = speechlike(f0_hz, syllables=5, rate_sps=rate_sps, peak=0.2 + 0.1 * (i % 4))
        soundfile.write(root / "audio" / f"{i:03}.flac", samples, RATE)
        fields = {
            "emotion": EMOTIONS[i % 4],
            "split": "test" if i % 4 == 3 else "train",
            "transcript": "The parcel came today",
            "stressed_words": ["parcel"],
        }
        lines.append(line(f"made-{i:03}", f"audio/{i:03}.flac", **fields))
    (root / "manifest.jsonl").write_text("".join(lines))
    return root


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a data set by its path, without the work file."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".work" not in path.parts
    }


@dataclass(frozen=True)
class Kit:
    """What tests make corpora with; handed over as a fixture, for test files do not import one another."""

    speechlike: Callable[..., NDArray[np.float64]] = speechlike
    line: Callable[..., str] = line
    write_corpus: Callable[..., Path] = write_corpus
    contents: Callable[[Path], dict[str, bytes]] = contents


@pytest.fixture(scope="session")
def kit() -> Kit:
    return Kit()
