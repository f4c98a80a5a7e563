"""Pitch, contour and harmonicity on signals whose truth is analytic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

import prosody
from speech_records import ContourDynamics, ContourShape

RATE = 16_000


def voice(f0_hz, *, seconds=None, level=0.1, rate=RATE, harmonics=10):
    """A harmonic complex with 1/k amplitudes; `f0_hz` is a number or a track of one value per sample."""
    n = len(f0_hz) if np.ndim(f0_hz) else round(seconds * rate)
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(f0_hz, n) / rate)
    top = float(np.max(f0_hz))
    tones = [np.sin(k * phase) / k for k in range(1, harmonics + 1) if k * top < rate / 2]
    return (level * np.sum(tones, axis=0)).astype(np.float32)


def glide(points_st, *, seconds=1.5, base_hz=160.0):
    """F0 per sample through evenly spaced heights in semitones above `base_hz`."""
    n = round(seconds * RATE)
    heights = np.interp(np.arange(n) / n, np.linspace(0, 1, len(points_st)), points_st)
    return base_hz * 2 ** (heights / 12)


@pytest.mark.parametrize("f0_hz", [70.0, 110.0, 220.0, 440.0, 700.0])
def test_a_constant_tone_has_its_pitch_and_no_range(f0_hz):
    """Truth: the frequency the tone was built with; a constant has no range, slope or spread."""
    profile = prosody.analyze(voice(f0_hz, seconds=1.0), RATE)
    assert profile.f0_median_hz == pytest.approx(f0_hz, rel=0.002)
    assert profile.f0_range_st == pytest.approx(0.0, abs=0.02)
    assert profile.f0_sd_st == pytest.approx(0.0, abs=0.02)
    assert profile.f0_slope_st_per_s == pytest.approx(0.0, abs=0.05)
    assert profile.contour_shape is ContourShape.LEVEL
    assert profile.contour_dynamics is ContourDynamics.FLAT


@pytest.mark.parametrize(
    ("points_st", "shape", "dynamics"),
    [
        ([0, 6], ContourShape.RISING, ContourDynamics.MODERATE),
        ([6, 0], ContourShape.FALLING, ContourDynamics.MODERATE),
        ([0, 6, 0], ContourShape.RISING_FALLING, ContourDynamics.MODERATE),
        ([6, 0, 6], ContourShape.FALLING_RISING, ContourDynamics.MODERATE),
        ([0, 1], ContourShape.LEVEL, ContourDynamics.FLAT),
        ([0, 16], ContourShape.RISING, ContourDynamics.EXPRESSIVE),
        ([0, 8, 8, 0], ContourShape.RISING_FALLING, ContourDynamics.MODERATE),
    ],
)
def test_glides_have_their_shape(points_st, shape, dynamics):
    """Truth: the heights the glide was built through, against the documented cuts of 2, 3 and 9 st."""
    profile = prosody.analyze(voice(glide(points_st)), RATE)
    assert (profile.contour_shape, profile.contour_dynamics) == (shape, dynamics)
    assert profile.contour_confidence > 0.8


def test_a_linear_glide_has_its_slope_and_range():
    """Truth: 8 st in 2 s is 4 st/s; the 5th to 95th percentile of a line spans 90 % of it, 7.2 st; its SD is 8/√12."""
    profile = prosody.analyze(voice(glide([0, 8], seconds=2.0)), RATE)
    assert profile.f0_slope_st_per_s == pytest.approx(4.0, rel=0.02)
    assert profile.f0_range_st == pytest.approx(7.2, rel=0.03)
    assert profile.f0_sd_st == pytest.approx(8 / 12**0.5, rel=0.03)


def test_gaps_stay_gaps():
    """Truth: half a second of silence between two tones: no voiced frame and no contour value inside it."""
    tone = voice(150.0, seconds=0.6)
    measured = prosody.tracks(np.concatenate([tone, np.zeros(RATE // 2, np.float32), tone]), RATE)
    inside = (measured.pitch.times_s > 0.63) & (measured.pitch.times_s < 1.07)
    assert not measured.pitch.voiced[inside].any()
    assert np.isnan(measured.contour.semitones[inside]).all()
    assert measured.pitch.voiced[measured.pitch.times_s < 0.55].all()


def test_values_recorded_from_praat():
    """Recorded with Praat 6.1.38 (parselmouth 0.4.7), To Pitch (ac): 0.01 75 15 no 0.03 0.45 0.01 0.35 0.14 600, on
    this signal: 0.1·Σ sin(kφ)/k, k = 1…10, F0 = 180 + 60·sin(2π·1.5 t) Hz, 1 s at 16 kHz. Quantiles of F0 over voiced
    frames: 5 % 122.206, 50 % 203.842, 95 % 239.443 Hz. The second pass here has another window, hence the tolerance."""
    t = np.arange(RATE) / RATE
    profile = prosody.analyze(voice(180 + 60 * np.sin(2 * np.pi * 1.5 * t)), RATE)
    assert profile.f0_p05_hz == pytest.approx(122.206, rel=0.02)
    assert profile.f0_median_hz == pytest.approx(203.842, rel=0.01)
    assert profile.f0_p95_hz == pytest.approx(239.443, rel=0.01)


def test_harmonics_to_noise_ratio_is_that_of_the_mixture():
    """Truth: a periodic signal of power P and white noise of power N have 10·log10(P/N) dB (Boersma 1993)."""
    tone = voice(150.0, seconds=2.0)
    noise = np.random.default_rng(5).standard_normal(len(tone))
    for wanted_db in (5.0, 10.0, 20.0):
        scale = tone.std() / 10 ** (wanted_db / 20)
        profile = prosody.analyze((tone + scale * noise).astype(np.float32), RATE)
        assert profile.hnr_db == pytest.approx(wanted_db, abs=1.0)


@pytest.mark.parametrize(("frames", "window"), [(9, 9), (30, 9), (5, 5), (4, 3)])
def test_smoothing_is_that_of_savitzky_and_golay(frames, window):
    """Truth: scipy.signal.savgol_filter with the same window and order 2."""
    from scipy.signal import savgol_filter

    from prosody.contour import savitzky_golay

    values = np.random.default_rng(frames).standard_normal(frames)
    np.testing.assert_allclose(savitzky_golay(values, window), savgol_filter(values, window, 2), atol=1e-12)


def test_octave_repair_takes_a_run_that_lies_an_octave_off_back():
    """Truth by hand: two long runs at 200 Hz, a short one chosen at 100 Hz whose second candidate is 200 Hz."""
    from prosody.pitch import _repair_octaves

    chosen = np.r_[np.full(20, 200.0), 0.0, np.full(5, 100.0), 0.0, np.full(20, 200.0)]
    second = np.where(chosen == 100.0, 201.0, 0.0)
    candidates = np.stack([chosen, second])
    strengths = np.where(candidates > 0, 0.9, 0.0)
    repaired, _ = _repair_octaves(np.arange(len(chosen)) * 0.01, candidates, strengths)
    np.testing.assert_array_equal(repaired[21:26], 201.0)
    np.testing.assert_array_equal(repaired[:20], 200.0)


@settings(max_examples=15, deadline=None)
@given(points=st.lists(st.floats(-5, 5), min_size=2, max_size=4), base_hz=st.floats(90, 300))
def test_time_reversal_mirrors_the_contour(points, base_hz):
    """Property: played backwards, start and end change places, the range stays, rising becomes falling."""
    signal = voice(glide(points, seconds=1.2, base_hz=base_hz))
    forward, backward = (prosody.tracks(s, RATE).contour for s in (signal, signal[::-1].copy()))
    assert backward.range_st == pytest.approx(forward.range_st, abs=0.15)
    assert backward.slope_st_per_s == pytest.approx(-forward.slope_st_per_s, abs=0.15)
    mirrored = {ContourShape.RISING: ContourShape.FALLING, ContourShape.FALLING: ContourShape.RISING}
    margins = [abs(abs(v) - 2.0) for v in (
        forward.end_st - forward.start_st,
        forward.knee_st - max(forward.start_st, forward.end_st),
        min(forward.start_st, forward.end_st) - forward.knee_st,
    )]  # fmt: skip
    if min(margins) > 0.3:  # on a cut itself, a hair decides
        assert backward.shape is mirrored.get(forward.shape, forward.shape)


@settings(max_examples=10, deadline=None)
@given(gain_db=st.floats(-20, 20), f0_hz=st.floats(80, 350))
def test_gain_moves_energy_only(gain_db, f0_hz):
    """Property: a gain moves the two levels by itself, in dB, and every other field not at all."""
    signal = np.concatenate(
        [np.zeros(4000, np.float32), voice(f0_hz, seconds=0.8, level=0.05), np.zeros(4000, np.float32)]
    )
    signal += np.random.default_rng(1).standard_normal(len(signal)).astype(np.float32) * 1e-4
    before = prosody.analyze(signal, RATE)
    after = prosody.analyze(signal * np.float32(10 ** (gain_db / 20)), RATE)
    assert after.energy_dbfs - before.energy_dbfs == pytest.approx(gain_db, abs=0.01)
    assert after.noise_floor_dbfs - before.noise_floor_dbfs == pytest.approx(gain_db, abs=0.01)
    for name in ("f0_median_hz", "f0_range_st", "voiced_share", "energy_range_db", "snr_db", "hnr_db", "syllables",
                 "articulation_rate_sps", "pause_share", "contour_confidence", "clipping_share"):  # fmt: skip
        assert getattr(after, name) == pytest.approx(getattr(before, name), rel=1e-3, abs=1e-3), name
    assert after.contour_shape is before.contour_shape


def wandering_voice(f0_hz, *, seconds=2.5, seed=0):
    """A voice of four syllables a second whose pitch moves by about 1 st around `f0_hz`, with silence around it."""
    rng, t = np.random.default_rng(seed), np.arange(round(seconds * RATE)) / RATE
    jitter_st = np.interp(t * 100, np.arange(300), 0.06 * rng.standard_normal(300))
    heights_st = 0.7 * np.sin(2 * np.pi * 0.9 * t) + 0.4 * np.sin(2 * np.pi * 1.7 * t) + jitter_st
    tone = voice(f0_hz * 2 ** (heights_st / 12), harmonics=40) * (0.05 + np.abs(np.sin(np.pi * 4 * t)))
    still = 1e-4 * rng.standard_normal(round(0.3 * RATE))
    return np.concatenate([still, tone, still]).astype(np.float32)


@pytest.mark.parametrize("mains_hz", [50.0, 59.97])
@pytest.mark.parametrize("multiples", [(1, 2, 3, 4, 5, 6), (2, 4, 6), (1, 3, 5, 7)])
@pytest.mark.parametrize("below_db", [15.0, 20.0])
def test_mains_hum_does_not_take_the_pitch(mains_hz, multiples, below_db):
    """Truth: the pitch of the voice before hum of 50 or 60 Hz was added, 15 and 20 dB below it; and a note."""
    rng = np.random.default_rng(1)
    for f0_hz in (130.0, 210.0):
        clean = wandering_voice(f0_hz)
        t = np.arange(len(clean)) / RATE
        hum = sum(np.sin(2 * np.pi * mains_hz * k * t + rng.uniform(0, 6)) / k for k in multiples)
        hum *= 10 ** (prosody.analyze(clean, RATE).energy_dbfs / 20 - below_db / 20) / hum.std()
        profile = prosody.analyze((clean + hum).astype(np.float32), RATE)
        assert profile.f0_median_hz == pytest.approx(f0_hz, rel=0.05)
        assert profile.f0_p05_hz > f0_hz * 0.85
        assert any("hum" in note for note in profile.notes)


@pytest.mark.parametrize("f0_hz", [100.0, 120.0, 150.0])
def test_a_voice_at_a_multiple_of_the_mains_is_no_hum(f0_hz):
    """Truth: the signals are built without hum, though every harmonic lies on a multiple of 50 or 60 Hz."""
    t = np.arange(2 * RATE) / RATE
    held = voice(f0_hz, seconds=2.0) * (0.05 + np.abs(np.sin(np.pi * 3 * t)))
    noise = 1e-3 * np.random.default_rng(0).standard_normal(len(held))
    for signal in (held + noise, wandering_voice(f0_hz)):
        profile = prosody.analyze(signal.astype(np.float32), RATE)
        assert profile.f0_median_hz == pytest.approx(f0_hz, rel=0.05)
        assert not any("hum" in note for note in profile.notes)


def fry(formant_hz, slowest_hz, fastest_hz, *, seed):
    """Pulses at irregular times, `slowest_hz` to `fastest_hz` a second, each ringing at three formants."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(1.0 / rng.uniform(slowest_hz, fastest_hz, 200))
    pulses = np.zeros(round(2.5 * RATE))
    at = (times[times < 2.5 - 1e-3] * RATE).astype(int)
    pulses[at] = rng.uniform(0.6, 1.0, len(at))
    for centre_hz, width_hz in ((formant_hz, 70), (1_300, 110), (2_500, 160)):
        radius = np.exp(-np.pi * width_hz / RATE)
        pulses = lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * centre_hz / RATE), radius**2], pulses)
    return (0.3 * pulses / np.abs(pulses).max() + 2e-4 * rng.standard_normal(len(pulses))).astype(np.float32)


@pytest.mark.parametrize("formant_hz", [350, 450, 600, 700])
@pytest.mark.parametrize("rate_hz", [(18, 35), (22, 48), (30, 55)])
def test_vocal_fry_does_not_get_its_first_formant_as_pitch(formant_hz, rate_hz):
    """Truth: the pulses come 18 to 55 times a second; whatever is reported must lie below 60 Hz, or be unknown."""
    for seed in range(2):
        profile = prosody.analyze(fry(formant_hz, *rate_hz, seed=seed), RATE)
        assert profile.f0_median_hz is None or profile.f0_median_hz < 60.0
        assert profile.gender is None


def test_fry_after_a_voice_leaves_the_pitch_of_the_voice():
    """Truth: the voice was built at 180 Hz, within 1.5 st; the fry after it has no pitch, and a note says so."""
    profile = prosody.analyze(np.concatenate([wandering_voice(180.0), fry(450, 30, 55, seed=0)]), RATE)
    assert profile.f0_median_hz == pytest.approx(180.0, rel=0.06)
    assert profile.f0_p95_hz < 180.0 * 1.15
    assert any("vocal fry" in note for note in profile.notes)


@pytest.mark.parametrize("f0_hz", [720.0, 850.0, 950.0, 1_300.0])
def test_high_voices_are_not_halved(f0_hz):
    """Truth: the frequency the voice was built around (infants, screams)."""
    profile = prosody.analyze(wandering_voice(f0_hz), RATE)
    assert profile.f0_median_hz == pytest.approx(f0_hz, rel=0.05)
    assert profile.notes == ()


@pytest.mark.parametrize("f0_hz", [1_800.0, 2_600.0])
def test_pitch_beyond_all_voices_is_unknown(f0_hz):
    """Truth: nothing between 60 and 1600 Hz is the frequency of these signals; whistles and birds lie there."""
    profile = prosody.analyze(wandering_voice(f0_hz), RATE)
    assert profile.f0_median_hz is None
    assert any("out of range" in note for note in profile.notes)
