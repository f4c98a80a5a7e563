"""The reward model on a tiny random backbone."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from rewardmodel import (
    EMOTIONS,
    OFFERED,
    VALUES,
    CheckpointError,
    Clip,
    ClipLogits,
    ClipTargets,
    RewardModel,
    ScoreShapeError,
    clip_loss,
    hear,
    ordinal_loss,
    read,
)
from rewardmodel.heads import MISLABEL_COSTS
from speech_records import Cue, Emotion, MeasuredUtterance
from speechlm import save_checkpoint

QUESTION = "Which emotion do you hear?"
TEXTS = [
    "<think>The pitch is high.</think><answer>angry</answer>",
    "<think>The voice is loud and the rate is slow.</think><answer>sad</answer>",
    "<think>door</think><answer>happy</answer>",
]


def sounds(*frames: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(16, n, generator=generator) for n in frames]


def clips(*frames: int) -> list[Clip]:
    return [Clip(sound) for sound in sounds(*frames)]


def score(model: RewardModel, *arguments: Any, **options: Any) -> torch.Tensor:
    return model.judge(*arguments, **options).scores


def test_an_untrained_model_orders_by_likelihood_and_gives_three_to_the_rest(tiny_model: RewardModel) -> None:
    """Heads of zeros: 1 + 4 · σ(0) = 3. A claim's log-odds are 1.25 and half the log-likelihood of its value, with the
    end that a value has: *high.* of *The pitch is high.*"""
    fresh = RewardModel(tiny_model.backbone)
    made = fresh.judge(clips(40), [QUESTION], TEXTS[:1])
    assert torch.equal(made.scores[:, 1:], torch.full((1, 3), 3.0))
    reading = read(fresh.backbone.tokenizer, TEXTS[0])
    ((start, end),) = reading.values
    assert fresh.backbone.tokenizer.decode(reading.ids[start:end]) == " high."
    batch = fresh.backbone.collate(sounds(40), [QUESTION], TEXTS[:1])
    said = batch.completion_mask[0].nonzero()[0, 0] + torch.arange(start, end)
    with torch.no_grad():
        logprobs = fresh.backbone.head(fresh.backbone(batch))[0, said - 1].log_softmax(-1)
    expected = logprobs.gather(-1, batch.input_ids[0, said][:, None]).sum()
    assert made.probabilities[0] == pytest.approx([float((0.5 * expected + 1.25).sigmoid())], rel=1e-4)


def test_scores_do_not_depend_on_how_rows_are_batched_or_padded(tiny_model: RewardModel) -> None:
    """A row alone is neither padded nor shares its clip: rows of different lengths, batched by two, must agree. Claims
    and cues on offer are made likely, so that factual scores differ."""
    features = clips(40, 64)
    with torch.no_grad():
        tiny_model.heads.heard[1] = 2.0
        tiny_model.heads.clip.layers[-1].bias[len(VALUES) : len(VALUES) + len(OFFERED)] = 5.0
    together = score(tiny_model, features, [QUESTION] * 3, TEXTS, audio_index=[0, 1, 1], batch_size=2)
    alone = [
        score(tiny_model, [features[clip]], [QUESTION], [text]) for clip, text in zip([0, 1, 1], TEXTS, strict=True)
    ]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=0)
    assert together.std(dim=0).min() > 1e-3  # the rows differ, so the comparison says something
    assert bool(((together >= 1) & (together < 5)).all())


def test_scores_depend_on_clip_and_question(tiny_model: RewardModel) -> None:
    one, other = clips(40, 40)
    base = score(tiny_model, [one], [QUESTION], TEXTS[:1])
    assert not torch.allclose(base, score(tiny_model, [other], [QUESTION], TEXTS[:1]), atol=1e-4)
    assert not torch.allclose(base, score(tiny_model, [one], ["Who speaks?"], TEXTS[:1]), atol=1e-4)


def test_score_leaves_no_gradient_and_the_mode_as_it_was(tiny_model: RewardModel) -> None:
    tiny_model.train()
    scores = score(tiny_model, clips(40), [QUESTION], TEXTS[:1])
    assert not scores.requires_grad
    assert not scores.is_inference()  # an inference tensor could not take part in a loss
    assert tiny_model.training
    assert score(tiny_model, [], [], []).shape == (0, 4)


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
    alone = score(tiny_model, clips(40), [QUESTION] * 2, [TEXTS[0], TEXTS[1]], audio_index=[0, 0])
    torch.testing.assert_close(made.scores[[1, 5]], alone, atol=1e-5, rtol=0)


def test_ordinal_loss_by_hand() -> None:
    """σ(z) = 0.9 above 1, 2, 3 and 4 for a score of 3.5, of which 1, 1, 0.5 and 0 are true: the mean of 2 · 0.1054,
    0.5 · 0.1054 + 0.5 · 2.3026 and 2.3026, that is 0.9293. A criterion without a target costs nothing."""
    logits = torch.full((1, 2, 4), 0.9).logit()
    targets = torch.tensor([[3.5, float("nan")]])
    assert ordinal_loss(logits, targets).item() == pytest.approx(0.9293, abs=1e-4)


def test_a_value_that_can_be_heard_is_judged_by_the_sound_alone(tiny_model: RewardModel) -> None:
    """The same claim in two texts has one probability, its denial the rest of 1, and another clip another one. What the
    clip head cannot tell, a stressed word, is judged by the likelihood: 1.25 and half of it."""
    think = "The pitch is high. It is not high in pitch. The emphasis is on “door”."
    texts = [f"<think>{think}</think><answer>angry</answer>", TEXTS[0]]
    made = tiny_model.judge(clips(40, 64), [QUESTION] * 3, [*texts, TEXTS[0]], audio_index=[0, 0, 1])
    assert [(c.cue, c.value) for c in made.claims[0]] == [
        (Cue.PITCH, "high"), (Cue.PITCH, "not high"), (Cue.STRESS, "door"),
    ]  # fmt: skip
    high, denied, stressed = made.probabilities[0]
    assert high == pytest.approx(made.probabilities[1][0], rel=1e-4)
    assert high + denied == pytest.approx(1.0, rel=1e-4)
    assert abs(high - made.probabilities[2][0]) > 1e-3
    model = RewardModel(tiny_model.backbone)
    assert stressed == pytest.approx(model.judge(clips(40), [QUESTION], texts[:1]).probabilities[0][2], rel=1e-4)
    tiny_model.heads.claim_temperature.fill_(2.0)
    halved = tiny_model.judge(clips(40), [QUESTION], texts[:1]).probabilities[0][0]
    assert math.log(halved / (1 - halved)) == pytest.approx(0.5 * math.log(high / (1 - high)), rel=1e-3)


def test_what_is_heard_does_not_depend_on_texts_or_padding(tiny_model: RewardModel) -> None:
    """Alone or beside a longer clip, with texts behind the prompt or none."""
    short, long = sounds(40, 64)
    alone, both = hear(tiny_model.backbone, [short]), hear(tiny_model.backbone, [short, long])
    reading = read(tiny_model.backbone.tokenizer, TEXTS[0])
    packed = tiny_model.states(tiny_model.pack([short], [QUESTION], [[reading]]), [reading])
    torch.testing.assert_close(alone[0], both[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(alone, packed.sound, atol=1e-5, rtol=0)


def test_targets_of_a_clip_are_the_verdicts_on_every_value(make_clip: Callable[..., MeasuredUtterance]) -> None:
    """Pitch and energy high, rate low, all far from a border; nothing is known of pauses, and no voice is heard."""
    targets = ClipTargets.of([make_clip()])
    found = dict(zip(VALUES, targets.values[0].tolist(), strict=True))
    assert found[Cue.PITCH, "high"] == found[Cue.ENERGY, "high"] == found[Cue.RATE, "low"] == 1.0
    assert found[Cue.PITCH, "low"] == found[Cue.PITCH, "normal"] == found[Cue.RATE, "high"] == 0.0
    assert math.isnan(found[Cue.PAUSES, "none"])
    assert targets.offered.sum() == 4  # pitch, energy, rate, stress


def test_the_clip_head_learns_what_is_true_of_which_clip(
    tiny_model: RewardModel, make_clip: Callable[..., MeasuredUtterance]
) -> None:
    """Two clips of opposite levels: after 60 steps each value has a probability above 0.9 or below 0.1."""
    states = hear(tiny_model.backbone, sounds(24, 40))
    targets = ClipTargets.of([make_clip(), make_clip("b1", "low low high")])
    head = RewardModel(tiny_model.backbone).heads.clip
    head.standardise(states)
    optimiser = torch.optim.AdamW(head.parameters(), lr=1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        torch.stack(list(clip_loss(head(states), targets).values())).sum().backward()
        optimiser.step()
    known = ~targets.values.isnan()
    heard = head.eval()(states).values[known].sigmoid()
    assert (heard - targets.values[known]).abs().max() < 0.1


def test_interpretation_costs_by_distance_of_the_answer_from_what_is_heard(tiny_model: RewardModel) -> None:
    """A head that is sure of anger: the right answer costs 0, the next emotion less than the farthest, no emotion as
    much as that; half of it is evidence. Of the two cues on offer one is named: 2 · 1/2 - 1 = 0. What the language
    model would have concluded, here anger for certain too, costs the same."""
    heads, readings = tiny_model.heads, []
    for answer in ("angry", "frustrated", "calm", "loud"):
        text = f"<think>The pitch is high.</think><answer>{answer}</answer>"
        readings.append(read(tiny_model.backbone.tokenizer, text))
    with torch.no_grad():
        states = tiny_model.states(tiny_model.pack(sounds(40), [QUESTION], [readings]), readings)
        sure = torch.where(torch.tensor([e.value == "angry" for e in EMOTIONS]), 50.0, -50.0)
        offers = torch.where(torch.tensor([c in (Cue.PITCH, Cue.ENERGY) for c in OFFERED]), 50.0, -50.0)
        clip = ClipLogits(torch.zeros(1, len(VALUES)), offers[None], sure[None])
        concluded = replace(states, labels=sure.softmax(-1).expand(4, -1))
        found = heads.evidence(concluded, readings, clip, torch.zeros(4))
    right, near, far, none = found[:, 4].tolist()
    assert right == pytest.approx(0.0, abs=1e-6)
    assert 0.5 < near < far <= 2.0
    assert none == pytest.approx(float(MISLABEL_COSTS[EMOTIONS.index(Emotion.ANGRY)].max()) / 2)
    assert found[:, 5].tolist() == pytest.approx([0.5] * 4)
    assert found[:, 6].tolist() == pytest.approx([0.0] * 4)
    assert torch.equal(found[:, 7], found[:, 4])


def test_the_language_models_own_conclusion_is_read_where_the_text_draws_its(tiny_model: RewardModel) -> None:
    """At the label of the last sentence, after a space; where that names none, at the answer, after none. The
    probabilities are those of the token there, among the first tokens of all emotions."""
    backbone = tiny_model.backbone
    thinks = ("An angry start. So it is angry.", "It is angry. So it is said.")
    readings = [read(backbone.tokenizer, f"<think>{think}</think><answer>angry</answer>") for think in thinks]
    for reading, before, space in zip(readings, ("So it is", "<answer>"), (" ", ""), strict=True):
        assert backbone.tokenizer.decode(reading.ids[: reading.label]).endswith(before)
        first = [backbone.tokenizer(space + e.value, add_special_tokens=False)["input_ids"][0] for e in EMOTIONS]
        assert list(reading.labels) == first
    with torch.no_grad():
        labels = tiny_model.states(tiny_model.pack(sounds(40), [QUESTION], [readings]), readings).labels
        for n, reading in enumerate(readings):
            alone = backbone.collate(sounds(40), [QUESTION], [list(reading.ids)])
            start = int(alone.completion_mask[0].nonzero()[0])
            said = backbone.head(backbone(alone)[0, start + reading.label - 1])[list(reading.labels)].exp()
            for i, token in enumerate(reading.labels):  # emotions with the same first token share its probability
                of_token = said[i] / reading.labels.count(token)
                total = sum(said[reading.labels.index(t)] for t in set(reading.labels))
                assert float(labels[n, i]) == pytest.approx(float(of_token / total), rel=1e-3)


def test_a_text_that_hardly_earns_a_fact_gets_the_lowest_factual_score(tiny_model: RewardModel) -> None:
    """A head that is sure of every value and of all nine cues on offer; what it says is shifted to as sure a no: 1. As
    it is, the one cue that is named earns 1 + 4 / 9."""
    text = "<think>The pitch is high.</think><answer>angry</answer>"
    scores = []
    for shift in (-100.0, 0.0):
        with torch.no_grad():
            tiny_model.heads.clip.layers[-1].weight.zero_()
            tiny_model.heads.clip.layers[-1].bias.fill_(50.0)
            tiny_model.heads.heard[1] = shift
        scores.append(float(tiny_model.judge(clips(40), [QUESTION], [text]).scores[0, 0]))
    assert scores == [1.0, pytest.approx(1 + 4 / 9)]


def test_checkpoints_keep_the_scores(tiny_model: RewardModel, tmp_path: Path) -> None:
    tiny_model.save(tmp_path / "reward")
    loaded = RewardModel.load(tmp_path / "reward")
    arguments = (clips(40), [QUESTION], TEXTS[:1])
    assert torch.equal(score(loaded, *arguments), score(tiny_model, *arguments))
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
    save_file({"weight": torch.zeros(4, 8)}, tmp_path / "reward_head.safetensors")
    with pytest.raises(CheckpointError, match="is not a valid head of this reward model"):
        RewardModel.load(tmp_path)
    (tmp_path / "reward_head.safetensors").write_bytes(b"not weights")
    with pytest.raises(CheckpointError, match="is not a valid head of this reward model"):
        RewardModel.load(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        RewardModel.load(tmp_path)


def test_refusals(tiny_model: RewardModel) -> None:
    with pytest.raises(ScoreShapeError, match="clip 0 has no features"):
        tiny_model.judge([Clip()], [QUESTION], TEXTS[:1])
    with pytest.raises(ScoreShapeError, match="2 texts need as many questions and clips, got 1 and 1"):
        score(tiny_model, clips(40), [QUESTION], TEXTS[:2])
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
    score(tiny_model, [*clips(24), *clips(40)], [QUESTION] * 8, TEXTS[:2] * 4, audio_index=[0, 1] * 4)
    assert encoded == [2]
