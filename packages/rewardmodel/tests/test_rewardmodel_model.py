"""The reward model on a tiny random backbone."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from rewardmodel import CheckpointError, RewardModel, ScoreShapeError, ordinal_loss, read
from speechlm import save_checkpoint

QUESTION = "Which emotion do you hear?"
TEXTS = [
    "<think>The pitch is high.</think><answer>angry</answer>",
    "<think>The voice is loud and the rate is slow.</think><answer>sad</answer>",
    "<think>door</think><answer>happy</answer>",
]


def clips(*frames: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(16, n, generator=generator) for n in frames]


def test_an_untrained_model_orders_by_likelihood_and_gives_three_to_the_rest(tiny_model: RewardModel) -> None:
    """Heads of zeros: 1 + 4 · σ(0) = 3. A claim's log-odds are 1.25 and half the log-likelihood of its value, with the
    end that a value has: *high.* of *The pitch is high.*"""
    fresh = RewardModel(tiny_model.backbone)
    made = fresh.judge(clips(40), [QUESTION], TEXTS[:1])
    assert torch.equal(made.scores[:, 1:], torch.full((1, 3), 3.0))
    reading = read(fresh.backbone.tokenizer, TEXTS[0])
    ((start, end),) = reading.values
    assert fresh.backbone.tokenizer.decode(reading.ids[start:end]) == " high."
    batch = fresh.backbone.collate(clips(40), [QUESTION], TEXTS[:1])
    said = batch.completion_mask[0].nonzero()[0, 0] + torch.arange(start, end)
    with torch.no_grad():
        logprobs = fresh.backbone.head(fresh.backbone(batch))[0, said - 1].log_softmax(-1)
    expected = logprobs.gather(-1, batch.input_ids[0, said][:, None]).sum()
    assert made.probabilities[0] == pytest.approx([float((0.5 * expected + 1.25).sigmoid())], rel=1e-4)


def test_scores_do_not_depend_on_how_rows_are_batched_or_padded(tiny_model: RewardModel) -> None:
    """A row alone is neither padded nor shares its clip: rows of different lengths, batched by two, must agree."""
    features = clips(40, 64)
    together = tiny_model.score(features, [QUESTION] * 3, TEXTS, audio_index=[0, 1, 1], batch_size=2)
    alone = [
        tiny_model.score([features[clip]], [QUESTION], [text]) for clip, text in zip([0, 1, 1], TEXTS, strict=True)
    ]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=0)
    assert together.std(dim=0).min() > 1e-3  # the rows differ, so the comparison says something
    assert bool(((together >= 1) & (together < 5)).all())


def test_scores_depend_on_clip_and_question(tiny_model: RewardModel) -> None:
    one, other = clips(40, 40)
    base = tiny_model.score([one], [QUESTION], TEXTS[:1])
    assert not torch.allclose(base, tiny_model.score([other], [QUESTION], TEXTS[:1]), atol=1e-4)
    assert not torch.allclose(base, tiny_model.score([one], ["Who speaks?"], TEXTS[:1]), atol=1e-4)


def test_score_leaves_no_gradient_and_the_mode_as_it_was(tiny_model: RewardModel) -> None:
    tiny_model.train()
    scores = tiny_model.score(clips(40), [QUESTION], TEXTS[:1])
    assert not scores.requires_grad
    assert not scores.is_inference()  # an inference tensor could not take part in a loss
    assert tiny_model.training
    assert tiny_model.score([], [], []).shape == (0, 4)


def test_what_cannot_be_judged_is_named_and_the_rest_is_judged(tiny_model: RewardModel) -> None:
    """Without form or reasoning there is nothing to credit: 1. Longer than the model takes: no score at all."""
    texts = [
        "The pitch is high.",
        TEXTS[0],
        "<think> </think><answer>angry</answer>",
        f"<think>{'The pitch is high. ' * 800}</think><answer>angry</answer>",
        f"<think>{'x' * 20_001}</think><answer>angry</answer>",
        TEXTS[1],
    ]
    made = tiny_model.judge(clips(40), [QUESTION] * 6, texts, audio_index=[0] * 6)
    assert list(made.problems) == [0, 2, 4, 3]
    assert "text is not <think>" in made.problems[0]
    assert "the think part is empty" in made.problems[2]
    assert "a row has" in made.problems[3]
    assert "20001 characters" in made.problems[4]
    assert made.scores[0].tolist() == made.scores[2].tolist() == [1.0] * 4
    assert bool(made.scores[3:5].isnan().all())
    alone = tiny_model.score(clips(40), [QUESTION] * 2, [TEXTS[0], TEXTS[1]], audio_index=[0, 0])
    torch.testing.assert_close(made.scores[[1, 5]], alone, atol=1e-5, rtol=0)


def test_ordinal_loss_by_hand() -> None:
    """σ(z) = 0.9 above 1, 2, 3 and 4 for a score of 3.5, of which 1, 1, 0.5 and 0 are true: the mean of 2 · 0.1054,
    0.5 · 0.1054 + 0.5 · 2.3026 and 2.3026, that is 0.9293. A criterion without a target costs nothing."""
    logits = torch.full((1, 2, 4), 0.9).logit()
    targets = torch.tensor([[3.5, float("nan")]])
    assert ordinal_loss(logits, targets).item() == pytest.approx(0.9293, abs=1e-4)


def test_it_learns_what_only_the_text_tells(tiny_model: RewardModel) -> None:
    """Three texts, three different targets: sixty steps must bring the errors under half a point."""
    targets = torch.tensor([[1.0, 5.0, 3.0], [5.0, 5.0, 2.0], [3.0, 1.0, 5.0]])
    model = RewardModel(tiny_model.backbone)
    readings = [read(model.backbone.tokenizer, text) for text in TEXTS]
    batch = model.pack(clips(24), [QUESTION], [readings])
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-2)
    for _ in range(60):
        optimiser.zero_grad()
        ordinal_loss(model(batch, readings).criteria, targets).backward()
        optimiser.step()
    scores = model.score(clips(24), [QUESTION] * 3, TEXTS, audio_index=[0, 0, 0])
    assert (scores[:, 1:] - targets).abs().max() < 0.5


def test_it_learns_which_claims_are_true_of_which_clip(tiny_model: RewardModel) -> None:
    """One text, true of one clip and false of the other; the temperature halves the log-odds."""
    model = RewardModel(tiny_model.backbone)
    reading = read(model.backbone.tokenizer, TEXTS[1])
    batch = model.pack(clips(24, 40), [QUESTION] * 2, [[reading], [reading]])
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(40):
        optimiser.zero_grad()
        logits = model(batch, [reading] * 2).claims
        torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor([1.0, 1.0, 0.0, 0.0])).backward()
        optimiser.step()
    made = model.judge(clips(24, 40), [QUESTION] * 2, [TEXTS[1]] * 2)
    assert min(made.probabilities[0]) > 0.8
    assert max(made.probabilities[1]) < 0.2
    model.claim_temperature.fill_(2.0)
    halved = model.judge(clips(24, 40), [QUESTION] * 2, [TEXTS[1]] * 2)
    for sharp, soft in zip(made.probabilities[0], halved.probabilities[0], strict=True):
        assert math.log(soft / (1 - soft)) == pytest.approx(0.5 * math.log(sharp / (1 - sharp)), rel=1e-3)


def test_checkpoints_keep_the_scores(tiny_model: RewardModel, tmp_path: Path) -> None:
    tiny_model.save(tmp_path / "reward")
    loaded = RewardModel.load(tmp_path / "reward")
    arguments = (clips(40), [QUESTION], TEXTS[:1])
    assert torch.equal(loaded.score(*arguments), tiny_model.score(*arguments))
    assert {p.suffix for p in (tmp_path / "reward").iterdir()} <= {".json", ".safetensors", ".jinja", ".md"}


def test_other_checkpoints_are_refused(tiny_model: RewardModel, tmp_path: Path) -> None:
    policy = tmp_path / "policy"
    save_checkpoint(tiny_model.backbone, policy)
    with pytest.raises(CheckpointError, match=r"no reward\.json; it holds no reward model"):
        RewardModel.load(policy)

    reward = tmp_path / "reward"
    tiny_model.save(reward)
    card = json.loads((reward / "reward.json").read_text())
    for name, value in (("architecture", "other/9"), ("criteria", ["taste"])):
        (reward / "reward.json").write_text(json.dumps(card | {name: value}))
        with pytest.raises(CheckpointError, match=rf"{name} is .*{value if name == 'architecture' else 'taste'}"):
            RewardModel.load(reward)
    (reward / "reward.json").write_text("[]")
    with pytest.raises(CheckpointError, match="must be a JSON object"):
        RewardModel.load(reward)
    (reward / "reward.json").write_text("{")
    with pytest.raises(CheckpointError, match="is not valid JSON"):
        RewardModel.load(reward)


def test_damaged_weights_are_refused(tiny_model: RewardModel, tmp_path: Path) -> None:
    tiny_model.save(tmp_path)
    save_file({"weight": torch.zeros(4, 8), "bias": torch.zeros(4)}, tmp_path / "reward_head.safetensors")
    with pytest.raises(CheckpointError, match="is not a valid head of this reward model"):
        RewardModel.load(tmp_path)
    (tmp_path / "reward_head.safetensors").write_bytes(b"not weights")
    with pytest.raises(CheckpointError, match="is not a valid head of this reward model"):
        RewardModel.load(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        RewardModel.load(tmp_path)


def test_refusals(tiny_model: RewardModel) -> None:
    with pytest.raises(ScoreShapeError, match="2 texts need as many questions and clips, got 1 and 1"):
        tiny_model.score(clips(40), [QUESTION], TEXTS[:2])
    with pytest.raises(ScoreShapeError, match=r"targets \(3,\)"):
        ordinal_loss(torch.zeros(1, 3, 4), torch.full((3,), 3.0))
    for wrong in (0.5, 5.5):
        with pytest.raises(ScoreShapeError, match="must lie in"):
            ordinal_loss(torch.zeros(1, 3, 4), torch.full((1, 3), wrong))


def test_a_clip_is_encoded_once_for_all_its_texts(tiny_model: RewardModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight texts about two clips: one call of the encoder with two clips."""
    encoded = []
    encode = tiny_model.backbone.encode_audio

    def counted(features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        encoded.append(len(lengths))
        return encode(features, lengths)

    monkeypatch.setattr(tiny_model.backbone, "encode_audio", counted)
    tiny_model.score([*clips(24), *clips(40)], [QUESTION] * 8, TEXTS[:2] * 4, audio_index=[0, 1] * 4)
    assert encoded == [2]
