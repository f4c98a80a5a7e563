"""Features are of the clip that was annotated: its part of the file, its channel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from cotgen.tasks import SFTExample, Task
from speech_records import PAPER_9, MeasuredUtterance, ProsodyProfile, Utterance
from speechlm import FeatureSpec, log_mel
from trainer import features
from trainer.dataset import AnnotatedCorpus, AudioClip

RATE = 16_000


def corpus(root: Path, *utterances: Utterance, examples: tuple[SFTExample, ...] = ()) -> AnnotatedCorpus:
    profile = ProsodyProfile(duration_s=1.0, sample_rate=RATE)
    measured = {u.utterance_id: MeasuredUtterance(u, profile) for u in utterances}
    return AnnotatedCorpus(root / "annotated", "made", root, PAPER_9, True, measured, {}, examples, {})


@pytest.mark.slow
def test_features_are_of_the_part_that_was_measured(tmp_path: Path) -> None:
    """Truth: the features of the second second of the right channel, written to a file of its own."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (3 * RATE, 2)).astype(np.float32)
    soundfile.write(tmp_path / "talk.wav", noise, RATE, subtype="FLOAT")
    talk = corpus(tmp_path, Utterance("u1", "made", "talk.wav", "b", start_s=1.0, end_s=2.0, channel=1))
    clip = talk.audio_clips()["u1"]
    assert clip == AudioClip(tmp_path / "talk.wav", 1.0, 2.0, 1)
    spec = FeatureSpec()
    expected = log_mel(np.ascontiguousarray(noise[RATE : 2 * RATE, 1]), spec).half()
    found, failed = features.load_features({"u1": clip}, tmp_path / "f", identity="x", spec=spec, workers=1)
    assert torch.equal(found["u1"], expected)
    assert failed == []


@pytest.mark.slow
def test_a_cache_of_another_part_is_not_used(tmp_path: Path) -> None:
    """Two parts of one file under one key and one identity: the second run extracts again, the third does not."""
    rng = np.random.default_rng(1)
    soundfile.write(tmp_path / "a.wav", rng.uniform(-0.5, 0.5, 2 * RATE), RATE)
    cache = tmp_path / "features.safetensors"

    def frames(clip: AudioClip) -> int:
        found, _ = features.load_features({"u1": clip}, cache, identity="same", spec=FeatureSpec(), workers=1)
        return int(found["u1"].shape[-1])

    whole = frames(AudioClip(tmp_path / "a.wav"))
    half = frames(AudioClip(tmp_path / "a.wav", end_s=1.0))
    assert whole == 2 * half
    (tmp_path / "a.wav").unlink()
    assert frames(AudioClip(tmp_path / "a.wav", end_s=1.0)) == half


@pytest.mark.slow
def test_a_clip_longer_than_the_model_takes_is_left_out_by_name(tmp_path: Path) -> None:
    """One clip of 33.6 s between two of one second: only it is left out, from the cache too, with its examples."""
    rng = np.random.default_rng(2)
    seconds = {"u1": 1.0, "u2": 33.6, "u3": 1.0}
    for name, length in seconds.items():
        soundfile.write(tmp_path / f"{name}.wav", rng.uniform(-0.5, 0.5, int(length * RATE)), RATE)
    examples = tuple(
        SFTExample(f"e-{name}", Task.ATTRIBUTE, name, f"{name}.wav", "what?", "this", split="train") for name in seconds
    )
    whole = corpus(tmp_path, *(Utterance(name, "made", f"{name}.wav", "s") for name in seconds), examples=examples)
    for _ in range(2):  # extracted, then from the cache
        found, failed = features.load_features(
            whole.audio_clips(), tmp_path / "f", identity="x", spec=FeatureSpec(), workers=1
        )
        assert sorted(found) == ["u1", "u3"]
        (item,) = failed
        assert (item.id, item.stage) == ("u2", "features")
        assert "to 30 s" in item.message
    rest = features.with_features(whole, found)
    assert sorted(rest.measured) == ["u1", "u3"]
    assert [e.example_id for e in rest.examples] == ["e-u1", "e-u3"]
