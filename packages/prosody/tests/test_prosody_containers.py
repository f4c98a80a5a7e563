"""What containers promise: files cut anywhere, joined, tagged, unfinished, with headers of any size."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess

import numpy as np
import pytest
import soundfile

import prosody

RATE = 16_000
NOISE = np.random.default_rng(0).uniform(-0.3, 0.3, 4 * RATE).astype(np.float32)
ID3V1 = b"TAG" + bytes(125)


def encoded(kind: str, subtype: str, *, samples: np.ndarray = NOISE, rate: int = RATE, **options: object) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype, **options)
    return file.getvalue()


def seconds(path, raw: bytes) -> float:
    path.write_bytes(raw)
    return prosody.load_audio(path, sample_rate=None).duration_s


def refused(path, raw: bytes) -> str:
    path.write_bytes(raw)
    with pytest.raises(prosody.UnreadableAudioError, match=path.name) as error:
        prosody.load_audio(path)
    return str(error.value)


@pytest.mark.parametrize(
    "chunk",
    [
        b"LIST" + struct.pack("<I", 2004) + b"INFO" + bytes(2000),
        5 * (b"junk\x0a\0\0\0" + bytes(10)),
        b"id3 " + struct.pack("<I", 20_000) + bytes(20_000),
    ],
)
def test_a_cut_wav_is_found_out_behind_any_number_of_chunks(tmp_path, chunk):
    """libsndfile's own log has room for some 2 000 characters; after it no loss is named."""
    raw = encoded("WAV", "PCM_16")
    at = raw.index(b"data")
    raw = raw[:at] + 40 * chunk + raw[at:]
    raw = raw[:4] + struct.pack("<I", len(raw) - 8) + raw[8:]
    assert seconds(tmp_path / "a.wav", raw) == 4.0
    assert "cut short" in refused(tmp_path / "a.wav", raw[: -len(NOISE)])
    refused(tmp_path / "a.wav", raw[: at + 20 * len(chunk) + 5])


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [("CAF", "PCM_16"), ("CAF", "ALAC_16"), ("W64", "PCM_24"), ("RF64", "PCM_16"), ("AU", "FLOAT"), ("NIST", "PCM_16"),
     ("VOC", "PCM_16"), ("SVX", "PCM_16"), ("WAV", "PCM_U8"), ("AIFF", "PCM_24"), ("AU", "G721_32")],
)  # fmt: skip
def test_the_last_bytes_are_missed_too(tmp_path, kind, subtype):
    """Three bytes of sound less than promised, in containers that end with the sound."""
    raw = encoded(kind, subtype)
    seconds(tmp_path / "clip", raw)
    assert "cut short" in refused(tmp_path / "clip", raw[:-3])


def test_what_follows_the_sound_is_no_sound_and_nothing_missing(tmp_path):
    """A LIST chunk after the data, a pad byte after an odd number of samples, and the pad byte left out."""
    odd = encoded("WAV", "PCM_U8", samples=NOISE[: RATE + 1])
    assert len(odd) % 2 == 0
    for raw in (odd, odd[:-1], odd + b"LIST\x04\0\0\0INFO"):
        assert seconds(tmp_path / "a.wav", raw) == pytest.approx((RATE + 1) / RATE)
    empty = encoded("WAV", "PCM_16", samples=NOISE[:0])
    (tmp_path / "a.wav").write_bytes(empty + b"LIST\x04\0\0\0INFO")
    with pytest.raises(prosody.EmptyAudioError):
        prosody.load_audio(tmp_path / "a.wav")


def test_a_flac_of_open_length_is_read_whole(tmp_path):
    """A stream's header has 0 for the number of samples (36 bits from bit 4 of byte 21); cut, its last frame is not
    whole."""
    raw = bytearray(encoded("FLAC", "PCM_16"))
    raw[21] &= 0xF0
    raw[22:26] = bytes(4)
    assert seconds(tmp_path / "a.flac", bytes(raw)) == 4.0
    refused(tmp_path / "a.flac", bytes(raw[: len(raw) * 6 // 10]))


@pytest.mark.parametrize("options", [{"bitrate_mode": "CONSTANT"}, {"bitrate_mode": "VARIABLE"}])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_mp3_files_joined_tagged_and_cut(tmp_path, options, rate):
    """Two files end to end (an ID3v1 tag between them) last twice as long; a cut in a frame is an error, with the
    information frame and without."""
    raw = encoded("MP3", "MPEG_LAYER_III", rate=rate, **options)
    once = len(NOISE) / rate
    path = tmp_path / "a.mp3"
    tolerance = 4 * 1152 / rate
    assert seconds(path, raw) == pytest.approx(once, abs=1e-6)
    id3v2 = b"ID3\x04\0\0\0\0\x20\0" + bytes(4096)
    for tagged in (id3v2 + raw, raw + ID3V1, id3v2 + raw + b"APETAGEX" + bytes(56) + ID3V1):
        assert seconds(path, tagged) == pytest.approx(once, abs=tolerance)
    for joined in (raw + raw, raw + ID3V1 + raw + ID3V1, raw + ID3V1 + id3v2 + raw):
        assert seconds(path, joined) == pytest.approx(2 * once, abs=tolerance)
    first = raw.index(b"\xff")
    bare = raw[raw.index(raw[first : first + 2], first + 17) :]
    assert seconds(path, bare) == pytest.approx(once, abs=tolerance)
    for share in (0.3, 0.6, 0.97):
        assert "cut short" in refused(path, raw[: int(share * len(raw))])
        assert "cut short" in refused(path, bare[: int(share * len(bare)) | 1])


def test_a_long_mp3_has_no_seams(tmp_path):
    """Truth: the same file decoded in one piece. Seeking after each block of it loses sound."""
    signal = np.tile(NOISE, 20)
    (tmp_path / "a.mp3").write_bytes(raw := encoded("MP3", "MPEG_LAYER_III", samples=signal, bitrate_mode="VARIABLE"))
    blocks = prosody.load_audio(tmp_path / "a.mp3").samples
    whole, _ = soundfile.read(io.BytesIO(raw), frames=len(signal), dtype="float32")
    assert len(blocks) == len(signal)
    np.testing.assert_allclose(blocks[:RATE], whole[:RATE], atol=1e-3)
    np.testing.assert_allclose(np.std(blocks[-RATE:]), np.std(signal[-RATE:]), rtol=0.05)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_ogg_ends_where_its_last_page_says(tmp_path, subtype):
    """A cut between two pages, without the last page, and whole with other bytes after it."""
    raw = encoded("OGG", subtype)
    last = raw.rindex(b"OggS")
    middle = raw.index(b"OggS", len(raw) // 2)
    for cut in (raw[:middle], raw[:last], raw[: last + 10], raw[:-1]):
        assert "cut short" in refused(tmp_path / "a.ogg", cut)
    assert seconds(tmp_path / "a.ogg", raw + ID3V1) == pytest.approx(4.0, abs=0.05)


def test_vox_is_read_and_other_content_of_that_name_is_not(tmp_path):
    """Dialogic ADPCM has no header: 3 s of a 150 Hz voice at 8 kHz, with a note; text and noise are refused."""
    t = np.arange(3 * 8_000) / 8_000
    voice = 0.05 * sum(np.sin(2 * np.pi * 150 * k * t) / k for k in range(1, 9)) * (0.05 + np.sin(9 * t) ** 2)
    path = tmp_path / "a.vox"
    soundfile.write(path, voice, 8_000, format="RAW", subtype="VOX_ADPCM")
    profile = prosody.measure_file(path).profile
    assert (profile.duration_s, profile.sample_rate) == (pytest.approx(3.0, abs=0.01), 8_000)
    assert profile.f0_median_hz == pytest.approx(150, rel=0.02)
    assert any("VOX" in note for note in profile.notes)
    for other in (b"a text of several words, said many times. " * 500, np.random.default_rng(0).bytes(20_000)):
        refused(path, other)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_what_ffmpeg_decodes_keeps_its_own_rate(tmp_path):
    """8 kHz in AAC: the profile says 8 kHz and withholds the gender, as for the same sound in WAV."""
    t = np.arange(2 * 8_000) / 8_000
    soundfile.write(tmp_path / "a.wav", 0.1 * np.sin(1320 * t) * np.sin(9 * t) ** 2, 8_000)
    subprocess.run(["ffmpeg", "-loglevel", "error", "-i", tmp_path / "a.wav", tmp_path / "a.m4a"], check=True)
    assert prosody.load_audio(tmp_path / "a.m4a", sample_rate=None).sample_rate == 8_000
    profile = prosody.measure_file(tmp_path / "a.m4a").profile
    assert (profile.sample_rate, profile.gender) == (8_000, None)


@pytest.mark.parametrize(
    "cut",
    [
        b"RIFF" + struct.pack("<I", 5_000) + b"AVI LIST" + bytes(3_000),
        b"FLV\x01\x04" + struct.pack(">II", 9, 0) + b"\x08\x00\x10\x00" + bytes(7) + bytes(4_000),
        bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + struct.pack("<Q", 30) + bytes(6)
        + bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c") + struct.pack("<Q", 5_000) + bytes(3_000),
    ],
    ids=["AVI", "FLV", "ASF"],
)  # fmt: skip
def test_containers_of_ffmpeg_that_end_early(tmp_path, cut):
    """Sizes as their specifications place them, larger than what follows: an error with or without ffmpeg."""
    assert "cut short" in refused(tmp_path / "clip", cut)


FFMPEG_KINDS = {
    "m4a": (), "mp4": ("-movflags", "+faststart"), "aac": (), "mka": ("-c:a", "aac"), "webm": ("-c:a", "libopus"),
    "avi": (), "flv": ("-ar", "22050"), "wma": ("-c:a", "wmav2"), "wv": (), "ac3": (), "tta": (), "mp2": (),
    "mp3": ("-write_xing", "0"), "oga": ("-c:a", "flac"),
}  # fmt: skip


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize("kind", FFMPEG_KINDS)
def test_what_ffmpeg_wrote_is_whole_or_an_error(tmp_path, kind):
    """4 s, to a codec's padding; cut at a third and at nine tenths: refused."""
    soundfile.write(tmp_path / "a.wav", NOISE, RATE)
    path = tmp_path / f"a.{kind}"
    done = subprocess.run(["ffmpeg", "-v", "error", "-i", tmp_path / "a.wav", *FFMPEG_KINDS[kind], path], check=False)
    if done.returncode:
        pytest.skip(f"this ffmpeg does not write {kind}")
    raw = path.read_bytes()
    assert seconds(path, raw) == pytest.approx(4.0, abs=0.15)
    for share in (0.33, 0.9):
        refused(path, raw[: int(share * len(raw))])


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_mp3_in_wav_is_whole_or_an_error(tmp_path):
    """The fact chunk counts the encoder's padding, the decoder does not give all of it: that is not missing."""
    soundfile.write(tmp_path / "a.wav", NOISE, RATE)
    path = tmp_path / "b.wav"
    subprocess.run(["ffmpeg", "-v", "error", "-i", tmp_path / "a.wav", "-c:a", "libmp3lame", path], check=True)
    raw = path.read_bytes()
    assert seconds(path, raw) == pytest.approx(4.0, abs=0.15)
    assert "cut short" in refused(path, raw[: len(raw) // 2])
