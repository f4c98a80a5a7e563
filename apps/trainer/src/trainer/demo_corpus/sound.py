"""From the synthesizer's samples to a recording: resampled, trimmed, whispered if asked, levelled, in a room."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from trainer.demo_corpus.design import Spread
from trainer.errors import SpeechSynthesisError

SAMPLE_RATE = 16_000

SPEECH_DBFS = -30.0
"""Level of neutral speech in a recording with no offset."""
RECORDING_DB = Spread(0.0, 2.0)
"""Offset of the recording level: distance and gain differ from clip to clip, whatever is said."""
NOISE_DBFS = Spread(-66.0, 2.0)
"""Level of the room."""
SILENCE_S = (0.08, 0.16)
"""Silence before and after the speech, uniform."""
_PEAK = 0.98
"""Louder recordings are turned down to this peak instead of clipping."""

_SILENT_DB = -40.0
"""Parts of 5 ms this far below the loudest are silence at the ends."""
_WHISPER_QUEFRENCY_S = 0.00075
"""Cepstrum below this is kept as the vocal tract. Sharper envelopes (1.5 ms) let noise ring at the first formant
long enough for Praat to call one frame in twenty voiced; with this one it is one in five hundred."""
_WHISPER_CORNER_HZ = 1000.0
"""Whispering lacks the low frequencies that the vocal folds give: a second-order high-pass at this frequency."""

_WINDOW, _HOP = 512, 128
_HANN = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(_WINDOW) / _WINDOW)
_SPECTRUM_FLOOR = 1e-6
"""Added to magnitudes so that digital silence has a logarithm."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What the recording adds to the speech, whatever the emotion."""

    level_db: float
    noise_dbfs: float
    lead_s: float
    tail_s: float


def draw_recording(generator: np.random.Generator) -> Recording:
    """Draw how one clip is recorded."""
    return Recording(
        RECORDING_DB.draw(generator), NOISE_DBFS.draw(generator), *map(float, generator.uniform(*SILENCE_S, size=2))
    )


def record(
    spoken: NDArray[np.float32],
    sample_rate: int,
    *,
    energy_db: float,
    whispered: bool,
    recording: Recording,
    generator: np.random.Generator,
) -> NDArray[np.float32]:
    """The clip at `SAMPLE_RATE`, samples within ±0.98, from `spoken` at `sample_rate`.

    `energy_db` is the speech's level relative to neutral speech. Raises `SpeechSynthesisError` for silence.
    """
    speech = _trim(soxr.resample(spoken, sample_rate, SAMPLE_RATE))
    if whispered:
        speech = whisper(speech, generator=generator)
    target = 10.0 ** ((SPEECH_DBFS + energy_db + recording.level_db) / 20.0)
    speech = speech * (target / np.sqrt(np.mean(np.square(speech, dtype=np.float64))))
    lead, tail = (round(seconds * SAMPLE_RATE) for seconds in (recording.lead_s, recording.tail_s))
    clip = np.pad(speech, (lead, tail))
    clip += 10.0 ** (recording.noise_dbfs / 20.0) * generator.standard_normal(len(clip))
    peak = float(np.abs(clip).max())
    return np.asarray(clip * min(1.0, _PEAK / peak), dtype=np.float32)


def whisper(speech: NDArray[np.float32], *, generator: np.random.Generator) -> NDArray[np.float32]:
    """The same vocal tract excited by noise instead of the vocal folds, at `SAMPLE_RATE`.

    The spectral envelope of each frame (its cepstrum below 0.75 ms) shapes white noise; what the vocal folds
    give to the low frequencies is taken out.
    """
    spectrum = _frames(speech)  # [frames, frequencies]
    cepstrum = np.fft.irfft(np.log(np.abs(spectrum) + _SPECTRUM_FLOOR), axis=1)
    keep = round(_WHISPER_QUEFRENCY_S * SAMPLE_RATE)
    cepstrum[:, keep : _WINDOW - keep + 1] = 0.0
    envelope = np.exp(np.fft.rfft(cepstrum, axis=1).real)
    square_hz = np.square(np.fft.rfftfreq(_WINDOW, 1.0 / SAMPLE_RATE))
    high_pass = square_hz / (square_hz + _WHISPER_CORNER_HZ**2)
    noise = _frames(generator.standard_normal(len(speech)))
    return _overlap_add(noise * envelope * high_pass)[: len(speech)]


def _frames(signal: NDArray[np.floating]) -> NDArray[np.complex128]:
    """Spectra of overlapping Hann windows, [frames, frequencies]; the first is centred on the first hop."""
    padded = np.pad(signal, (_WINDOW - _HOP, _WINDOW))
    return np.fft.rfft(sliding_window_view(padded, _WINDOW)[::_HOP] * _HANN, axis=1)


def _overlap_add(spectrum: NDArray[np.complex128]) -> NDArray[np.float32]:
    """The signal that `_frames` would turn into `spectrum`, followed by the padding."""
    frames = np.fft.irfft(spectrum, axis=1) * _HANN
    hops = frames.reshape(len(frames), _WINDOW // _HOP, _HOP)  # [frames, hops of a frame, samples]
    padded = np.zeros((len(frames) + _WINDOW // _HOP - 1, _HOP))
    for i in range(_WINDOW // _HOP):
        padded[i : i + len(frames)] += hops[:, i]
    squares = np.square(_HANN).reshape(-1, _HOP).sum(axis=0)  # constant: squared Hann windows at a quarter hop add up
    return np.asarray((padded / squares).ravel()[_WINDOW - _HOP :], dtype=np.float32)


def _trim(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without the silence at either end."""
    step = SAMPLE_RATE // 200
    power = np.square(samples[: len(samples) // step * step], dtype=np.float64).reshape(-1, step).mean(axis=1)
    if not power.any():
        raise SpeechSynthesisError(f"{len(samples)} samples of silence cannot become a clip")
    loud = np.flatnonzero(power > power.max() * 10.0 ** (_SILENT_DB / 10.0))
    return samples[loud[0] * step : (loud[-1] + 1) * step]
