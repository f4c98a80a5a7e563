"""Jitter and shimmer on pulse trains whose periods and amplitudes are known one by one."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import prosody
from prosody import cli

RATE = 16_000


def pulses(f0_hz, *, jitter=0.0, shimmer=0.0, seconds=2.0, rate=RATE, seed=0):
    """A train of damped 700 Hz resonances with normally scattered periods and amplitudes, and the truth about it: the
    mean absolute difference of neighbours over the mean, as the periods and amplitudes drawn have it."""
    rng = np.random.default_rng(seed)
    count = round(seconds * f0_hz)
    starts = 0.05 + np.cumsum((1.0 + jitter * rng.standard_normal(count)) / f0_hz)
    heights = 1.0 + shimmer * rng.standard_normal(count)
    signal = np.zeros(round((starts[-1] + 0.1) * rate))
    for start, height in zip(starts, heights, strict=True):
        at = np.arange(int(start * rate) + 1, int((start + 0.008) * rate))
        t = at / rate - start
        signal[at] += height * np.exp(-700.0 * t) * np.sin(2 * np.pi * 700.0 * t)
    periods = np.diff(starts)
    known = [np.abs(np.diff(values)).mean() / values.mean() for values in (periods, heights)]
    return (0.3 * signal / np.abs(signal).max()).astype(np.float32), *known


@pytest.mark.parametrize("f0_hz", [110.0, 220.0])
@pytest.mark.parametrize(("jitter", "shimmer"), [(0.005, 0.0), (0.01, 0.05), (0.02, 0.10)])
def test_jitter_and_shimmer_are_those_of_the_train(f0_hz, jitter, shimmer):
    """Truth: the periods and amplitudes the train was built from; within 10 % of it, or 0.6 percentage points."""
    signal, true_jitter, true_shimmer = pulses(f0_hz, jitter=jitter, shimmer=shimmer)
    found = prosody.voice_quality(signal, RATE)
    assert found.jitter_local == pytest.approx(true_jitter, rel=0.10)
    assert found.shimmer_local == pytest.approx(true_shimmer, rel=0.10, abs=0.006)
    assert found.periods == pytest.approx(2.0 * f0_hz, rel=0.05)
    assert found.note is None


def test_an_even_train_has_none():
    """Truth: equal periods and amplitudes: under 0.05 % of each, at every rate."""
    for rate in (16_000, 44_100):
        found = prosody.voice_quality(pulses(150.0, rate=rate)[0], rate)
        assert found.jitter_local < 5e-4
        assert found.jitter_ppq5 < 5e-4
        assert found.shimmer_local < 5e-4
        assert found.shimmer_apq5 < 5e-4
        assert found.shimmer_local_db < 5e-3


def test_shimmer_in_decibels_by_hand():
    """Truth by hand: amplitudes 1, 0.8, 1, 0.8, …: each step is 20·log10(1.25) = 1.938 dB and 0.2 / 0.9 = 0.222."""
    t = np.arange(round(0.01 * RATE)) / RATE
    pulse = np.exp(-700.0 * t) * np.sin(2 * np.pi * 700.0 * t)
    signal = np.concatenate([pulse, 0.8 * pulse] * 100) * 0.5
    found = prosody.voice_quality(signal, RATE)
    assert found.shimmer_local == pytest.approx(0.2 / 0.9, rel=0.02)
    assert found.shimmer_local_db == pytest.approx(20 * np.log10(1.25), rel=0.02)


def test_gain_and_silence_change_nothing():
    """Property: ratios of a voice, so neither 20 dB nor half a second of silence moves them."""
    signal, *_ = pulses(150.0, jitter=0.01, shimmer=0.05)
    plain = prosody.voice_quality(signal, RATE)
    for other in (signal * 0.1, np.concatenate([np.zeros(8_000, np.float32), signal])):
        moved = prosody.voice_quality(other, RATE)
        assert moved.jitter_local == pytest.approx(plain.jitter_local, rel=0.02)
        assert moved.shimmer_local == pytest.approx(plain.shimmer_local, rel=0.02)


def test_pieces_of_a_long_clip_are_averaged(monkeypatch):
    """Truth: the clip in one piece; a cut costs the few periods across it."""
    signal, *_ = pulses(150.0, jitter=0.01, shimmer=0.05, seconds=4.0)
    whole = prosody.voice_quality(signal, RATE)
    monkeypatch.setattr("prosody.perturbation.CHUNK_S", 1.0)
    pieces = prosody.voice_quality(signal, RATE)
    assert pieces.periods == pytest.approx(whole.periods, abs=16)
    assert pieces.jitter_local == pytest.approx(whole.jitter_local, rel=0.05)


@pytest.mark.parametrize(
    ("signal", "words"),
    [
        (np.zeros(RATE, np.float32), "no credible voicing"),
        ((0.1 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32), "no credible voicing"),
        (pulses(110.0, seconds=0.2)[0], "30 are needed"),
    ],
    ids=["silence", "noise", "0.2 s"],
)
def test_without_periods_there_is_a_reason_and_no_number(signal, words):
    """Nothing to compare: every measure is None and the note says why."""
    found = prosody.voice_quality(signal, RATE)
    assert words in found.note
    assert found.jitter_local is found.shimmer_local is found.shimmer_local_db is None


@settings(max_examples=25)
@given(
    data=st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=64),
    repeat=st.integers(1, 200),
    rate=st.sampled_from([4_000, 16_000, 44_100]),
)
def test_any_finite_samples_give_numbers_or_a_reason(data, repeat, rate):
    """Property: whatever the numbers, each measure is finite and not negative, or there is a note."""
    found = prosody.voice_quality(np.tile(np.array(data, np.float32), repeat), rate)
    values = [found.jitter_local, found.jitter_ppq5, found.shimmer_local, found.shimmer_local_db, found.shimmer_apq5]
    assert found.note is not None or found.jitter_local is not None
    assert all(value is None or (np.isfinite(value) and value >= 0.0) for value in values)


def test_the_command_adds_them_on_request(tmp_path, monkeypatch, capsys):
    """Without --voice a row has no such field; with it, JSON and CSV carry the numbers of `voice_quality`."""
    signal, *_ = pulses(150.0, jitter=0.01, shimmer=0.05)
    soundfile.write(tmp_path / "a.wav", signal, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "b.wav", signal[:RATE], RATE, subtype="FLOAT")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["prosody", "analyze", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        assert not left.value.code
        return capsys.readouterr().out

    assert "voice" not in json.loads(run(tmp_path / "a.wav"))
    voice = json.loads(run(tmp_path / "a.wav", "--voice"))["voice"]
    assert voice["jitter_local"] == pytest.approx(prosody.voice_quality(signal, RATE).jitter_local)
    header, cells, _ = run(tmp_path, "--voice", "--format", "csv", "--workers", "2").splitlines()
    row = dict(zip(header.split(","), cells.split(","), strict=False))
    assert header.split(",")[-7:-5] == ["voice_jitter_local", "voice_jitter_ppq5"]
    assert cells.split(",")[-7] == str(voice["jitter_local"])
    assert row["path"].endswith("a.wav")
