"""Long clips in windows: every sample is heard, the right windows by the right rows, and nothing is cut in silence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from speechlm import AudioInputError, SpeechLM, log_mel, windows

RATE = 16_000
ClipMaker = Callable[..., list[Tensor]]


def ramp(n: int) -> np.ndarray:
    return np.arange(n, dtype=np.float32)


def test_windows_by_hand() -> None:
    """2.5 s in windows of 1 s that reach 0.25 s into one another start every 0.75 s; the last is what remains."""
    cut = windows(ramp(40_000), seconds=1.0, overlap=0.25)
    assert [(w[0], w.size) for w in cut] == [(0, 16_000), (12_000, 16_000), (24_000, 16_000)]
    assert windows(ramp(16_000), seconds=1.0)[0].size == 16_000


def test_a_remainder_too_short_to_be_heard_reaches_back() -> None:
    """One sample beyond 1 s would make no frame; the last window takes 0.1 s instead."""
    assert [w.size for w in windows(ramp(16_001), seconds=1.0)] == [16_000, 1_600]


@given(st.integers(0, 5 * RATE), st.floats(0.1, 2.0), st.floats(0.0, 0.99))
def test_every_sample_is_in_a_window_and_none_is_longer_than_asked(n: int, seconds: float, share: float) -> None:
    """A property of any cut; windows of clips that are long enough can all be heard."""
    cut = windows(ramp(n), seconds=seconds, overlap=share * seconds)
    heard = np.unique(np.concatenate(cut))
    assert heard.size == n
    assert max(w.size for w in cut) <= round(seconds * RATE)
    assert n < 1_600 or min(w.size for w in cut) >= 1_600


def test_what_is_no_window_is_refused() -> None:
    for arguments, message in (
        ({"seconds": 31.0}, "0.1 to 30 s, got 31 s"),
        ({"seconds": 0.0}, "got 0 s"),
        ({"seconds": float("nan")}, "got nan s"),
        ({"seconds": 2.0, "overlap": 2.0}, "less than the 2 s window, got 2 s"),
        ({"overlap": -1.0}, "got -1 s"),
    ):
        with pytest.raises(AudioInputError, match=message):
            windows(ramp(RATE), **arguments)
    with pytest.raises(AudioInputError, match="mono"):
        windows(np.zeros((2, 100), np.float32))


def test_a_row_hears_all_windows_of_its_clip_in_one_prompt(model: SpeechLM, clips: ClipMaker) -> None:
    """The Thinker's own forward is given both segments, each in its own frame of tokens, and must agree."""
    pair = clips(40, 64)
    batch = model.collate(pair, ["How?"], ["Sad."], audio_index=[(0, 1)])
    assert int((batch.input_ids == model.audio_id).sum()) == 10 + 16
    mask = torch.arange(64) < batch.feature_lengths[:, None]
    gain = model.thinker.config.audio_feature_gain
    with torch.no_grad():
        ours = model.head(model.hidden_states(batch))
        stock = model.thinker(
            input_ids=batch.input_ids,
            attention_mask=batch.attention_mask,
            input_features=gain * batch.features,
            feature_attention_mask=mask.long(),
        ).logits
    torch.testing.assert_close(ours, stock, atol=1e-5, rtol=1e-5)


def test_packed_groups_hear_several_clips_too(model: SpeechLM, clips: ClipMaker) -> None:
    """The unpacked rows are the expected value."""
    three, index = clips(40, 64, 20), [(0, 1), 2]
    packed = model.pack(three, ["How?", "And?"], [["Sad."], ["Loud."]], audio_index=index)
    rows = model.collate(three, ["How?", "And?"], ["Sad.", "Loud."], audio_index=index)
    with torch.no_grad():
        found = model.packed_states(packed)
        expected = model.hidden_states(rows)
    for i in range(2):
        n = int(rows.attention_mask[i].sum())
        torch.testing.assert_close(found[i, :n], expected[i, :n], atol=1e-5, rtol=1e-5)


def test_a_minute_of_sound_is_heard_in_windows(model: SpeechLM) -> None:
    """61 s are two windows of 30 s and one of 1 s: 1500, 1500 and 50 frames of 20 ms, four to a token, rounded down."""
    sound = np.random.default_rng(0).standard_normal(61 * RATE).astype(np.float32)
    with pytest.raises(AudioInputError, match=r"got 61\.000 s"):
        log_mel(sound, model.features)
    cut = [log_mel(w, model.features) for w in windows(sound)]
    batch = model.collate(cut, ["How?"], audio_index=[(0, 1, 2)])
    assert batch.audio_gather.tolist() == list(range(375 + 375 + 12))
