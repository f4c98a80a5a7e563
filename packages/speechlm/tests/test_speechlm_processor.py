"""From samples to batches: what is refused, and long clips by choice. Ids are held to the stock processor's in the
conformance suite."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from speechlm import AudioInputError, BatchError, SpeechLM, SpeechProcessor, log_mel

RATE = 16_000


def noise(seconds: float) -> NDArray[np.float32]:
    samples: NDArray[np.float32] = np.random.default_rng(0).standard_normal(round(seconds * RATE)).astype(np.float32)
    return samples


def test_a_batch_is_collated_from_the_models_own_features(model: SpeechLM) -> None:
    """`log_mel` and `collate`, called one after the other, are the expected value."""
    clips = [noise(0.5), noise(0.8)]
    model.system = "Listen."
    found = SpeechProcessor.of(model)(clips, ["How?"] * 3, ["Sad."] * 3, audio_index=[1, 0, 1])
    features = [log_mel(clip, model.features) for clip in clips]
    expected = model.collate(features, ["How?"] * 3, ["Sad."] * 3, audio_index=[1, 0, 1])
    for name in type(found).__slots__:
        assert torch.equal(getattr(found, name), getattr(expected, name)), name
    assert "Listen." in model.tokenizer.decode(found.input_ids[0])


def test_long_clips_are_refused_unless_windows_are_asked_for(model: SpeechLM) -> None:
    """31 s in windows of 30 s that share 2 s are two, of 30 and of 3 s: 1500 and 150 frames of 20 ms, four a token."""
    long, short = noise(31), noise(1)
    with pytest.raises(AudioInputError, match=r"got 31\.000 s; cut it"):
        SpeechProcessor.of(model)([long], ["How?"])
    batch = SpeechProcessor.of(model, overlap=2.0)([short, long], ["How?", "And?"])
    assert batch.feature_lengths.tolist() == [50, 1_500, 150]
    counts = (batch.input_ids == model.audio_id).sum(1).tolist()
    assert counts == [12, 375 + 37]
    assert batch.audio_gather.tolist() == list(range(sum(counts)))


def test_windows_of_a_clip_are_heard_by_every_row_that_hears_it(model: SpeechLM) -> None:
    batch = SpeechProcessor.of(model, overlap=0.0)([noise(31), noise(1)], ["How?"] * 3, audio_index=[1, (1, 0), 0])
    assert batch.feature_lengths.tolist() == [1_500, 50, 50]
    assert (batch.input_ids == model.audio_id).sum(1).tolist() == [12, 12 + 375 + 12, 375 + 12]


@pytest.mark.parametrize("overlap", [None, 0.0])
@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(0, np.float32), r"got 0\.000 s"),
        (np.full(RATE, np.nan, np.float32), "NaN"),
        (np.full(31 * RATE, np.nan, np.float32), "NaN|31"),
        (np.zeros((2, RATE), np.float32), "mono"),
        (np.zeros(RATE, np.int16), "int16"),
    ],
)
def test_clips_that_cannot_be_heard_are_refused(
    model: SpeechLM, samples: NDArray[Any], message: str, overlap: float | None
) -> None:
    with pytest.raises(AudioInputError, match=message):
        SpeechProcessor.of(model, overlap=overlap)([samples], ["How?"])


def test_counts_that_do_not_fit_are_refused(model: SpeechLM) -> None:
    process = SpeechProcessor.of(model)
    with pytest.raises(BatchError, match="row 1 hears clip 2, but there are 1 clips"):
        process([noise(1)], ["How?"] * 2, audio_index=[0, 2])
    with pytest.raises(BatchError, match="row 0 hears no clip"):
        process([noise(1)], ["How?"], audio_index=[()])
    with pytest.raises(BatchError, match="no questions"):
        process([], [])
    with pytest.raises(BatchError, match="2 questions need as many clips"):
        process([noise(1)], ["How?"] * 2)
