"""Log-mel features against a NumPy reference written from the definition, and against analytic signals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import WhisperFeatureExtractor

from speechlm import AudioInputError, FeatureSpec, SpeechLM, audio_token_count, log_mel, pad_features

RATE = 16_000


def slaney_mel(hz: float) -> float:
    """Slaney's mel scale: 3 mel per 200 Hz up to 1 kHz, above it 27 mel per factor 6.4."""
    return 3 * hz / 200 if hz < 1000 else 15 + 27 * np.log(hz / 1000) / np.log(6.4)


def slaney_hz(mel: float) -> float:
    return 200 * mel / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)


def corners(bins: int) -> list[float]:
    """Corner frequencies of `bins` triangles, evenly spaced in mel from 0 to 8 kHz."""
    return [slaney_hz(m) for m in np.linspace(0, slaney_mel(8000), bins + 2)]


def reference(samples: NDArray[np.float32], bins: int) -> NDArray[np.float64]:
    """Whisper's definition in float64, a frame and a filter at a time: centred 25 ms Hann windows (periodic), mirrored
    at the edges, last frame dropped; power, triangles of area 2 / width; log10, floor at the maximum - 8;
    (x + 4) / 4."""
    padded = np.pad(samples.astype(np.float64), 200, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    hz = np.arange(201) * RATE / 400
    edges = corners(bins)
    mel = np.zeros((bins, len(samples) // 160))
    for frame in range(mel.shape[1]):
        power = np.abs(np.fft.rfft(padded[frame * 160 : frame * 160 + 400] * window)) ** 2
        for b in range(bins):
            low, centre, high = edges[b : b + 3]
            triangle = np.clip(np.minimum((hz - low) / (centre - low), (high - hz) / (high - centre)), 0, None)
            mel[b, frame] = 2 / (high - low) * (triangle @ power)
    logs = np.log10(np.maximum(mel, 1e-10))
    floored: NDArray[np.float64] = (np.maximum(logs, logs.max() - 8) + 4) / 4
    return floored


def noise(n: int, *, seed: int = 0) -> NDArray[np.float32]:
    return (0.1 * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


@pytest.mark.parametrize("bins", [40, 80])
def test_log_mel_equals_the_slow_reference(bins: int) -> None:
    """Noise that grows over five decades, so that the floor is met too."""
    samples = noise(4_000) * np.logspace(-5, 0, 4_000, dtype=np.float32)
    expected = reference(samples, bins)
    assert (expected == expected.min()).sum() > 10
    np.testing.assert_allclose(log_mel(samples, FeatureSpec(bins)).numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("hz", [200.0, 1000.0, 4000.0])
def test_a_tone_lights_up_the_band_around_it(hz: float) -> None:
    """The loudest band must be one whose triangle holds the tone, in every frame away from the edges."""
    tone = np.sin(2 * np.pi * hz * np.arange(RATE) / RATE).astype(np.float32)
    edges = corners(80)
    for band in log_mel(tone)[:, 5:-5].argmax(dim=0).tolist():
        assert edges[band] - 40 <= hz <= edges[band + 2] + 40  # a bin of the spectrum is 40 Hz wide


def test_level_is_kept() -> None:
    """A tenth of the amplitude is a hundredth of the power: 2 decades, and a decade is a quarter."""
    loud = log_mel(noise(8_000))
    soft = log_mel(0.1 * noise(8_000))
    torch.testing.assert_close(loud - soft, torch.full_like(loud, 0.5), atol=1e-4, rtol=0)


def test_floors() -> None:
    """Silence is at the absolute floor, (log10(1e-10) + 4) / 4 = -1.5; beside a loud sound the floor is its maximum
    less 8 decades, so 2 in these units."""
    assert torch.equal(log_mel(np.zeros(1_600, np.float32)), torch.full((80, 10), -1.5))
    half_silent = np.concatenate([noise(8_000), np.zeros(8_000, np.float32)])
    features = log_mel(half_silent)
    assert features.min().item() == pytest.approx(features.max().item() - 2, abs=1e-5)


@pytest.mark.parametrize(("n", "frames"), [(640, 4), (799, 4), (800, 5), (RATE, 100), (30 * RATE, 3_000)])
def test_one_frame_for_each_full_hop(n: int, frames: int) -> None:
    """Frames = samples // 160, and nothing is padded to 30 s; the shortest and the longest allowed clip are here."""
    assert log_mel(np.zeros(n, np.float32)).shape == (80, frames)


@pytest.mark.parametrize("n", [640, 641, 799, 8_000, 8_100, 16_159, 16_160])
@pytest.mark.parametrize("bins", [80, 128])
def test_with_silence_behind_the_frames_are_those_of_the_stock_extractor(n: int, bins: int) -> None:
    """Whisper's extractor on the clip padded with zeros to its whole window; its mask says which frames are real."""
    stock = WhisperFeatureExtractor(feature_size=bins)
    padded = stock(noise(n), sampling_rate=RATE, padding="max_length", return_attention_mask=True, return_tensors="pt")
    expected = padded["input_features"][0][:, padded["attention_mask"][0].bool()]
    found = log_mel(noise(n), FeatureSpec(bins, silence_behind=True))
    assert found.shape == (bins, -(-n // 160))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_other_widths_of_floats_are_taken() -> None:
    samples = noise(1_600)
    assert log_mel(samples.astype(np.float64)).dtype is torch.float32
    torch.testing.assert_close(log_mel(samples.astype(np.float64)), log_mel(samples), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(0, np.float32), "got 0.000 s"),
        (np.zeros(639, np.float32), "0.04 to 30 s"),
        (np.zeros(30 * RATE + 1, np.float32), r"0.04 to 30 s.*cut it"),
        (np.zeros((2, RATE), np.float32), r"mono.*\(2, 16000\)"),
        (np.zeros(RATE, np.int16), "int16"),
        (np.full(RATE, np.nan, np.float32), "NaN"),
        (np.full(RATE, np.inf, np.float32), "infinity"),
    ],
)
def test_what_is_no_clip_is_refused(samples: NDArray[np.float32], message: str) -> None:
    with pytest.raises(AudioInputError, match=message):
        log_mel(samples)


def test_token_count_is_what_the_encoder_makes(model: SpeechLM) -> None:
    """The encoder itself is the reference, for every length up to 90 frames and around its longest window."""
    for frames in [*range(4, 91), 199, 200, 201, 2_999, 3_000]:
        encoded = model.encode_audio(torch.zeros(1, model.features.num_mel_bins, frames), torch.tensor([frames]))
        assert encoded.shape == (audio_token_count(frames), 64), frames


def test_padding_by_hand() -> None:
    padded, lengths = pad_features([torch.ones(2, 5), torch.full((2, 4), 3.0)])
    assert lengths.tolist() == [5, 4]
    assert padded.tolist() == [[[1.0] * 5] * 2, [[3.0] * 4 + [0.0]] * 2]


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ([], "no clips"),
        ([torch.zeros(80, 10), torch.zeros(128, 10)], r"clip 1 has shape \(128, 10\), clip 0 \(80, 10\)"),
        ([torch.zeros(80)], r"clip 0 has shape \(80,\)"),
        ([torch.zeros(80, 10), torch.zeros(80, 3)], "clip 1 has 3 frames; allowed are 4 to 3000"),
        ([torch.zeros(80, 3_001)], "clip 0 has 3001 frames"),
    ],
)
def test_clips_that_make_no_batch_are_refused(clips: list[torch.Tensor], message: str) -> None:
    with pytest.raises(AudioInputError, match=message):
        pad_features(clips)


def test_silence_at_the_ends_is_left_out_but_for_a_margin() -> None:
    """Half a second of sound in two of silence: the 53 frames whose 400 samples reach into samples 12 000 to 20 000,
    and five on either side; a pause within stays.
    """
    rng = np.random.default_rng(0)
    samples = np.zeros(32_000, np.float32)
    for start in (12_000, 17_000):
        samples[start : start + 3_000] = 0.1 * rng.standard_normal(3_000)
    whole = log_mel(samples, FeatureSpec(silence_behind=True))
    trimmed = log_mel(samples, FeatureSpec(silence_behind=True, trim_db=40.0))
    assert whole.shape[1] == 200
    assert torch.equal(trimmed, whole[:, 74 - 5 : 126 + 1 + 5])


@pytest.mark.parametrize("samples", [np.zeros(16_000, np.float32), np.full(16_000, 0.1, np.float32)])
def test_a_clip_without_a_loudest_part_stays_whole(samples: NDArray[np.float32]) -> None:
    assert log_mel(samples, FeatureSpec(trim_db=40.0)).shape[1] == 100
