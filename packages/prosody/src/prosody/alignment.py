"""Where the words are: labelled segments, from a TextGrid, from pocketsphinx, or spread evenly over the speech.

Every aligner answers the same question, `align(samples, sample_rate, transcript) -> segments`, and says in
`Alignment.method` how far it can be trusted: `given`, `pocketsphinx` or `even` (a guess by syllable counts).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from prosody.audio import DEFAULT_SAMPLE_RATE, resample
from prosody.energy import HOP_S
from prosody.errors import AlignmentError
from prosody.measurement import Tracks, tracks
from prosody.syllabify import syllables_per_word

_SPHINX_FRAME_S: Final = 0.010
_SPHINX_FILLERS: Final = ("<", "[", "(")


@dataclass(frozen=True, slots=True)
class Segment:
    """A labelled stretch of a clip, in seconds; `syllables` is how many it holds."""

    label: str
    start_s: float
    end_s: float
    syllables: int = 1

    def __post_init__(self) -> None:
        if not 0.0 <= self.start_s < self.end_s or self.syllables < 1:
            raise AlignmentError(f"{self.label!r}: need 0 <= start_s < end_s and a syllable, got {self}")


@dataclass(frozen=True, slots=True)
class Alignment:
    """The words of a clip in order; `method` is `given`, `pocketsphinx` or `even`."""

    words: tuple[Segment, ...]
    method: str

    def __post_init__(self) -> None:
        for left, right in zip(self.words, self.words[1:], strict=False):
            if right.start_s < left.end_s - 1e-6:
                raise AlignmentError(f"{right.label!r} starts at {right.start_s} s, inside {left.label!r}")


class Aligner(Protocol):
    """Finds the words of a transcript in a clip."""

    def align(self, samples: NDArray[np.float32], sample_rate: int, transcript: str) -> Alignment:
        """The words with their times; `AlignmentError` when the transcript cannot be placed."""
        ...


@dataclass(frozen=True, slots=True)
class EvenSpread:
    """Words spread over the speech (pauses left out) in proportion to their syllables: a guess, and marked as one."""

    language: str | None = None

    def align(self, samples: NDArray[np.float32], sample_rate: int, transcript: str) -> Alignment:
        """Every word gets its share of the time that speech was found in."""
        counted = syllables_per_word(transcript, language=self.language)
        if counted is None:
            raise AlignmentError(f"the syllables of {transcript[:60]!r} cannot be counted, so nothing can be spread")
        edges = _speech_clock(tracks(samples, sample_rate), sum(count for _, count in counted))
        position, words = 0, []
        for word, count in counted:
            words.append(Segment(word, edges[position], edges[position + count], count))
            position += count
        return Alignment(tuple(words), "even")


def _speech_clock(measured: Tracks, steps: int) -> list[float]:
    """`steps` + 1 times that cut the speech of a clip, its pauses left out, into equal parts."""
    inside = measured.speech.copy()
    if not inside.any():
        raise AlignmentError("no speech was found to place words in")
    first, last = np.flatnonzero(inside)[[0, -1]]
    inside[first : last + 1] = True
    for pause in measured.pauses:
        inside[(measured.energy_times_s > pause.start_s) & (measured.energy_times_s < pause.end_s)] = False
    times = measured.energy_times_s[inside]
    wanted = np.linspace(0, len(times), steps + 1)
    edges = np.interp(wanted, np.arange(len(times) + 1), np.append(times - HOP_S / 2, times[-1] + HOP_S / 2))
    if (np.diff(edges) <= 0).any():
        raise AlignmentError(f"{steps} syllables do not fit into {len(times) * HOP_S:.2f} s of speech")
    return [float(edge) for edge in edges]


@dataclass(frozen=True, slots=True)
class PocketSphinxAligner:
    """Forced alignment of English with pocketsphinx (`pip install pocketsphinx`), which carries its own model."""

    def align(self, samples: NDArray[np.float32], sample_rate: int, transcript: str) -> Alignment:
        """Word times to 10 ms; words outside of its dictionary raise `AlignmentError`."""
        counted = syllables_per_word(transcript, language="en")
        if counted is None:
            raise AlignmentError(f"{transcript[:60]!r} holds no words, or digits")
        decoder = _decoder()
        decoder.reinit_feat()  # which keeps what it learnt about the noise of the clip before
        pcm = np.clip(resample(samples, sample_rate, DEFAULT_SAMPLE_RATE) * 32_767.0, -32_768, 32_767).astype("<i2")
        try:
            decoder.set_align_text(" ".join(word.lower() for word, _ in counted))
            decoder.start_utt()
            decoder.process_raw(pcm.tobytes(), full_utt=True)
            decoder.end_utt()
        except RuntimeError as error:
            raise AlignmentError(f"pocketsphinx cannot align {transcript[:60]!r}: {error}") from error
        found = [piece for piece in decoder.seg() or () if not piece.word.startswith(_SPHINX_FILLERS)]
        if len(found) != len(counted):
            raise AlignmentError(f"pocketsphinx placed {len(found)} of {len(counted)} words")
        return Alignment(
            tuple(_segment(piece, *word) for piece, word in zip(found, counted, strict=True)), "pocketsphinx"
        )


@cache  # loading the model takes 90 ms, several times a clip; nothing of a clip stays, its mean is taken in one batch
def _decoder() -> Any:
    try:
        from pocketsphinx import Decoder
    except ImportError as error:
        raise AlignmentError("pocketsphinx is not installed; spread evenly or give the boundaries") from error
    return Decoder(samprate=DEFAULT_SAMPLE_RATE, bestpath=False, lm=None, loglevel="FATAL")


def _segment(piece: Any, word: str, syllables: int) -> Segment:
    start_s, end_s = piece.start_frame * _SPHINX_FRAME_S, (piece.end_frame + 1) * _SPHINX_FRAME_S
    return Segment(word, round(start_s, 3), round(end_s, 3), syllables)


@dataclass(frozen=True, slots=True)
class GivenWords:
    """Words whose boundaries someone has set."""

    words: tuple[Segment, ...]

    @classmethod
    def read(cls, path: str | Path) -> GivenWords:
        """The tier `words` of a TextGrid. Raises `AlignmentError` when there is none."""
        from prosody.textgrid import read_textgrid

        tiers = read_textgrid(path)
        if "words" not in tiers:
            raise AlignmentError(f"{path}: has no tier 'words', only {', '.join(tiers) or 'none'}")
        return cls(tiers["words"])

    def align(self, samples: NDArray[np.float32], sample_rate: int, transcript: str) -> Alignment:
        """The words as they were given, whatever the transcript."""
        return Alignment(self.words, "given")
