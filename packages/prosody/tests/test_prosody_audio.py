"""Loading: real files written by libsndfile, damaged by hand, and a fuzzed loader."""

from __future__ import annotations

import base64
import shutil
import stat
import zlib

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import prosody
from prosody import decoding

RATE = 16_000
SINE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "subtype"),
    [
        ("a.wav", "PCM_16"),
        ("a.wav", "PCM_24"),
        ("a.wav", "FLOAT"),
        ("a.flac", "PCM_16"),
        ("a.ogg", "VORBIS"),
        ("a.mp3", None),
    ],
)
def test_formats_of_libsndfile(tmp_path, name, subtype):
    """Truth: the sine that was written; lossy codecs may change it by 2 %, none its length (mp3 pads)."""
    soundfile.write(tmp_path / name, SINE, RATE, subtype=subtype)
    loaded = prosody.load_audio(tmp_path / name)
    assert loaded.samples.dtype == np.float32
    assert loaded.samples.ndim == 1
    assert loaded.duration_s == pytest.approx(1.0, abs=0.1)
    assert loaded.samples[4000:12000].std() == pytest.approx(SINE.std(), rel=0.02)


def test_the_content_decides_not_the_name(tmp_path):
    """A FLAC file called .wav is read as what it is."""
    soundfile.write(tmp_path / "a.flac", SINE, RATE)
    (tmp_path / "a.flac").rename(tmp_path / "b.wav")
    np.testing.assert_allclose(prosody.load_audio(tmp_path / "b.wav").samples, SINE, atol=1e-4)


@pytest.mark.parametrize("channels", [2, 8])
def test_mono_equals_the_same_channel_repeated(tmp_path, channels):
    """Truth: the mean of equal channels is the channel, sample by sample, in floats."""
    soundfile.write(tmp_path / "m.wav", SINE, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "s.wav", np.tile(SINE[:, None], channels), RATE, subtype="FLOAT")
    mono, many = (prosody.load_audio(tmp_path / name).samples for name in ("m.wav", "s.wav"))
    np.testing.assert_array_equal(mono, many)


def test_a_studio_file_gives_the_profile_of_its_16_khz_copy(tmp_path):
    """96 kHz, 24 bits, 8 channels. Truth: the same voice at 16 kHz in one channel of floats."""
    t = np.arange(2 * 96_000) / 96_000
    phase = 2 * np.pi * np.cumsum(150 * 2 ** (np.sin(2 * np.pi * t) / 4)) / 96_000
    voice = 0.1 * sum(np.sin(k * phase) / k for k in range(1, 20)) * (0.05 + np.sin(np.pi * 3 * t) ** 2)
    soundfile.write(tmp_path / "s.wav", np.tile(voice[:, None], 8), 96_000, subtype="PCM_24")
    studio = prosody.load_audio(tmp_path / "s.wav", sample_rate=None)
    assert (studio.sample_rate, studio.samples.ndim) == (96_000, 1)
    found = prosody.analyze(studio.samples, 96_000)
    plain = prosody.analyze(voice[::6].astype(np.float32), RATE)
    assert found.f0_median_hz == pytest.approx(plain.f0_median_hz, rel=0.005)
    assert found.energy_dbfs == pytest.approx(plain.energy_dbfs, abs=0.1)
    assert found.syllables == plain.syllables == 6
    assert found.contour_shape is plain.contour_shape


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 96_000])
def test_resampling_keeps_the_sine(tmp_path, rate):
    """Truth: the sine at the wanted rate, away from the edges, where the filter rings."""
    t = np.arange(rate) / rate
    soundfile.write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 440 * t), rate, subtype="FLOAT")
    loaded = prosody.load_audio(tmp_path / "a.wav")
    assert loaded.sample_rate == RATE
    assert len(loaded.samples) == pytest.approx(RATE, abs=1)
    np.testing.assert_allclose(loaded.samples[800:15200], SINE[800:15200], atol=2e-3)
    assert prosody.load_audio(tmp_path / "a.wav", sample_rate=None).sample_rate == rate


def test_blocks_join_without_a_seam(tmp_path, monkeypatch):
    """Truth: the same file read in one block; stream resampling must agree to rounding."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 48_000)
    soundfile.write(tmp_path / "a.wav", noise, 48_000, subtype="FLOAT")
    whole = prosody.load_audio(tmp_path / "a.wav").samples
    monkeypatch.setattr(decoding, "_BLOCK_SAMPLES", 7_001)
    np.testing.assert_allclose(prosody.load_audio(tmp_path / "a.wav").samples, whole, atol=1e-6)


def test_profiles_agree_from_8_to_48_khz(tmp_path):
    """Truth: the same voice at every rate: median pitch within 0.5 %, level within 0.3 dB."""
    t = np.arange(96_000) / 48_000
    f0 = 150 * 2 ** (np.sin(2 * np.pi * t) / 6)
    phase = 2 * np.pi * np.cumsum(f0) / 48_000
    signal = 0.1 * sum(np.sin(k * phase) / k for k in range(1, 9))
    soundfile.write(tmp_path / "a.wav", signal, 48_000, subtype="FLOAT")
    reference = prosody.analyze(signal, 48_000)
    for rate in (8_000, 16_000, 22_050, 44_100):
        loaded = prosody.load_audio(tmp_path / "a.wav", sample_rate=rate)
        profile = prosody.analyze(loaded.samples, rate)
        assert profile.f0_median_hz == pytest.approx(reference.f0_median_hz, rel=0.005)
        assert profile.energy_dbfs == pytest.approx(reference.energy_dbfs, abs=0.3)
        assert profile.contour_shape is reference.contour_shape


def test_missing_and_empty_files(tmp_path):
    """Each has its own error, and the message names the path."""
    with pytest.raises(prosody.AudioNotFoundError, match=r"none\.wav"):
        prosody.load_audio(tmp_path / "none.wav")
    with pytest.raises(prosody.AudioNotFoundError, match="not a regular file"):
        prosody.load_audio(tmp_path)
    (tmp_path / "zero.wav").touch()
    with pytest.raises(prosody.EmptyAudioError, match=r"zero\.wav"):
        prosody.load_audio(tmp_path / "zero.wav")
    soundfile.write(tmp_path / "none.wav", SINE[:0], RATE)
    with pytest.raises(prosody.EmptyAudioError, match="no sample"):
        prosody.load_audio(tmp_path / "none.wav")


def test_text_renamed_wav(tmp_path):
    """Text is no audio, whatever it is called, with or without ffmpeg."""
    (tmp_path / "a.wav").write_text("#EXTM3U\nfile:///etc/hostname\n" * 50)
    with pytest.raises(prosody.UnreadableAudioError, match=r"a\.wav"):
        prosody.load_audio(tmp_path / "a.wav")


def test_without_ffmpeg_the_error_says_so(tmp_path, monkeypatch):
    """No ffmpeg on PATH: what libsndfile cannot read is a typed error that names ffmpeg."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(500))
    with pytest.raises(prosody.UnreadableAudioError, match="ffmpeg is not installed"):
        prosody.load_audio(tmp_path / "a.m4a")


AU_HEADER = r".snd\000\000\000\030\377\377\377\377\000\000\000\006\000\000\076\200\000\000\000\001"
"""The samples start at byte 24, their number is not known, 32-bit floats, 16 000 Hz, one channel."""


def _program(folder, script):
    path = folder / "ffmpeg"
    path.write_text(f"#!{shutil.which('sh')}\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize(
    ("script", "error", "message"),
    [
        ("echo '[error] moov atom not found' >&2; exit 1", prosody.UnreadableAudioError, "moov atom not found"),
        (f"printf '{AU_HEADER}'; exec cat /dev/zero", prosody.AudioTooLongError, "limit is 2 s"),
        ("exec cat /dev/zero", prosody.UnreadableAudioError, "something else than the samples"),
        ("exec sleep 30", prosody.UnreadableAudioError, "needed more than 0.3 s"),
        ("exit 0", prosody.EmptyAudioError, "no sample"),
        (f"printf '{AU_HEADER}'", prosody.EmptyAudioError, "no sample"),
    ],
    ids=["fails", "never stops writing", "writes no header", "hangs", "writes nothing", "writes a header only"],
)
def test_a_decoder_that_misbehaves(tmp_path, monkeypatch, script, error, message):
    """A program in ffmpeg's place that fails, floods, hangs or is silent: a typed error, nothing left running."""
    _program(tmp_path, script)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(decoding, "FFMPEG_TIMEOUT_S", 0.3)
    (tmp_path / "a.m4a").write_bytes(b"not audio at all" * 10)
    with pytest.raises(error, match=message):
        prosody.load_audio(tmp_path / "a.m4a", max_duration_s=2.0)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_ffmpeg_decodes_m4a(tmp_path):
    """Truth: the sine, after AAC."""
    soundfile.write(tmp_path / "a.wav", SINE, RATE)
    _ffmpeg("-i", tmp_path / "a.wav", tmp_path / "a.m4a")
    loaded = prosody.load_audio(tmp_path / "a.m4a")
    assert loaded.samples[4000:12000].std() == pytest.approx(SINE.std(), rel=0.05)


def _ffmpeg(*arguments):
    import subprocess

    subprocess.run(["ffmpeg", "-loglevel", "error", *arguments], check=True)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_a_broken_mp4_is_no_shorter_clip(tmp_path):
    """Cut in the middle with its index in front, a fifth of it overwritten, without index, without sound.

    ffmpeg counts the first two as successes.
    """
    soundfile.write(tmp_path / "a.wav", np.tile(SINE, 4), RATE)
    _ffmpeg("-i", tmp_path / "a.wav", "-movflags", "+faststart", tmp_path / "a.mp4")
    _ffmpeg("-f", "lavfi", "-i", "color=s=64x64:r=5:d=1", "-c:v", "mpeg4", tmp_path / "mute.mp4")
    whole = (tmp_path / "a.mp4").read_bytes()
    assert prosody.load_audio(tmp_path / "a.mp4").duration_s == pytest.approx(4.0, abs=0.1)
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    (tmp_path / "headless.mp4").write_bytes(whole[:60] + whole[len(whole) // 2 :])
    start, count = whole.index(b"mdat") + len(whole) // 5, len(whole) // 5
    noise = np.random.default_rng(0).bytes(count)
    (tmp_path / "noise.mp4").write_bytes(whole[:start] + noise + whole[start + count :])
    messages = {"cut": "cut short", "noise": "can decode it", "headless": "can decode it", "mute": "matches no streams"}
    for name, message in messages.items():
        with pytest.raises(prosody.UnreadableAudioError, match=rf"{name}\.mp4: .*{message}"):
            prosody.load_audio(tmp_path / f"{name}.mp4")


TONES_HZ = (200.0, 400.0, 600.0, 800.0, 1000.0, 1200.0)


def _tones(count):
    """A tone of its own on every channel, shape [n, count]."""
    times = np.arange(RATE) / RATE
    return np.stack([0.1 * np.sin(2 * np.pi * hz * times) for hz in TONES_HZ[:count]], axis=1).astype(np.float32)


def _loudest_hz(samples):
    middle = samples[4000:12000]  # 0.5 s: bins of 2 Hz
    return 2.0 * np.argmax(np.abs(np.fft.rfft(middle)))


@pytest.mark.parametrize("rate", [RATE, 48_000])
def test_one_channel_of_a_file(tmp_path, rate):
    """Truth: what was written to that channel; 48 kHz comes down to 16."""
    both = np.stack([SINE, -0.5 * SINE], axis=1)
    soundfile.write(tmp_path / "s.wav", both, rate, subtype="FLOAT")
    for channel, want in enumerate(both.T):
        soundfile.write(tmp_path / "one.wav", want, rate, subtype="FLOAT")
        loaded = prosody.load_audio(tmp_path / "s.wav", channel=channel)
        np.testing.assert_array_equal(loaded.samples, prosody.load_audio(tmp_path / "one.wav").samples)
    mean = prosody.load_audio(tmp_path / "s.wav", sample_rate=None).samples
    np.testing.assert_allclose(mean, 0.25 * SINE, atol=1e-6)


@pytest.mark.parametrize("channel", [2, -1])
def test_a_channel_that_is_not_there(tmp_path, channel):
    """Two channels are 0 and 1; one counted from the end is none."""
    soundfile.write(tmp_path / "s.wav", _tones(2), RATE)
    with pytest.raises(prosody.NoSuchChannelError, match=f"s.wav: no channel {channel}, its 2 are counted from 0"):
        prosody.load_audio(tmp_path / "s.wav", channel=channel)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_ffmpeg_decodes_every_channel_of_an_mp4(tmp_path, channels):
    """Truth: the tone of each channel, and their mean. Of the fourth of six (effects), AAC keeps only the lowest."""
    soundfile.write(tmp_path / "a.wav", _tones(channels)[:, [0] * channels], RATE)
    soundfile.write(tmp_path / "b.wav", _tones(channels), RATE)
    for name in ("a", "b"):
        _ffmpeg("-i", tmp_path / f"{name}.wav", "-b:a", "400k", tmp_path / f"{name}.mp4")
    same = prosody.load_audio(tmp_path / "a.mp4").samples[4000:12000]
    heard = 5 / 6 if channels == 6 else 1.0
    assert same.std() == pytest.approx(heard * _tones(1).std(), rel=0.05)
    one_by_one = [prosody.load_audio(tmp_path / "b.mp4", channel=c).samples for c in range(channels)]
    found = [_loudest_hz(samples) for samples in one_by_one]
    if channels == 6:
        assert found[:3] + found[4:] == [*TONES_HZ[:3], *TONES_HZ[4:]]
    else:
        assert found == list(TONES_HZ[:channels])
    mean = prosody.load_audio(tmp_path / "b.mp4").samples
    np.testing.assert_allclose(mean, np.mean(one_by_one, axis=0), atol=1e-6)
    with pytest.raises(prosody.NoSuchChannelError, match=f"no channel {channels}"):
        prosody.load_audio(tmp_path / "b.mp4", channel=channels)


def test_truncated_flac(tmp_path):
    """A FLAC cut in half is an error, not half a clip."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 3 * RATE)
    soundfile.write(tmp_path / "a.flac", noise, RATE)
    whole = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "b.flac").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(prosody.UnreadableAudioError, match="cut short"):
        prosody.load_audio(tmp_path / "b.flac")


FUZZED_MP3 = (
    "c-s5_x#I`}3`At+r2{E`Am(6TV3uHLKmwDHz!GGz4GEk?2Dg#GTV(Jb2>|V~@p1HZHP$mUFklIQIpy{D+kf`o`~U3>$Q>a{-|sRE"
    "4EX=K;s^ud3AR-Y3=E6`>I<Gdsg%{45YaG!&zN!3KGnnO32g?!LeCl)gr{yk&2bXslhA@223gXY4P`TL>`UTW1^3*l1v?YU#NX+;"
    "_*bevT?Q9!n6-hU`L<_<c4$=B;j3`r(9lBn4XG?|n3#PpcuYkSMg};9sRaIimN@d9nL+JbgU~!iJZe5MSE!w8kTJlg<{MDWwFc=A"
    "_|$x5c2IlPAp8NpIUZ*B8n}<K;8F91>4DO&2FYpo%y|J!SAReej6)3oS#cIm"
)


def test_an_mp3_whose_information_frame_is_damaged(tmp_path):
    """Found by benchmarks/fuzz: for these 792 bytes soundfile raised a ValueError of its own. The information frame
    promises 8 frames, 8 are there, and 576 samples each less the decoder's delay of 529 are read."""
    (tmp_path / "a.mp3").write_bytes(zlib.decompress(base64.b85decode(FUZZED_MP3)))
    assert len(prosody.load_audio(tmp_path / "a.mp3").samples) == 8 * 576 - 529


def test_nan_samples(tmp_path):
    """The error names the first bad sample."""
    bad = SINE.copy()
    bad[1600] = np.nan
    soundfile.write(tmp_path / "a.wav", bad, RATE, subtype="FLOAT")
    with pytest.raises(prosody.InvalidSamplesError, match=r"sample 1600 \(0.100 s\)"):
        prosody.load_audio(tmp_path / "a.wav")


def test_limits(tmp_path):
    """Too long, too many channels, too low a rate: each a typed error naming value and limit."""
    soundfile.write(tmp_path / "a.wav", np.zeros(3 * RATE), RATE)
    with pytest.raises(prosody.AudioTooLongError, match=r"3\.0 s or more, the limit is 2 s"):
        prosody.load_audio(tmp_path / "a.wav", max_duration_s=2.0)
    soundfile.write(tmp_path / "c.wav", np.zeros((100, 65)), RATE)
    with pytest.raises(prosody.UnsupportedAudioError, match="65 channels; at most 64"):
        prosody.load_audio(tmp_path / "c.wav")
    soundfile.write(tmp_path / "r.wav", np.zeros(3000), 3_000)
    with pytest.raises(prosody.UnsupportedAudioError, match="3000 Hz"):
        prosody.load_audio(tmp_path / "r.wav")


def test_two_hours_are_refused_before_decoding(tmp_path):
    """The header of a sparse two-hour file is enough to refuse it under the default limit of one hour."""
    with soundfile.SoundFile(tmp_path / "long.wav", "w", 4_000, 1, subtype="PCM_U8") as file:
        for _ in range(72):
            file.write(np.zeros(400_000, np.float32))
    with pytest.raises(prosody.AudioTooLongError, match=r"7200\.0 s"):
        prosody.load_audio(tmp_path / "long.wav")


@settings(max_examples=60, deadline=None)
@given(position=st.integers(0, 400), garbage=st.binary(min_size=1, max_size=60), cut=st.integers(10, 3_000))
def test_damaged_files_never_crash(tmp_path_factory, position, garbage, cut):
    """Property: a WAV overwritten and cut anywhere loads, or raises an AudioError; nothing else."""
    path = tmp_path_factory.mktemp("fuzz") / "a.wav"
    soundfile.write(path, SINE[:1500], RATE)
    data = bytearray(path.read_bytes())
    data[position : position + len(garbage)] = garbage
    path.write_bytes(bytes(data[:cut]))
    try:
        loaded = prosody.load_audio(path)
    except prosody.AudioError:
        return
    assert np.isfinite(loaded.samples).all()
