"""Modification through WORLD and PSOLA: what was asked for is what is measured afterwards."""

from __future__ import annotations

import logging

import numpy as np
import pytest

import prosody
from prosody.energy import active_level, frame_energy
from speech_records import ContourShape

RATE = 16_000


def speechlike(seconds=1.6):
    """A gliding voice through two resonances with 3 Hz syllables and silence around: speech enough for WORLD."""
    from scipy.signal import lfilter

    t = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(130 * 2 ** (3 * np.sin(2 * np.pi * 0.5 * t) / 12)) / RATE
    source = sum(np.sin(k * phase) for k in range(1, 30)) * 0.02
    for centre, width in ((600, 80), (1500, 120)):
        r = np.exp(-np.pi * width / RATE)
        source = lfilter([1 - r], [1, -2 * r * np.cos(2 * np.pi * centre / RATE), r * r], source)
    voiced = source * (0.1 + np.sin(np.pi * 3 * t) ** 2)
    padded = np.pad(voiced / np.abs(voiced).max() * 0.3, 4000)
    return (padded + 1e-4 * np.random.default_rng(4).standard_normal(len(padded))).astype(np.float32)


SIGNAL = speechlike()
BEFORE = prosody.analyze(SIGNAL, RATE)


def test_no_change_is_a_copy():
    """Nothing asked, nothing done: equal samples in a new array."""
    result = prosody.modify(SIGNAL, RATE)
    np.testing.assert_array_equal(result, SIGNAL)
    assert result is not SIGNAL


@pytest.mark.parametrize("pitch_st", [-4.0, 3.0])
def test_pitch_moves_by_what_was_asked(pitch_st):
    """Truth: the shift asked for, in semitones of the median; length, level and range stay."""
    result = prosody.modify(SIGNAL, RATE, pitch_st=pitch_st)
    after = prosody.analyze(result, RATE)
    assert 12 * np.log2(after.f0_median_hz / BEFORE.f0_median_hz) == pytest.approx(pitch_st, abs=0.2)
    assert after.f0_range_st == pytest.approx(BEFORE.f0_range_st, abs=0.6)
    assert after.energy_dbfs == pytest.approx(BEFORE.energy_dbfs, abs=0.5)
    assert len(result) == len(SIGNAL)


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.8])
def test_range_is_stretched_around_the_median(factor):
    """Truth: the range asked for; 0 is monotone."""
    after = prosody.analyze(prosody.modify(SIGNAL, RATE, range_factor=factor), RATE)
    assert after.f0_range_st == pytest.approx(factor * BEFORE.f0_range_st, abs=0.6)
    assert after.f0_median_hz == pytest.approx(BEFORE.f0_median_hz, rel=0.02)


@pytest.mark.parametrize("tempo", [0.8, 1.5])
def test_tempo_changes_duration_and_not_pitch(tempo):
    """Truth: duration divided by the tempo, to the sample; the median stays."""
    result = prosody.modify(SIGNAL, RATE, tempo=tempo)
    assert len(result) == round(len(SIGNAL) / tempo)
    after = prosody.analyze(result, RATE)
    assert after.f0_median_hz == pytest.approx(BEFORE.f0_median_hz, rel=0.02)
    speech = (BEFORE.speech_end_s - BEFORE.speech_start_s) / tempo
    assert after.speech_end_s - after.speech_start_s == pytest.approx(speech, abs=0.06)


def test_energy_alone_is_a_plain_gain():
    """Truth: 6 dB is a factor of 1.9953 on every sample; no vocoder in the way."""
    np.testing.assert_allclose(prosody.modify(SIGNAL, RATE, energy_db=-6.0), SIGNAL / 1.99526, rtol=1e-4)


def test_gain_stops_before_clipping_and_says_so(caplog):
    """The peak of 0.3 allows +10.4 dB: +20 dB is limited to that, and the log names both numbers."""
    with caplog.at_level(logging.WARNING, logger="prosody.modification"):
        result = prosody.modify(SIGNAL, RATE, energy_db=20.0)
    assert np.abs(result).max() == pytest.approx(0.999, abs=1e-3)
    assert "limited from +20.0 dB to +10.4 dB" in caplog.text


@pytest.mark.parametrize(
    "shape",
    [
        ContourShape.RISING,
        ContourShape.FALLING,
        ContourShape.RISING_FALLING,
        ContourShape.FALLING_RISING,
        ContourShape.LEVEL,
    ],
)
def test_imposed_contours_are_recognised(shape):
    """Truth: the contour asked for."""
    after = prosody.analyze(prosody.modify(SIGNAL, RATE, contour=shape), RATE)
    assert after.contour_shape is shape
    assert after.contour_confidence > 0.6


def test_whisper_has_no_voice_and_the_same_level():
    """Truth: no credible pitch is left, the active level stays."""
    result = prosody.modify(SIGNAL, RATE, whisper=True)
    after = prosody.analyze(result, RATE)
    assert after.f0_median_hz is None
    levels = [active_level(frame_energy(s, RATE).dbfs) for s in (SIGNAL, result)]
    assert levels[1] == pytest.approx(levels[0], abs=0.2)


def test_a_pause_is_inserted_where_asked():
    """Truth: 0.7 s more, and the pause found there (it joins what silence the speech has at that place)."""
    result = prosody.modify(SIGNAL, RATE, pauses=[prosody.PauseAt(at_s=0.9, duration_s=0.7)])
    assert len(result) == len(SIGNAL) + round(0.7 * RATE)
    assert not result[round(0.9 * RATE) : round(1.6 * RATE)].any()
    (pause,) = prosody.analyze(result, RATE).pauses
    assert pause.start_s == pytest.approx(0.9, abs=0.1)
    assert pause.end_s == pytest.approx(1.6, abs=0.1)


def test_eight_kilohertz_passes_through_world():
    """WORLD needs 16 kHz; 8 kHz clips go up and come back with the same length and the pitch asked for."""
    low = prosody.modify(SIGNAL[::2], 8_000, pitch_st=2.0)
    assert len(low) == len(SIGNAL[::2])
    after = prosody.analyze(low, 8_000)
    assert 12 * np.log2(after.f0_median_hz / BEFORE.f0_median_hz) == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pitch_st": 30.0}, r"pitch_st must lie in \[-24, 24\], got 30"),
        ({"tempo": 0.0}, "tempo"),
        ({"energy_db": float("nan")}, "energy_db"),
        ({"whisper": True, "pitch_st": 1.0}, "whispered speech has no pitch"),
        ({"contour": ContourShape.UNCERTAIN}, "not a shape"),
        ({"pauses": [prosody.PauseAt(99.0, 1.0)]}, "inside the clip"),
        ({"pitch_st": 1.0, "time_limit_s": 0.0}, "took longer"),
    ],
)
def test_what_cannot_be_done_raises(arguments, message):
    """Out of range, contradictory or late: a ModificationError that names the value."""
    with pytest.raises(prosody.ModificationError, match=message):
        prosody.modify(SIGNAL, RATE, **arguments)


def test_pitch_of_noise_cannot_be_moved():
    """No voice, no pitch to change."""
    noise = (0.1 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)
    with pytest.raises(prosody.ModificationError, match="no credible voicing"):
        prosody.modify(noise, RATE, pitch_st=2.0)


@pytest.mark.parametrize(
    ("change", "shift_st", "range_share"),
    [({"pitch_st": 4.0}, 4.0, 1.0), ({"pitch_st": -3.0}, -3.0, 1.0), ({"range_factor": 0.5}, 0.0, 0.5)],
)
def test_psola_changes_pitch_as_asked(change, shift_st, range_share):
    """Truth: the shift and the range asked for; length to the sample, level within half a decibel."""
    result = prosody.modify(SIGNAL, RATE, method=prosody.Method.PSOLA, **change)
    after = prosody.analyze(result, RATE)
    assert len(result) == len(SIGNAL)
    assert 12 * np.log2(after.f0_median_hz / BEFORE.f0_median_hz) == pytest.approx(shift_st, abs=0.3)
    assert after.f0_range_st == pytest.approx(range_share * BEFORE.f0_range_st, abs=0.6)
    assert after.energy_dbfs == pytest.approx(BEFORE.energy_dbfs, abs=0.5)


@pytest.mark.parametrize("tempo", [0.7, 1.4])
def test_psola_changes_tempo_and_not_pitch(tempo):
    """Truth: duration divided by the tempo, to the sample; the median stays."""
    result = prosody.modify(SIGNAL, RATE, tempo=tempo, method=prosody.Method.PSOLA)
    assert len(result) == round(len(SIGNAL) / tempo)
    after = prosody.analyze(result, RATE)
    assert after.f0_median_hz == pytest.approx(BEFORE.f0_median_hz, rel=0.02)
    speech = (BEFORE.speech_end_s - BEFORE.speech_start_s) / tempo
    assert after.speech_end_s - after.speech_start_s == pytest.approx(speech, abs=0.06)


@pytest.mark.parametrize("shape", [ContourShape.RISING, ContourShape.FALLING, ContourShape.RISING_FALLING])
def test_psola_imposes_contours(shape):
    """Truth: the contour asked for."""
    result = prosody.modify(SIGNAL, RATE, contour=shape, method=prosody.Method.PSOLA)
    assert prosody.analyze(result, RATE).contour_shape is shape


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"whisper": True}, "whisper needs WORLD"),
        ({"pitch_st": 1.0, "time_limit_s": 0.0}, "took longer"),
        ({"tempo": 9.0}, "tempo"),
    ],
)
def test_what_psola_cannot_do_raises(arguments, message):
    """No whisper without a vocoder; the same ranges and the same clock."""
    with pytest.raises(prosody.ModificationError, match=message):
        prosody.modify(SIGNAL, RATE, method=prosody.Method.PSOLA, **arguments)


@pytest.mark.parametrize("method", list(prosody.Method))
def test_clips_that_are_too_long(method):
    """Over two minutes: refused before anything is computed, naming the length and the limit."""
    with pytest.raises(prosody.ModificationError, match=r"121\.0 s of speech; at most 120 s"):
        prosody.modify(np.zeros(121 * RATE, np.float32), RATE, tempo=2.0, method=method)


def test_psola_needs_three_periods():
    """20 ms hold one period of 60 Hz: refused; WORLD does them, to the sample."""
    with pytest.raises(prosody.ModificationError, match="three periods"):
        prosody.modify(SIGNAL[8_000:8_320], RATE, tempo=0.5, method=prosody.Method.PSOLA)
    assert len(prosody.modify(SIGNAL[8_000:8_320], RATE, tempo=0.5)) == 640
