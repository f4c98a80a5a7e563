"""Auxiliary heads: what they learn, what they leave out. Expected values are worked by hand or are a definition's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from speech_records import (
    RAVDESS_8,
    Emotion,
    Level,
    LevelReading,
    MeasuredUtterance,
    ProsodyLevels,
    ProsodyProfile,
    Utterance,
)
from speechlm import PocketSize, SpeechLM, load_preset
from trainer.augment import mask_time
from trainer.dataset import is_reasoned
from trainer.perception import (
    LABEL,
    UNKNOWN,
    HeadTargets,
    PerceptionHeads,
    Targets,
    TargetTable,
    embedded_audio,
    encode,
    heads_loss,
    level_loss,
    perception_loss,
)
from trainer.settings import SFTSettings
from trainer.sft import SFTModule
from trainer.weighting import WeightedBatch


def clip(name: str, hz: float | None, level: Level | None, emotion: Emotion | None) -> MeasuredUtterance:
    reading = (
        None if level is None or hz is None else LevelReading(value=hz, level=level, percentile=50.0, group="pooled")
    )
    return MeasuredUtterance(
        Utterance(utterance_id=name, corpus="test", audio_path=f"{name}.wav", speaker_id="s", emotion=emotion),
        ProsodyProfile(duration_s=1.0, sample_rate=16_000, f0_median_hz=hz),
        ProsodyLevels(scale="test", scale_hash="0", pitch=reading),
    )


CLIPS = [
    clip("a", 100.0, Level.LOW, Emotion.SAD),
    clip("b", 200.0, Level.HIGH, Emotion.ANGRY),
    clip("c", None, None, None),
]


def test_targets_are_the_label_the_levels_and_standardised_measurements() -> None:
    """100 and 200 Hz are an octave apart: one standard deviation below and above their mean."""
    table = TargetTable(CLIPS, RAVDESS_8)
    assert table.classes[LABEL] == ["angry", "sad"]
    targets = table.of(["b", "a", "c", "unheard of"])
    assert targets.classes[:, 0].tolist() == [0, 1, UNKNOWN, UNKNOWN]
    pitch = list(table.classes).index("pitch")
    assert targets.classes[:, pitch].tolist() == [0, 1, UNKNOWN, UNKNOWN]  # high, low
    np.testing.assert_allclose(targets.numbers[:2, 0], [1.0, -1.0], rtol=1e-5)
    assert targets.numbers[2:].isnan().all()


def test_heads_pool_each_clip_by_itself() -> None:
    """Queries start at zero, so the pool is a mean; another clip in the batch, however long, changes nothing."""
    table = TargetTable(CLIPS, RAVDESS_8)
    torch.manual_seed(0)
    heads, tokens = PerceptionHeads(16, table), torch.randn(9, 16)
    logits, numbers, levels = heads(tokens, torch.tensor([2, 7]))
    alone, alone_numbers, _ = heads(tokens[:2], torch.tensor([2]))
    torch.testing.assert_close(logits[0][:1], alone[0])
    torch.testing.assert_close(numbers[:1], alone_numbers)
    assert levels.shape == (9, 3, 3)
    torch.testing.assert_close(alone[0], heads.classifiers[0](heads.norm(tokens[:2]).mean(0, keepdim=True)))


def test_the_loss_counts_what_is_known_alone() -> None:
    """One of two clips is known: the label's cross-entropy is that clip's, and the Huber loss of 0.5 off is 0.125."""
    logits = [torch.tensor([[2.0, 0.0], [5.0, 1.0]])]
    targets = Targets(torch.tensor([[1], [UNKNOWN]]), torch.tensor([[1.0], [float("nan")]]))
    found = perception_loss(logits, torch.tensor([[0.5], [9.0]]), targets)
    expected = (cross_entropy(logits[0][:1], torch.tensor([1])) + 0.125) / 2
    torch.testing.assert_close(found, expected)


def test_levels_of_tokens_count_where_they_are_known() -> None:
    """Two tokens, of which the second's energy is known to be high: the mean is that one's cross-entropy. Of nothing
    known the loss is 0 and its gradient too."""
    logits = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    levels = torch.full((2, 3), UNKNOWN)
    level_loss(logits, levels).backward()
    assert logits.grad is not None
    assert not logits.grad.any()
    levels[1, 1] = 2
    expected = cross_entropy(logits[1, 1][None], torch.tensor([2]))
    torch.testing.assert_close(level_loss(logits, levels), expected)


def test_a_batch_of_which_nothing_is_known_has_no_loss() -> None:
    targets = Targets(torch.full((2, 1), UNKNOWN), torch.full((2, 1), float("nan")))
    numbers = torch.zeros(2, 1, requires_grad=True)
    loss = perception_loss([torch.zeros(2, 3)], numbers, targets)
    loss.backward()
    assert float(loss.detach()) == 0
    assert numbers.grad is not None
    assert not numbers.grad.any()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_time_mask_is_one_stretch_of_at_most_its_share(share: float) -> None:
    clip = torch.rand(6, 50)
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        changed = (mask_time(clip, share, generator) != clip).any(0)
        where = changed.nonzero().flatten()
        assert int(changed.sum()) <= round(share * 50)
        assert not len(where) or int(where[-1] - where[0]) + 1 == len(where)


def test_a_profile_without_a_label_still_teaches_its_levels() -> None:
    unlabelled = replace(CLIPS[0], utterance=replace(CLIPS[0].utterance, emotion=None))
    table = TargetTable([unlabelled, CLIPS[1]], RAVDESS_8)
    assert table.of(["a"]).classes[0, 0] == UNKNOWN
    assert table.of(["a"]).classes[0, list(table.classes).index("pitch")] != UNKNOWN


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_a_cold_start_perceives_all_clips_but_is_told_the_labels_of_its_share(share: float) -> None:
    """The label of exactly those clips that SFT is shown with reasoning (`is_reasoned`), the level of every clip."""
    names = [f"clip-{i}" for i in range(40)]
    shown = [is_reasoned(name, share) for name in names]
    assert any(shown)
    table = TargetTable([clip(n, 100.0, Level.LOW, Emotion.SAD) for n in names], RAVDESS_8, reasoning_share=share)
    classes = table.of(names).classes
    assert (classes[:, 0] != UNKNOWN).tolist() == shown
    assert bool((classes[:, list(table.classes).index("pitch")] != UNKNOWN).all())


def small_model() -> SpeechLM:
    size = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)
    return load_preset("pocket", seed=0, size=size, texts=["What is the pitch? pitch low"], vocab_size=300)


def test_the_heads_read_in_a_step_of_text_what_they_read_without_text() -> None:
    """Audio tokens of clips of different lengths, from a batch with questions and answers, are those of the clips."""
    model, generator = small_model(), torch.Generator().manual_seed(0)
    clips = [torch.rand(16, frames, generator=generator) for frames in (40, 61)]
    batch = model.collate(clips, ["What is the pitch?", "pitch?"], ["pitch low", "low"])
    tokens, counts = embedded_audio(model, batch, model.embed(batch))
    alone, of_each = encode(model, clips)
    assert counts.tolist() == of_each.tolist() == [10, 15]
    torch.testing.assert_close(tokens, alone)


def test_a_step_of_text_adds_the_weighted_loss_of_the_heads() -> None:
    """Its loss is that of the text and `heads_weight` times that of the heads, of which half the rows add half; their
    gradient reaches the encoder, which the text alone moves otherwise."""
    model, table = small_model(), TargetTable(CLIPS, RAVDESS_8)
    clips = [torch.rand(16, 40, generator=torch.Generator().manual_seed(i)) for i in range(2)]
    heads = PerceptionHeads(32, table)
    settings = SFTSettings(phases=(), perception_steps=1, heads_weight=0.5)
    module = SFTModule(model, settings, heads)
    speech = model.collate(clips, ["pitch?", "pitch?"], ["pitch high", "pitch low"])
    levels = torch.full((20, 3), UNKNOWN)
    targets = HeadTargets(table.of(["b", "a"]), levels)
    weights = speech.completion_mask.float()
    first = next(model.audio_tower.parameters())

    def gradient(batch: WeightedBatch, rows: int) -> tuple[float, torch.Tensor]:
        module.zero_grad()
        module.record(1, loss=0.0)
        loss = module._loss(batch, rows)
        loss.backward()
        assert first.grad is not None
        return float(loss.detach()), first.grad.clone()

    text, of_text = gradient(WeightedBatch(speech, weights), 2)
    both, of_both = gradient(WeightedBatch(speech, weights, targets=targets), 2)
    perceived = float(heads_loss(heads, *encode(model, clips), targets).detach())
    assert both == pytest.approx(text + 0.5 * perceived, rel=1e-5)
    assert module.history[-1]["perception_loss"] == pytest.approx(perceived, rel=1e-5)
    assert module.history[-1]["loss"] == pytest.approx(text, rel=1e-5)
    assert not torch.allclose(of_both, of_text)
    half, _ = gradient(WeightedBatch(speech, weights, targets=targets), 4)
    assert half == pytest.approx(both / 2, rel=1e-5)
