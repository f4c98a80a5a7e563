"""Levels, speech activity, pauses and syllables on signals whose truth is analytic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import prosody
from prosody.energy import active_level, clipping_share, frame_energy
from speech_records import ContourShape, SyllableSource

RATE = 16_000


def tone(seconds, *, level=0.1, f0_hz=150.0):
    t = np.arange(round(seconds * RATE)) / RATE
    return (level * sum(np.sin(2 * np.pi * f0_hz * k * t) / k for k in range(1, 9))).astype(np.float32)


def silence(seconds):
    return np.zeros(round(seconds * RATE), np.float32)


def noise(n, rms, seed=3):
    return (rms * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def test_level_of_a_sine_and_of_a_square_wave():
    """Truth: RMS of a sine of amplitude a is a/√2, so full scale is −3.01 dBFS; a full-scale square wave is 0 dBFS."""
    t = np.arange(RATE) / RATE
    sine = np.sin(2 * np.pi * 200 * t).astype(np.float32)
    assert frame_energy(sine, RATE).dbfs == pytest.approx(-3.0103, abs=0.01)
    square = np.where(np.arange(RATE) % 160 < 80, 1.0, -1.0).astype(np.float32)
    assert frame_energy(square, RATE).dbfs == pytest.approx(0.0, abs=1e-3)


def test_a_constant_offset_is_no_energy():
    """Truth: the mean of a frame is taken out, so 0.5 of DC under a −30 dBFS tone leaves −30 dBFS."""
    t = np.arange(RATE) / RATE
    signal = (np.sqrt(2) * 10 ** (-30 / 20) * np.sin(2 * np.pi * 200 * t) + 0.5).astype(np.float32)
    assert frame_energy(signal, RATE).dbfs == pytest.approx(-30.0, abs=0.05)


def test_active_level_by_hand():
    """Truth by hand, frames of 0, −10, −20 dB: means of the loudest k are 0, −2.60 and −4.32 dB; all lie less than
    15.9 dB above the weakest frame counted, at −20: −4.32 + 20 = 15.68, so all three count."""
    assert active_level(np.array([-20.0, 0.0, -10.0])) == pytest.approx(10 * np.log10((1 + 0.1 + 0.01) / 3))
    assert active_level(np.array([-21.0, 0.0, -10.0])) == pytest.approx(10 * np.log10((1 + 0.1) / 2))
    assert active_level(np.full(5, -np.inf)) is None


def test_steps_of_amplitude_are_the_range():
    """Truth: half at −20, half at −32 dB re the same wave is a 12 dB range between the 5th and the 95th percentile."""
    signal = np.concatenate([tone(1.0, level=0.1), tone(1.0, level=0.1 * 10 ** (-12 / 20))])
    assert prosody.analyze(signal, RATE).energy_range_db == pytest.approx(12.0, abs=0.1)
    # Half a frame of the first half in the hundred of the second adds 0.5 · 15 % of its power at most: 0.3 dB.
    assert prosody.analyze(signal, RATE).energy_change_db == pytest.approx(-12.0, abs=0.3)


def test_noise_floor_and_snr():
    """Truth: white noise of −60 dBFS around speech; SNR is the tone's power over the noise's."""
    speech = tone(1.0)
    signal = np.concatenate([silence(0.5), speech, silence(0.5)])
    signal = signal + noise(len(signal), 1e-3)
    profile = prosody.analyze(signal, RATE)
    assert profile.noise_floor_dbfs == pytest.approx(-60.0, abs=0.3)
    assert profile.snr_db == pytest.approx(20 * np.log10(speech.std() / 1e-3), abs=0.5)


def test_no_background_no_noise_floor():
    """Digital silence is no recording of noise: unknown, and the notes say so."""
    profile = prosody.analyze(np.concatenate([silence(0.5), tone(1.0), silence(0.5)]), RATE)
    assert profile.noise_floor_dbfs is None
    assert profile.snr_db is None
    assert any("noise floor" in note for note in profile.notes)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.4])
def test_clipping_share(share):
    """Truth: a sine clipped at sin(π/2·(1 − share)) is flat for that share of its time."""
    t = np.arange(RATE) / RATE
    wave = np.sin(2 * np.pi * 97 * t)
    limit = np.sin(np.pi / 2 * (1 - share)) if share else 1.0
    assert clipping_share(np.clip(wave, -limit, limit).astype(np.float32)) == pytest.approx(share, abs=0.01)


def test_a_pause_is_found_where_it_was_put():
    """Truth: 0.6 s of silence from 1.0 s on; the frame of 30 ms and the hop of 10 ms bound the error by 25 ms."""
    signal = np.concatenate([silence(0.3), tone(0.7), silence(0.6), tone(0.7), silence(0.3)])
    profile = prosody.analyze(signal + noise(len(signal), 1e-4), RATE)
    (pause,) = profile.pauses
    assert (pause.start_s, pause.end_s) == (pytest.approx(1.0, abs=0.025), pytest.approx(1.6, abs=0.025))
    assert profile.pause_share == pytest.approx(0.6 / 2.0, abs=0.025)
    assert (profile.speech_start_s, profile.speech_end_s) == (
        pytest.approx(0.3, abs=0.025),
        pytest.approx(2.3, abs=0.025),
    )


def test_a_short_gap_is_no_pause():
    """Truth: 150 ms of silence is a closure, below the documented 250 ms."""
    signal = np.concatenate([tone(0.7), silence(0.15), tone(0.7)])
    assert prosody.analyze(signal + noise(len(signal), 1e-4), RATE).pauses == ()


@pytest.mark.parametrize("rate_hz", [3.0, 4.0, 6.0])
def test_a_pulse_train_has_its_syllables(rate_hz):
    """Truth: a harmonic complex whose amplitude peaks `rate_hz` times a second for 3 s has 3·rate nuclei."""
    t = np.arange(3 * RATE) / RATE
    envelope = 0.03 + 0.97 * np.sin(np.pi * rate_hz * t) ** 2
    profile = prosody.analyze((tone(3.0) * envelope).astype(np.float32), RATE)
    assert profile.syllables == round(3 * rate_hz)
    assert profile.syllable_source is SyllableSource.SIGNAL
    assert profile.articulation_rate_sps == pytest.approx(rate_hz, rel=0.06)


def test_rates_follow_from_syllables_and_pauses():
    """Truth: speaking rate counts the pause, articulation rate does not: both from 12 syllables of the transcript."""
    signal = np.concatenate([tone(1.5), silence(1.0), tone(1.5), silence(0.2)])
    profile = prosody.analyze(
        signal + noise(len(signal), 1e-4), RATE, transcript="kids kids kids kids " * 3, language="en"
    )
    assert profile.syllables == 12
    assert profile.syllable_source is SyllableSource.TRANSCRIPT
    assert profile.speaking_rate_sps == pytest.approx(12 / 4.0, rel=0.02)
    assert profile.articulation_rate_sps == pytest.approx(12 / 3.0, rel=0.02)


def test_a_transcript_that_says_more_than_a_cut_clip_holds_is_not_believed():
    """Truth: 8 pulses in 2 s, cut off while sounding; a transcript of 24 syllables would be 12 a second."""
    t = np.arange(round(1.9 * RATE)) / RATE
    pulses = (tone(1.9) * (0.03 + 0.97 * np.sin(np.pi * 4 * t) ** 2)).astype(np.float32)
    profile = prosody.analyze(pulses, RATE, transcript="kids " * 24, language="en")
    assert profile.syllable_source is SyllableSource.SIGNAL
    assert profile.syllables == pytest.approx(8, abs=1)
    assert any("24 syllables" in note for note in profile.notes)


@settings(max_examples=10, deadline=None)
@given(before_s=st.floats(0, 1.5), after_s=st.floats(0, 1.5))
def test_added_silence_moves_times_only(before_s, after_s):
    """Property: digital silence around the speech moves its start and end, and no measurement of it."""
    parts = [silence(0.2), _eased(tone(0.9)), silence(0.3), _eased(tone(0.8, f0_hz=180.0)), silence(0.2)]
    body = np.concatenate(parts)
    body += noise(len(body), 5e-3)
    plain = prosody.analyze(body, RATE)
    added = prosody.analyze(np.concatenate([silence(before_s), body, silence(after_s)]), RATE)
    assert added.speech_start_s == pytest.approx(plain.speech_start_s + before_s, abs=0.021)
    # Added silence moves the grid of frames by up to half a hop over steep onsets, hence the tolerances.
    for name, tolerance in {
        "f0_median_hz": 2.0, "f0_range_st": 0.1, "energy_dbfs": 0.3, "energy_range_db": 2.0, "noise_floor_dbfs": 0.5,
        "snr_db": 0.5, "voiced_share": 0.04, "syllables": 0, "articulation_rate_sps": 0.1, "pause_share": 0.03,
        "hnr_db": 1.0,
    }.items():  # fmt: skip
        assert getattr(added, name) == pytest.approx(getattr(plain, name), abs=tolerance), name


def _eased(signal):
    """Onset and end over 20 ms, as in speech."""
    width = round(0.02 * RATE)
    ramp = np.ones(len(signal), np.float32)
    ramp[:width] = np.sin(np.linspace(0, np.pi / 2, width)) ** 2
    ramp[-width:] = ramp[:width][::-1]
    return signal * ramp


@pytest.mark.parametrize(
    ("signal", "word"),
    [
        (np.zeros(1, np.float32), "shorter"),
        (np.full(800, 0.3, np.float32), "shorter"),
        (silence(1.0), "no signal"),
        (np.full(RATE, 0.5, np.float32), "no signal"),
        (noise(RATE, 0.1), "no speech"),
        (noise(RATE, 1e-5), "no signal"),
    ],
    ids=["one sample", "50 ms", "silence", "DC", "white noise", "dither"],
)
def test_degenerate_signals_give_no_numbers(signal, word):
    """Nothing to measure: every measurement is None, and a note says why."""
    profile = prosody.analyze(signal, RATE)
    assert any(word in note for note in profile.notes)
    for name in ("f0_median_hz", "energy_dbfs", "snr_db", "hnr_db", "syllables", "articulation_rate_sps",
                 "voiced_share", "contour_shape"):  # fmt: skip
        assert getattr(profile, name) is None, name


def music(seconds=2.4):
    """Four chords of plucked strings, each of four notes with six harmonics."""
    t = np.arange(round(seconds / 4 * RATE)) / RATE
    chords = ((261.6, 329.6, 392.0, 130.8), (349.2, 440.0, 523.3, 174.6), (392.0, 493.9, 587.3, 196.0), (261.6, 329.6))
    pluck = [np.exp(-3 * t) * sum(np.sin(2 * np.pi * f * k * t) / k for f in c for k in range(1, 7)) for c in chords]
    return (0.05 * np.concatenate(pluck)).astype(np.float32)


@pytest.mark.parametrize("signal", [music(), tone(1.0), tone(2.0, f0_hz=220.0)], ids=["chords", "tone", "higher tone"])
def test_music_has_no_gender_and_says_so(signal):
    """Truth: nobody speaks there. The pitch is the period of the sound, and a note says that it is no voice's."""
    profile = prosody.analyze(signal, RATE)
    assert profile.gender is None
    assert profile.gender_confidence is None
    assert any("a tone or music" in note for note in profile.notes)


def test_a_clipped_voice_keeps_its_pitch_and_is_reported():
    """Truth: the tone's pitch; at a third of its peak, a harmonic complex is flat for a share that is counted here."""
    whole = tone(1.0)
    limit = np.abs(whole).max() / 3
    clipped = np.clip(whole, -limit, limit)
    profile = prosody.analyze(clipped, RATE)
    assert profile.f0_median_hz == pytest.approx(150.0, rel=0.005)
    assert profile.clipping_share == pytest.approx(np.mean(np.abs(whole) >= limit), abs=0.02)


def test_whispered_bursts_have_energy_and_no_pitch():
    """Modulated noise is speech without voice: level and syllables are known, pitch is not."""
    t = np.arange(2 * RATE) / RATE
    whisper = noise(2 * RATE, 0.05) * (0.02 + np.sin(np.pi * 4 * t) ** 2)
    profile = prosody.analyze(whisper.astype(np.float32), RATE)
    assert profile.f0_median_hz is None
    assert profile.voiced_share == pytest.approx(0.0, abs=0.02)
    assert profile.energy_dbfs is not None
    assert profile.syllables == pytest.approx(8, abs=1)
    assert profile.contour_shape is ContourShape.TOO_SHORT
    assert any("voicing" in note for note in profile.notes)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.array([], np.float32), "empty"),
        (np.array([0.0, np.nan] * 1000), "sample 1 "),
        (np.array([0.0] * 10 + [np.inf]), "sample 10 "),
        (np.zeros((2, 1000), np.float32), "shape"),
        (np.zeros(1000, np.int16), "floating"),
        (np.full(2000, 1e300), "beyond 32-bit"),
        (np.full(2000, 32767.0), "reach 32767, full scale is ±1"),
        (np.full(2000, -3e38, np.float32), "full scale is ±1"),
    ],
    ids=["empty", "NaN", "Inf", "two channels", "integers", "overflow", "unscaled", "beyond squaring"],
)
def test_what_cannot_be_measured_raises(samples, message):
    """Bad input is an AnalysisError whose message names what is wrong."""
    with pytest.raises(prosody.AnalysisError, match=message):
        prosody.analyze(samples, RATE)


@settings(max_examples=40, deadline=None)
@given(
    data=st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=64),
    repeat=st.integers(1, 200),
    rate=st.sampled_from([4_000, 8_000, 16_000, 44_100]),
)
@example(data=[0.0, 0.0, 0.0, 0.0, 1.0], repeat=96, rate=4_000)  # fewer frames than the noise guard is wide
def test_any_finite_samples_give_a_profile(data, repeat, rate):
    """Property: whatever the numbers, `analyze` ends with a valid record (which checks its own ranges)."""
    profile = prosody.analyze(np.tile(np.array(data, np.float32), repeat), rate)
    assert profile.sample_rate == rate
