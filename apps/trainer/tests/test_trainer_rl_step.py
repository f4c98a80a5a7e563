"""The RL step itself: answers from a script, everything after them real. Numbers are worked from the equations."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor

from grpo_ptr import LOSSES, Factual, ProgressiveSchedule, RewardWeights
from policy import EngineError, Rollout, importance_weights, sequence_logprobs
from rewardmodel import Clip, Judgement, RewardModel
from speech_records import (
    PAPER_9,
    Emotion,
    Level,
    LevelReading,
    MeasuredUtterance,
    ProsodyLevels,
    ProsodyProfile,
    RewardScores,
    Utterance,
    emotion_question,
    format_answer,
)
from speechlm import LoraSettings, PocketSize, SpeechLM, add_lora, pocket, train_tokenizer
from trainer.errors import ConfigError, DataSetError
from trainer.grpo import GRPOModule
from trainer.modules import Batches
from trainer.packed_loss import MicroBatch, packed_loss
from trainer.settings import Algorithm, ClaimBaseline, GateAccuracy, GRPOSettings, SamplerKind

TINY = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)
RIGHT, WRONG, PRAISED = (
    format_answer("Low.", "sad"),
    format_answer("High.", "angry"),
    format_answer("High and loud.", "angry"),
)
FORMLESS = "sad, I think"


@dataclass
class ScriptedSampler:
    """Gives the answers of its script, a rollout a call, with their own tokens."""

    model: SpeechLM
    script: list[list[Sequence[str]]]

    def sample(self, features: list[Tensor], questions: list[str], **options: Any) -> Rollout:
        texts = self.script.pop(0)
        assert len(texts) == len(features) == len(questions)
        rows = [torch.tensor([*self.model.tokenizer(t).input_ids, self.model.end_id]) for g in texts for t in g]
        tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self.model.pad_id)
        mask = torch.arange(tokens.shape[1]) < torch.tensor([len(row) for row in rows])[:, None]
        shape = (len(texts), len(texts[0]), -1)
        seeds = torch.zeros(shape[:2], dtype=torch.long)
        zeros = torch.zeros(tokens.shape).view(shape)
        return Rollout(tuple(map(tuple, texts)), tokens.view(shape), mask.view(shape), zeros, seeds == 0, seeds)


class ScriptedJudge(RewardModel):
    """Gives 5 to what is loud and 1 to the rest, on all criteria, and remembers what it was asked."""

    def __init__(self, backbone: SpeechLM) -> None:
        super().__init__(backbone)
        self.asked: list[list[str]] = []

    def judge(self, clips: Sequence[Clip], questions: Sequence[str], texts: Sequence[str], **options: Any) -> Judgement:
        self.asked.append(list(texts))
        scores = torch.tensor([[5.0 if "loud" in text else 1.0] * 4 for text in texts])
        return Judgement(scores, torch.full_like(scores, 0.25), ((),) * len(texts), ((),) * len(texts), {})


def model() -> SpeechLM:
    return pocket(train_tokenizer([RIGHT, WRONG, PRAISED, FORMLESS], vocab_size=300), seed=0, size=TINY)


def clip(name: str, emotion: Emotion | None = Emotion.SAD) -> MeasuredUtterance:
    utterance = Utterance(name, "made", f"{name}.wav", "s", emotion)
    return MeasuredUtterance(utterance, ProsodyProfile(duration_s=1.0, sample_rate=16_000))


def module(script: list[list[Sequence[str]]], **changes: Any) -> tuple[GRPOModule, ScriptedJudge]:
    gate = {"schedule": ProgressiveSchedule(threshold=0.5, window=2, tolerance=0.3)}
    settings = GRPOSettings(prompts_per_step=2, group_size=2, **(gate | changes))
    features = {name: torch.rand(16, 40, generator=torch.Generator().manual_seed(0)) for name in ("u1", "u2")}
    judge, trained = ScriptedJudge(model()), model()
    made = GRPOModule(trained, settings, label_set=PAPER_9, features=features, reward_model=judge)
    made.sampler = ScriptedSampler(trained, script)  # type: ignore[assignment]
    return made, judge


def test_the_gate_opens_and_reasoning_rewards_enter_weighed_by_trust() -> None:
    """Accuracies 1/4, 2/4 and 3/4 have the running means 0.375 and 0.625: the gate opens at step 3. There the first
    group's wrong answer is praised (R_t 1 against 0.2), so τ = e^-0.8; the second is all right, so τ = 1 and R_t 0.2.

    Rewards before: 0.3 R_f + R_o. Step 1: 1.3, 0.3, 0 and 0.3. Step 2: 1.3, 0.3, 1.3, 0.3.
    At step 3: 1.3 + 0.1 τ, 0.3 + 0.5 τ, 1.3 + 0.1 and 1.3 + 0.1.
    """
    script: list[list[Sequence[str]]] = [
        [[RIGHT, WRONG], [FORMLESS, WRONG]],
        [[RIGHT, WRONG], [RIGHT, WRONG]],
        [[RIGHT, PRAISED], [RIGHT, RIGHT]],
    ]
    made, judge = module(script, algorithm=Algorithm.GRPO_PTR)
    opened = []
    for step in range(3):
        loss = made.training_step([clip("u1"), clip("u2")], step)
        assert loss.isfinite()
        opened.append(made.schedule_state.opened_at)
    assert opened == [None, None, 3]
    assert judge.asked == [[RIGHT, PRAISED, RIGHT, RIGHT]]
    first, second, third = made.history
    tau = math.exp(-0.8)
    assert [row["accuracy"] for row in made.history] == [0.25, 0.5, 0.75]
    assert [row["format"] for row in made.history] == [0.75, 1.0, 1.0]
    assert first["reward"] == pytest.approx((1.3 + 0.3 + 0.0 + 0.3) / 4)
    assert second["reward"] == pytest.approx(0.8)
    assert third["reward"] == pytest.approx((1.3 + 0.1 * tau + 0.3 + 0.5 * tau + 1.4 + 1.4) / 4)
    assert (third["trust_min"], third["trust_mean"]) == pytest.approx((tau, (tau + 1) / 2))
    assert (third["reasoning"], third["distrusted_groups"]) == pytest.approx((0.4, 0.5))
    assert [third[f"score_{criterion}"] for criterion in RewardScores.CRITERIA] == [2.0] * 4  # 1, 5, 1 and 1
    assert [third[f"uncertainty_{criterion}"] for criterion in RewardScores.CRITERIA] == [0.25] * 4
    assert "trust_mean" not in second
    assert [row["gate"] for row in made.history] == [0.0, 0.0, 1.0]


def test_settings_reach_the_rewards() -> None:
    """Weights 0, 2, 1 with the gate open from the start: 2 + τ 0.2, τ 1.0, and for the group without opposites, whose
    τ is 0 now, 2 and 2."""
    made, _ = module(
        [[[RIGHT, PRAISED], [RIGHT, RIGHT]]],
        degenerate=0.0,
        reward_weights=RewardWeights(0.0, 2.0, 1.0),
        schedule=ProgressiveSchedule(threshold=0.0, window=1),
    )
    made.training_step([clip("u1"), clip("u2")], 0)
    tau = math.exp(-0.8)
    assert made.history[0]["reward"] == pytest.approx((2 + 0.2 * tau + tau + 2 + 2) / 4)
    assert made.history[0]["trust_min"] == 0.0


def test_every_clip_is_asked_its_own_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a joint data set, that of its corpus: by sampler, reward model and loss alike."""
    made, judge = module([[[RIGHT, WRONG], [RIGHT, WRONG]]], schedule=ProgressiveSchedule(threshold=0.0, window=1))
    made.questions = {"u2": "Sad or angry?"}
    asked: list[list[str]] = []
    for owner, name in ((made.sampler, "sample"), (judge, "judge"), (made.model, "pack")):
        call = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda x, q, *a, f=call, **k: (asked.append(list(q)), f(x, q, *a, **k))[1])
    made.training_step([clip("u1"), clip("u2")], 0)
    both = [emotion_question(PAPER_9), "Sad or angry?"]
    assert asked == [both, [q for q in both for _ in range(2)], both]


def test_plain_grpo_never_asks_the_reward_model() -> None:
    """Its gate does not exist, however high the accuracy."""
    script: list[list[Sequence[str]]] = [[[RIGHT, RIGHT], [RIGHT, RIGHT]] for _ in range(5)]
    made, judge = module(script, algorithm=Algorithm.GRPO)
    for step in range(5):
        made.training_step([clip("u1"), clip("u2")], step)
    assert judge.asked == []
    assert [row["reward"] for row in made.history] == pytest.approx([1.3] * 5)


def measured(name: str) -> MeasuredUtterance:
    """A clip of high pitch, so that "The pitch is high." is true and "The pitch is low." is not."""
    levels = ProsodyLevels("made", "0", pitch=LevelReading(Level.HIGH, 250.0, 90.0))
    return replace(clip(name), levels=levels)


def test_each_claim_earns_what_it_is_worth_among_those_of_its_cue_once_the_gate_is_open() -> None:
    """The pitch is high. In the first group one of two claims about it is true: A = ±0.5 / (0.5 + 1e-4), half of it at
    the tokens of each claim and nothing at others; “Größer” takes more tokens than it has letters. In the second both
    are true: 0.
    """
    true, false = "Größer: the pitch is high.", "The pitch is low."
    answers = [[format_answer(true, "sad"), format_answer(false, "angry")]]
    answers.append([format_answer(true, "sad"), format_answer("Well, the pitch is high.", "angry")])
    verified = {"factual": Factual.VERIFIED, "criterion_weights": (1.0, 0.0, 0.0, 0.0), "claim_credit": 0.5}
    opened, _ = module([answers], **verified, schedule=ProgressiveSchedule(threshold=0.0, window=1))
    opened.training_step([measured("u1"), measured("u2")], 0)
    assert opened.history[0]["supported_claims"] == pytest.approx(0.75)
    groups, (micro,) = opened.experience.groups, opened.experience.micro_batches
    given = micro.advantages - opened.experience.advantages[..., None]
    torch.testing.assert_close(given[1], torch.zeros_like(given[1]))
    for answer, sign in ((0, 1), (1, -1)):
        credited = given[0, answer] != 0.0
        torch.testing.assert_close(given[0, answer][credited], torch.full((int(credited.sum()),), sign * 0.4999))
        text = opened.model.tokenizer.decode(groups.tokens[0, answer][credited])
        assert text.strip(" .").lower() in ("pitch is high", "pitch is low")

    silent = [[format_answer("Well.", "sad"), format_answer("Well.", "angry")]] * 2
    opened, _ = module([silent], **verified, schedule=ProgressiveSchedule(threshold=0.0, window=1))
    opened.training_step([measured("u1"), measured("u2")], 0)
    assert "supported_claims" not in opened.history[0]

    shut, _ = module([answers], **verified)
    shut.training_step([measured("u1"), measured("u2")], 0)
    (micro,) = shut.experience.micro_batches
    torch.testing.assert_close(micro.advantages, shut.experience.advantages[..., None].expand(micro.mask.shape))


def test_compared_with_all_claims_of_its_group_a_cue_that_is_often_wrong_loses() -> None:
    """Pitch and energy are high. Two claims about the pitch are true, the one about the energy is false: alike within
    their cues, so nothing is earned there; among all three the mean is 2/3 and the deviation √2/3, A = 1/√2 and -√2.
    """
    levels = ProsodyLevels(
        "made", "0", pitch=LevelReading(Level.HIGH, 250.0, 90.0), energy=LevelReading(Level.HIGH, -10.0, 90.0)
    )
    loud = replace(clip("u1"), levels=levels)
    answers = [
        [format_answer("The pitch is high. The energy is low.", "sad"), format_answer("The pitch is high.", "sad")]
    ]
    options = {"factual": Factual.VERIFIED, "criterion_weights": (1.0, 0.0, 0.0, 0.0), "claim_credit": 1.0}
    for baseline, expected in ((ClaimBaseline.CUE, {0.0}), (ClaimBaseline.GROUP, {0.0, 0.707, -1.414})):
        opened, _ = module(
            [answers], **options, claim_baseline=baseline, schedule=ProgressiveSchedule(threshold=0.0, window=1)
        )
        opened.training_step([loud], 0)
        (micro,) = opened.experience.micro_batches
        given = micro.advantages - opened.experience.advantages[..., None]
        assert {round(credit, 3) for credit in given.flatten().tolist()} == expected


def test_what_is_verified_takes_the_place_of_the_judge() -> None:
    """Gate open, all weight on the verified criterion, no reward model. The clips offer one cue, their pitch. The first
    group: right and true (R_v 1, R_t 1), wrong with a contradiction beside the truth (R_v 0, R_t 0.2). The second:
    right, claiming nothing, wrong and false (both R_t 0.2). τ is 1 in both, so the rewards are 1.3 + 0.5, and with
    0.1 more for the reasoning 0.3, 1.3 and 0.3."""
    answers = [
        [format_answer("The pitch is high.", "sad"), format_answer("The pitch is high. The pitch is low.", "angry")],
        [format_answer("Well.", "sad"), format_answer("The pitch is low.", "angry")],
    ]
    made, judge = module(
        [answers],
        factual=Factual.VERIFIED,
        criterion_weights=(1.0, 0.0, 0.0, 0.0),
        schedule=ProgressiveSchedule(threshold=0.0, window=1),
    )
    made.training_step([measured("u1"), measured("u2")], 0)
    assert judge.asked == []
    assert made.history[0]["verified"] == pytest.approx(0.25)
    assert not any(name.startswith("score_") for name in made.history[0])
    assert made.history[0]["reasoning"] == pytest.approx((1.0 + 0.2 + 0.2 + 0.2) / 4)
    assert made.history[0]["reward"] == pytest.approx((1.8 + 0.4 + 1.4 + 0.4) / 4)


def test_beside_the_judge_the_mean_of_both_counts() -> None:
    """Judged 1 on all; verified 1, so the factual score is (1 + 5) / 2 = 3: R_t = (3 + 1 + 1 + 1) / 20 = 0.3."""
    true = format_answer("The pitch is high.", "sad")
    opened = ProgressiveSchedule(threshold=0.0, window=1)
    made, judge = module([[[true, true], [true, true]]], factual=Factual.BOTH, schedule=opened)
    made.training_step([measured("u1"), measured("u2")], 0)
    assert len(judge.asked) == 1
    assert made.history[0]["reasoning"] == pytest.approx(0.3)


def test_a_reward_that_is_nan_leaves_its_group_out_and_is_counted() -> None:
    """The judge gives NaN to the second group: loss and rewards are those of the first alone, on-policy and of equal
    lengths 0 but for the KL, so what is compared is the reward: (1.3 + 0.1 + 0.3 + 0.1) / 2. When both are NaN,
    nothing is learnt, and that is said."""

    class Failing(ScriptedJudge):
        def judge(
            self, clips: Sequence[Clip], questions: Sequence[str], texts: Sequence[str], **options: Any
        ) -> Judgement:
            made = super().judge(clips, questions, texts, **options)
            is_flat = torch.tensor(["Flat" in text for text in texts])[:, None]
            return replace(made, scores=made.scores.where(~is_flat, torch.nan))

    broken = format_answer("Flat.", "sad")
    script: list[list[Sequence[str]]] = [[[RIGHT, WRONG], [broken, WRONG]], [[broken, WRONG], [broken, WRONG]]]
    made, _ = module(script, schedule=ProgressiveSchedule(threshold=0.0, window=1), claim_credit=1.0)
    made.frozen.reward_model = Failing(model())
    assert made.training_step([clip("u1"), clip("u2")], 0).grad_fn is not None
    assert made.training_step([clip("u1"), clip("u2")], 1).grad_fn is None
    first, second = made.history
    assert (first["groups"], first["unscored_groups"]) == (1, 1)
    assert first["reward"] == pytest.approx(0.9)
    assert (second["groups"], second["unscored_groups"], second["accuracy"]) == (0, 2, 0.5)


def test_dynamic_sampling_fills_the_step_with_mixed_groups() -> None:
    """Two groups wanted, two rounds allowed. Round one has one mixed group, so a second is sampled, whose first mixed
    group fills the step; the judge sees these two alone. When round one suffices, no second is sampled."""
    script: list[list[Sequence[str]]] = [
        [[RIGHT, RIGHT], [RIGHT, WRONG]],
        [[PRAISED, RIGHT], [PRAISED, RIGHT]],
        [[RIGHT, WRONG], [RIGHT, WRONG]],
    ]
    made, judge = module(script, sampling_rounds=2, schedule=ProgressiveSchedule(threshold=0.0, window=1))
    clips = [clip("u1"), clip("u2"), clip("u2"), clip("u1")]
    made.training_step(clips, 0)
    assert judge.asked == [[RIGHT, WRONG, PRAISED, RIGHT]]
    made.training_step(clips, 1)
    assert judge.asked[1] == [RIGHT, WRONG, RIGHT, WRONG]
    first, second = made.history
    assert (first["groups"], first["one_sided_groups"], first["accuracy"]) == (2, 0.25, 5 / 8)
    assert (second["groups"], second["one_sided_groups"]) == (2, 0.0)


def test_a_step_without_mixed_groups_teaches_nothing() -> None:
    made, _ = module([[[RIGHT, RIGHT], [WRONG, WRONG]]] * 2, sampling_rounds=2, algorithm=Algorithm.GRPO)
    assert made.training_step([clip("u1"), clip("u2")] * 2, 0).grad_fn is None
    assert made.history[0]["groups"] == 0


def test_truncated_importance_weights_scale_the_step() -> None:
    """The sampler reports log-probabilities 0.5 nats below the policy's for right answers and 2 nats below for wrong
    ones: weights e^0.5 = 1.6487, and e^2 cut to 2. With advantages ±1, on-policy: -(1.6487 - 2) / 2 = 0.1757."""
    settings = {"algorithm": Algorithm.GRPO, "kl_coefficient": 0.0, "importance_cap": 2.0}
    made, _ = module([[[RIGHT, WRONG], [RIGHT, WRONG]]], **settings)
    rollout = made.sampler.sample([made.features["u1"]] * 2, [""] * 2)
    clips = [made.features["u1"]] * 2
    groups = [[tokens[real].tolist() for tokens, real in zip(*group, strict=True)]
              for group in zip(rollout.tokens, rollout.mask, strict=True)]  # fmt: skip
    packed = made.model.pack(clips, [made.question] * 2, groups)
    with torch.no_grad():
        exact = packed.unpack(sequence_logprobs(made.model, packed)).view(2, 2, -1)
    reported = exact - torch.tensor([0.5, 2.0])[None, :, None]
    advantages = torch.tensor([[1.0, -1.0]] * 2)
    reported = reported.where(rollout.mask, 0.0)
    micro = MicroBatch(clips, [made.question] * 2, rollout.tokens, rollout.mask, advantages, sampler_logprobs=reported)
    result = packed_loss(made.model, micro, made.settings).result
    assert result.policy_loss.item() == pytest.approx(-(math.exp(0.5) - 2.0) / 2, abs=1e-4)


def test_what_vllm_samples_is_weighed_and_compared() -> None:
    """Weights up to 2 unless specified. What the engine reports is 0 nats for every token, so the mismatch is minus the
    mean log-probability of the answers' tokens. Without vLLM the training ends with one line before a step."""
    assert GRPOSettings(sampler=SamplerKind.VLLM).cap == 2.0
    assert GRPOSettings(sampler=SamplerKind.VLLM, importance_cap=5.0).cap == 5.0
    assert GRPOSettings().cap is None
    made, _ = module([[[RIGHT, WRONG], [RIGHT, WRONG]]], algorithm=Algorithm.GRPO, sampler=SamplerKind.VLLM)
    batch = made.model.collate([made.features["u1"]] * 2, [emotion_question(PAPER_9)] * 2, [RIGHT, WRONG])
    with torch.no_grad():
        expected = -sequence_logprobs(made.model, batch)[batch.completion_mask].mean()
    made.training_step([clip("u1"), clip("u2")], 0)
    assert made.history[0]["mismatch"] == pytest.approx(float(expected), abs=1e-4)
    if importlib.util.find_spec("vllm") is None:
        with pytest.raises(EngineError, match="vLLM"):
            made.on_fit_start()


def test_the_length_penalty_enters_the_reward() -> None:
    """Answers as long as the limit lose 1: rewards 1.3 - 1 and 0.3 - 1. The limit is their own length."""
    length = len(model().tokenizer(RIGHT).input_ids) + 1
    assert length == len(model().tokenizer(WRONG).input_ids) + 1
    made, _ = module(
        [[[RIGHT, WRONG], [RIGHT, WRONG]]], algorithm=Algorithm.GRPO, max_new_tokens=length, overlong_buffer=2
    )
    made.training_step([clip("u1"), clip("u2")], 0)
    assert made.history[0]["length_penalty"] == -1.0
    assert made.history[0]["reward"] == pytest.approx((0.3 - 0.7) / 2)


def test_answers_and_loss_are_of_the_clip_as_it_was_filtered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sampler and loss are given the same clips, which are not those that were recorded; without the augmentation they
    are."""
    for spread in (6.0, 0.0):
        made, _ = module([[[RIGHT, WRONG], [RIGHT, WRONG]]], algorithm=Algorithm.GRPO, filter_augment_db=spread)
        heard: list[list[Tensor]] = []
        sample, pack = made.sampler.sample, made.model.pack
        monkeypatch.setattr(
            made.sampler, "sample", lambda x, q, *, f=sample, to=heard, **k: (to.append(x), f(x, q, **k))[1]
        )
        monkeypatch.setattr(made.model, "pack", lambda x, *a, f=pack, to=heard: (to.append(x), f(x, *a))[1])
        made.training_step([clip("u1"), clip("u2")], 0)
        answered, learnt = heard
        recorded = [made.features["u1"], made.features["u2"]]
        assert all(torch.equal(a, b) for a, b in zip(answered, learnt, strict=True))
        assert [torch.equal(a, b) for a, b in zip(answered, recorded, strict=True)] == [spread == 0] * 2


def test_without_the_reward_model_it_needs_the_step_is_refused_before_it_is_trained() -> None:
    settings = GRPOSettings(group_size=2)
    with pytest.raises(ConfigError, match="needs a reward model"):
        GRPOModule(model(), settings, label_set=PAPER_9, features={}, reward_model=None)


def fit_by_lightning(made: GRPOModule, plan: list[list[MeasuredUtterance]], **options: Any) -> None:
    """Train with the options of `fit`, but for tracking, and for clipping unless it is given."""
    trainer = Trainer(
        max_epochs=1, accelerator="cpu", devices=1, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, **options,
    )  # fmt: skip
    trainer.fit(made, Batches(plan, list))


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_backward_passes_of_one_prompt_each_make_the_gradient_of_the_whole_step(loss: str) -> None:
    """Two groups of different lengths at once, and one after the other, by Lightning as in training: same loss, KL and
    gradients, but for float32. A budget of tokens that no group fits in takes them one by one too."""
    answers: list[Sequence[str]] = [[RIGHT, PRAISED], [format_answer("Low and slow and low again.", "sad"), WRONG]]
    runs = []
    for least in ({}, {"micro_batch_size": 1}, {"micro_batch_tokens": 1}):
        made, _ = module([answers], algorithm=Algorithm.GRPO, loss=loss, kl_coefficient=0.04, **least)
        with torch.no_grad():
            made.model.head.weight.mul_(1.1)  # away from the reference
        fit_by_lightning(made.train(), [[clip("u1"), clip("u2")]])
        gradients = {name: p.grad for name, p in made.model.named_parameters() if p.grad is not None}
        runs.append((made.history[0], gradients))
    whole, expected = runs[0]
    assert whole["kl"] > 0
    for parts, got in runs[1:]:
        assert parts.keys() == whole.keys()
        for name, value in whole.items():
            if not name.startswith(("seconds_", "tokens_per_", "memory_")):
                assert parts[name] == pytest.approx(value, abs=1e-5), name
        assert got.keys() == expected.keys()
        for name, gradient in expected.items():
            torch.testing.assert_close(got[name], gradient, rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
def test_a_budget_of_tokens_cuts_a_step_between_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two groups of the same length, prompt included, fit in twice that and not in a token less: one pass, and two."""
    made, _ = module([[[RIGHT, WRONG], [RIGHT, WRONG]]], algorithm=Algorithm.GRPO)
    length = made.model.pack([made.features["u1"]], [made.question], [[RIGHT, WRONG]]).batch.input_ids.shape[1]
    for budget, expected in ((2 * length, [2]), (2 * length - 1, [1, 1])):
        made, _ = module([[[RIGHT, WRONG], [RIGHT, WRONG]]], algorithm=Algorithm.GRPO, micro_batch_tokens=budget)
        packed: list[int] = []
        pack = made.model.pack
        monkeypatch.setattr(made.model, "pack", lambda x, *a, f=pack, to=packed: (to.append(len(x)), f(x, *a))[1])
        fit_by_lightning(made.train(), [[clip("u1"), clip("u2")]])
        assert [n for n in packed if n] == expected


def test_how_much_of_the_signal_comes_from_one_sided_groups_is_recorded() -> None:
    """One group right/wrong and equally well reasoned, one all right of which one answer is praised: standardised, all
    four advantages are ±1 but for ε, so half of their squares; with τ 0 for such groups, none."""
    answers = [[RIGHT, WRONG], [RIGHT, format_answer("Low and loud.", "sad")]]
    for degenerate, share in ((1.0, 0.5), (0.0, 0.0)):
        opened = ProgressiveSchedule(threshold=0.0, window=1)
        made, _ = module([answers], degenerate=degenerate, schedule=opened)  # type: ignore[list-item]
        made.training_step([clip("u1"), clip("u2")], 0)
        assert made.history[0]["one_sided_advantages"] == pytest.approx(share, abs=1e-3)


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
def test_a_step_that_teaches_nothing_leaves_every_weight_as_it_was() -> None:
    """Trained by Lightning with the options of `fit`: there are only one-sided groups, which dynamic sampling leaves
    out; no weight changes, not by weight decay either, and every step is in the history."""
    made, _ = module([[[RIGHT, RIGHT], [WRONG, WRONG]]] * 4, sampling_rounds=2, algorithm=Algorithm.GRPO, steps=2)
    before = {name: weight.clone() for name, weight in made.model.state_dict().items()}
    fit_by_lightning(made.train(), [[clip("u1"), clip("u2")] * 2] * 2, gradient_clip_val=1.0)
    assert all(torch.equal(before[name], weight) for name, weight in made.model.state_dict().items())
    assert [row["groups"] for row in made.history] == [0, 0]


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_steps_raise_the_probability_of_what_is_rewarded(loss: str) -> None:
    """Two answers of equal form, one of them right: after ten steps its log-odds against the other have risen."""
    script: list[list[Sequence[str]]] = [[[RIGHT, WRONG], [RIGHT, WRONG]] for _ in range(10)]
    made, _ = module(script, algorithm=Algorithm.GRPO, loss=loss, kl_coefficient=0.0)

    def log_odds() -> float:
        clips = [made.features["u1"]] * 2
        batch = made.model.collate(clips, [emotion_question(PAPER_9)] * 2, [RIGHT, WRONG])
        with torch.no_grad():
            right, wrong = sequence_logprobs(made.model, batch).sum(-1).tolist()
        return right - wrong

    before = log_odds()
    optimizer = torch.optim.AdamW(made.parameters(), lr=1e-3)
    for step in range(10):
        optimizer.zero_grad()
        made.training_step([clip("u1"), clip("u2")], step).backward()
        optimizer.step()
    assert log_odds() > before + 1.0


@pytest.mark.parametrize("with_lora", [False, True])
def test_before_the_first_update_the_kl_is_zero(with_lora: bool) -> None:  # noqa: FBT001
    """The reference is the policy: a copy of it, or with new adapters the policy itself without them, and no copy."""
    made, _ = module([[[RIGHT, WRONG], [RIGHT, WRONG]]], algorithm=Algorithm.GRPO)
    if with_lora:
        add_lora(made.model, LoraSettings(rank=2, alpha=4.0))
    made, _ = rebuilt(made, [[[RIGHT, WRONG], [RIGHT, WRONG]]], kl_coefficient=0.04)
    assert made.frozen.reference is not None
    assert made.frozen.reference.shared is with_lora
    made.training_step([clip("u1"), clip("u2")], 0)
    assert made.history[0]["kl"] == 0.0
    made, _ = rebuilt(made, [[[RIGHT, WRONG], [RIGHT, WRONG]]], kl_coefficient=0.0)
    assert made.frozen.reference is None
    made.training_step([clip("u1"), clip("u2")], 0)
    assert "kl" not in made.history[0]


def rebuilt(made: GRPOModule, script: list[list[Sequence[str]]], **changes: Any) -> tuple[GRPOModule, ScriptedJudge]:
    """Another module around the same policy."""
    again, judge = module(script, algorithm=Algorithm.GRPO, **changes)
    settings = again.settings
    again = GRPOModule(made.model, settings, label_set=PAPER_9, features=made.features, reward_model=None)
    again.sampler = ScriptedSampler(made.model, script)  # type: ignore[assignment]
    return again, judge


def test_the_gate_may_see_the_accuracy_of_validation_clips() -> None:
    """All rollouts are right, but the gate waits for validation: 0.4 after step 1 and 0.8 after step 3. With a window
    of one it opens at step 4, the first that begins after 0.5 was reached."""
    script: list[list[Sequence[str]]] = [[[RIGHT, WRONG], [RIGHT, RIGHT]] for _ in range(4)]
    made, _ = module(
        script,
        schedule=ProgressiveSchedule(threshold=0.5, window=1),
        gate_accuracy=GateAccuracy.VALIDATION,
        validate_every=2,
    )
    for step, validated in enumerate((0.4, None, 0.8, None)):
        made.training_step([clip("u1"), clip("u2")], step)
        if validated is not None:
            made.history[-1]["sampled_accuracy"] = validated
    assert [row["gate"] for row in made.history] == [0.0, 0.0, 0.0, 1.0]
    with pytest.raises(ConfigError, match="validate_every is 0, expected > 0 with gate_accuracy=validation"):
        GRPOSettings(gate_accuracy=GateAccuracy.VALIDATION)


def test_inner_epochs_are_clipped_around_the_policy_that_was_sampled() -> None:
    """One rollout, three steps at a rate that moves the policy far: the first has ratio 1 and clips nothing; later ones
    clip. Their loss is that of the ratios to the first's log-probabilities, computed here from the equation, with the
    advantages of rewards 1.3 and 0.3: 0.5 / (0.5 + 1e-4) and its negative."""
    made, _ = module([[[RIGHT, WRONG], [RIGHT, WRONG]]], algorithm=Algorithm.GRPO, kl_coefficient=0.0, inner_epochs=3)
    batch = made.model.collate([made.features["u1"]] * 2, [emotion_question(PAPER_9)] * 2, [RIGHT, WRONG])
    optimizer = torch.optim.AdamW(made.parameters(), lr=3e-3)
    with torch.no_grad():
        old = sequence_logprobs(made.model, batch)
    expected, stops, advantage, extremes = [], [], 0.5 / (0.5 + 1e-4), []
    for step in range(3):
        with torch.no_grad():
            ratio = (sequence_logprobs(made.model, batch) - old).exp()
        gains = torch.stack([torch.minimum(ratio[0], ratio[0].clamp(0.8, 1.2)),
                             torch.minimum(-ratio[1], -ratio[1].clamp(0.8, 1.2))])  # fmt: skip
        real = batch.completion_mask
        extremes.append((float(ratio[real].min()), float(ratio[real].max())))
        expected.append(-advantage * float(((gains * real).sum(-1) / real.sum(-1)).mean()))
        optimizer.zero_grad()
        made.training_step([clip("u1"), clip("u2")], step).backward()
        optimizer.step()
        stops.append(made.can_stop)
    assert stops == [False, False, True]
    assert [row["loss"] for row in made.history] == pytest.approx(expected, abs=1e-5)
    found = [(row["ratio_min"], row["ratio_max"]) for row in made.history]
    assert found == [pytest.approx(pair, abs=1e-4) for pair in extremes]
    assert found[0] == (1.0, 1.0)
    assert (made.history[0]["advantage_sd"], made.history[0]["advantage_max"]) == pytest.approx((advantage, advantage))
    assert made.history[0]["tokens_max"] == real.sum(-1).max()
    assert made.history[0]["clip_share"] == 0
    assert made.history[2]["clip_share"] > 0.1
    assert [row["accuracy"] for row in made.history] == [0.5] * 3


def test_importance_weights_of_inner_epochs_are_those_of_the_policy_before_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Equation (9): the ratio of π_old to the engine, which stays what it was while the policy moves; so does the
    mismatch."""
    given: list[Tensor] = []
    weigh = importance_weights
    monkeypatch.setattr(
        "trainer.packed_loss.importance_weights", lambda *a, **k: (given.append(weigh(*a, **k)), given[-1])[1]
    )
    made, _ = module([[[RIGHT, WRONG], [RIGHT, WRONG]]], algorithm=Algorithm.GRPO, importance_cap=2.0, inner_epochs=2)
    optimizer = torch.optim.AdamW(made.parameters(), lr=3e-3)
    for step in range(2):
        optimizer.zero_grad()
        made.training_step([clip("u1"), clip("u2")], step).backward()
        optimizer.step()
    assert torch.equal(*given)
    first, second = made.history
    assert first["mismatch"] == second["mismatch"]
    assert first["loss"] != second["loss"]


def test_answers_of_a_step_are_measured() -> None:
    """Four answers, of which one has no form; two of the three labels are "angry". The clips are sad and happy."""
    made, _ = module([[[RIGHT, WRONG], [FORMLESS, WRONG]]], algorithm=Algorithm.GRPO)
    made.training_step([clip("u1"), clip("u2", Emotion.HAPPY)], 0)
    (row,) = made.history
    assert (row["top_label"], row["accuracy_sad"], row["accuracy_happy"]) == (pytest.approx(2 / 3), 0.5, 0.0)
    assert (row["truncated"], row["entropy"], row["format"]) == (0.0, 0.0, 0.75)


def test_a_clip_without_a_label_is_named_and_not_a_zip_error() -> None:
    made, _ = module([[[RIGHT, WRONG], [RIGHT, WRONG]]])
    with pytest.raises(DataSetError, match="u2 has no label of PAPER_9: it is not labelled"):
        made.training_step([clip("u1"), clip("u2", None)], 0)
