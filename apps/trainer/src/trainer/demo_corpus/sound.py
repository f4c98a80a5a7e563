"""From the synthesizer's samples to a recording: resampled, trimmed, whispered if asked, levelled, in a room."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from trainer.demo_corpus.design import Spread

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
_WHISPER_QUEFRENCY_S = 0.0009
"""Cepstrum below this is kept as the vocal tract. Sharper envelopes (1.5 ms) let noise ring at the first formant
long enough for Praat to call one frame in twenty voiced; with this one it is one in two hundred."""
_WHISPER_CORNER_HZ = 1000.0
"""Whispering lacks the low frequencies that the vocal folds give: a second-order high-pass at this frequency."""


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

    `energy_db` is the speech's level relative to neutral speech. Raises `ValueError` for silence.
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

    The spectral envelope of each frame (its cepstrum below 0.9 ms) shapes white noise; what the vocal folds
    give to the low frequencies is taken out.
    """
    window = 512
    stft = ShortTimeFFT(hann(window, sym=False), hop=window // 4, fs=SAMPLE_RATE)
    magnitude = np.abs(stft.stft(speech))  # [frequencies, frames]
    cepstrum = np.fft.irfft(np.log(magnitude + 1e-6), axis=0)
    keep = round(_WHISPER_QUEFRENCY_S * SAMPLE_RATE)
    cepstrum[keep : window - keep + 1] = 0.0
    envelope = np.exp(np.fft.rfft(cepstrum, axis=0).real)
    high_pass = np.square(stft.f) / (np.square(stft.f) + _WHISPER_CORNER_HZ**2)
    noise = stft.stft(generator.standard_normal(len(speech)))
    shaped = stft.istft(noise * envelope * high_pass[:, None], k1=len(speech))
    return np.asarray(shaped, dtype=np.float32)


def _trim(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without the silence at either end."""
    power = uniform_filter1d(np.square(samples, dtype=np.float64), SAMPLE_RATE // 200)
    loud = np.flatnonzero(power > power.max() * 10.0 ** (_SILENT_DB / 10.0))
    if loud.size == 0:
        raise ValueError(f"{len(samples)} samples of silence cannot become a clip")
    return samples[loud[0] : loud[-1] + 1]
