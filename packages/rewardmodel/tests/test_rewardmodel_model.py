"""The reward model on a tiny random backbone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from rewardmodel import CheckpointError, RewardModel, ScoreShapeError, score_loss
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


def test_an_untrained_model_gives_three_to_everything(tiny_model: RewardModel) -> None:
    """A head of zeros has logits 0 and 1 + 4 σ(0) = 3."""
    fresh = RewardModel(tiny_model.backbone)
    assert torch.equal(fresh.score(clips(40), [QUESTION], TEXTS[:1]), torch.full((1, 4), 3.0))


def test_scores_do_not_depend_on_how_rows_are_batched_or_padded(tiny_model: RewardModel) -> None:
    """A row alone is neither padded nor shares its clip: rows of different lengths, batched by two, must agree."""
    features = clips(40, 64)
    together = tiny_model.score(features, [QUESTION] * 3, TEXTS, audio_index=[0, 1, 1], batch_size=2)
    alone = [
        tiny_model.score([features[clip]], [QUESTION], [text]) for clip, text in zip([0, 1, 1], TEXTS, strict=True)
    ]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=0)
    assert together.std(dim=0).min() > 1e-3  # the rows differ, so the comparison says something
    assert bool(((together > 1) & (together < 5)).all())


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


def test_loss_by_hand() -> None:
    """σ(z) = 0.9 against a target of 0.75 (score 4): -(0.75 log 0.9 + 0.25 log 0.1) = 0.0790 + 0.5756 = 0.6547."""
    logits = torch.full((2, 4), 0.9).logit()
    assert score_loss(logits, torch.full((2, 4), 4.0)).item() == pytest.approx(0.6547, abs=1e-4)


def test_loss_is_smallest_at_the_target_and_still_pulls_where_sigma_saturates() -> None:
    """The gradient by z is (σ(z) - target) / (4 N): 0 at the target, and (1 - 0) / 4 for a sure 5 where 1 is right."""
    z = torch.tensor([[0.0, 20.0, 0.0, 0.0]], requires_grad=True)
    score_loss(z, torch.tensor([[3.0, 1.0, 3.0, 3.0]])).backward()
    torch.testing.assert_close(z.grad, torch.tensor([[0.0, 0.25, 0.0, 0.0]]))


def test_it_learns_what_only_the_text_tells(tiny_model: RewardModel) -> None:
    """Three texts, three different targets: sixty steps must bring the errors under half a point."""
    targets = torch.tensor([[5.0, 1.0, 5.0, 3.0], [1.0, 5.0, 5.0, 2.0], [3.0, 3.0, 1.0, 5.0]])
    model = RewardModel(tiny_model.backbone)
    batch = model.backbone.collate(clips(24), [QUESTION] * 3, TEXTS, audio_index=[0, 0, 0])
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        score_loss(model.logits(batch), targets).backward()
        optimiser.step()
    scores = model.score(clips(24), [QUESTION] * 3, TEXTS, audio_index=[0, 0, 0])
    assert (scores - targets).abs().max() < 0.5


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
    with pytest.raises(ScoreShapeError, match="no completion to score"):
        tiny_model.logits(tiny_model.backbone.collate(clips(40), [QUESTION]))
    with pytest.raises(ScoreShapeError, match=r"targets \(4,\)"):
        score_loss(torch.zeros(1, 4), torch.full((4,), 3.0))
    for wrong in (0.5, 5.5, float("nan")):
        with pytest.raises(ScoreShapeError, match="must lie in"):
            score_loss(torch.zeros(1, 4), torch.full((1, 4), wrong))


def test_packed_answers_get_the_scores_and_gradients_of_rows(tiny_model: RewardModel) -> None:
    """Two clips, answers of different lengths in mixed order: one row each against groups behind one prompt."""
    features = [*clips(24), *clips(40)]
    texts = [TEXTS[0], TEXTS[1], TEXTS[2], TEXTS[0] + " So it is.", "Yes."]
    heard = [1, 0, 1, 0, 1]
    rows = tiny_model.backbone.collate(features, [QUESTION] * 5, texts, audio_index=heard)
    groups = [[i for i in range(5) if heard[i] == clip] for clip in (0, 1)]
    packed = tiny_model.backbone.pack(features, [QUESTION] * 2, [[texts[i] for i in g] for g in groups])
    gradients = []
    order = torch.tensor([*groups[0], *groups[1]])
    for batch, expected in ((rows, torch.arange(5)), (packed, order)):
        tiny_model.zero_grad()
        scores = tiny_model(batch)
        scores[expected.argsort()].mul(torch.arange(1.0, 6.0)[:, None]).sum().backward()
        gradients.append((scores[expected.argsort()], tiny_model.head.weight.grad.clone()))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        tiny_model.score(features, [QUESTION] * 5, texts, audio_index=heard), gradients[0][0], atol=1e-5, rtol=1e-5
    )


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
