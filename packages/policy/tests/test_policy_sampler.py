"""Sampling against transformers' own `generate`, against the model's softmax, and against teacher forcing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from policy import MemoryLimitError, OptionError, PolicyError, Rollout, Sampler, sequence_logprobs
from speechlm import BatchError, LoraSettings, SpeechLM, adapters_off, add_lora
from speechlm.pocket import FEATURE_GAIN

ClipMaker = Callable[..., list[Tensor]]
QUESTIONS = ["How does it sound?", "How does the voice of the speaker sound?"]
# Six prompts of different length, so that every batch pads them differently.
CROWD = ["How?", *QUESTIONS, "How does it sound? How?", "What do you hear?", "Is the voice of the speaker high or low?"]
CROWD_FRAMES = (40, 101, 64, 200, 90, 150)


def sampled_ids(rollout: Rollout) -> list[list[int]]:
    """The real tokens of all answers, prompt by prompt."""
    pairs = zip(rollout.tokens.flatten(0, 1), rollout.mask.flatten(0, 1), strict=True)
    return [tokens[mask].tolist() for tokens, mask in pairs]


@pytest.mark.parametrize("prompts", [[1], [1, 2], [0, 1, 2, 3, 4, 5], [1, 3, 1]])
def test_greedy_equals_transformers_generate(model: SpeechLM, clips: ClipMaker, prompts: list[int]) -> None:
    """The Thinker's own `generate` drives audio, positions and cache by itself. Prompts of one length and of several,
    with padding, clips of 40 to 200 frames, and one prompt twice."""
    features, questions = [clips(*CROWD_FRAMES)[b] for b in prompts], [CROWD[b] for b in prompts]
    batch = model.collate(features, questions)
    frames = torch.arange(batch.features.shape[-1])
    expected = model.thinker.generate(
        input_ids=batch.input_ids,
        attention_mask=batch.attention_mask,
        input_features=FEATURE_GAIN * batch.features,
        feature_attention_mask=(frames < batch.feature_lengths[:, None]).long(),
        do_sample=False,
        max_new_tokens=24,
        eos_token_id=model.end_id,
        pad_token_id=model.pad_id,
    )[:, batch.input_ids.shape[1] :]
    rollout = Sampler(model).sample(features, questions, temperature=0, max_new_tokens=24)
    assert rollout.tokens[:, 0].tolist() == expected.tolist()
    assert max(len(set(row)) for row in expected.tolist()) > 3  # one token repeated proves little
    assert len({tuple(row) for row in expected.tolist()}) == len(set(prompts))


@pytest.mark.parametrize("temperature", [1.0, 0.7, 1.5])
def test_logprobs_are_those_of_teacher_forcing(model: SpeechLM, clips: ClipMaker, temperature: float) -> None:
    """The same ids scored in one pass without a cache, each answer after its own prompt: this also says that answer
    (b, k) belongs to prompt b."""
    features = clips(40, 101)
    rollout = Sampler(model).sample(features, QUESTIONS, k=8, temperature=temperature, max_new_tokens=40, seeds=0)
    answers = sampled_ids(rollout)
    assert len({len(answer) for answer in answers}) > 1
    batch = model.collate(features, [q for q in QUESTIONS for _ in range(8)], answers, audio_index=[0] * 8 + [1] * 8)
    scored = sequence_logprobs(model, batch, temperature=temperature)
    torch.testing.assert_close(scored[batch.completion_mask], rollout.logprobs[rollout.mask], atol=2e-4, rtol=0)
    assert rollout.logprobs[rollout.mask].max() < 0


def test_adapters_are_heard(model: SpeechLM, clips: ClipMaker) -> None:
    """LoRA with random matrices, switched on and off: each time what teacher forcing gives, and not the same."""
    features = clips(40, 101)
    add_lora(model, LoraSettings(rank=2))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.3, generator=torch.Generator().manual_seed(0))
    model.eval()

    def sampled() -> list[list[int]]:
        rollout = Sampler(model).sample(features, QUESTIONS, k=4, max_new_tokens=12, seeds=0)
        answers = sampled_ids(rollout)
        owner = [0] * 4 + [1] * 4
        batch = model.collate(features, [QUESTIONS[b] for b in owner], answers, audio_index=owner)
        scored = sequence_logprobs(model, batch)
        torch.testing.assert_close(scored[batch.completion_mask], rollout.logprobs[rollout.mask], atol=2e-4, rtol=0)
        return answers

    with adapters_off(model):
        without = sampled()
    assert sampled() != without


def test_greedy_logprobs_are_those_of_temperature_one(model: SpeechLM, clips: ClipMaker) -> None:
    features = clips(40)
    rollout = Sampler(model).sample(features, QUESTIONS[:1], temperature=0, max_new_tokens=12)
    batch = model.collate(features, QUESTIONS[:1], sampled_ids(rollout))
    scored = sequence_logprobs(model, batch)
    torch.testing.assert_close(scored[batch.completion_mask], rollout.logprobs[rollout.mask], atol=2e-4, rtol=0)


def test_an_answer_is_what_stands_before_its_end(model: SpeechLM, clips: ClipMaker) -> None:
    """Each rule of `Rollout`, an answer at a time. 32 answers of at most 60 tokens: some end and some do not."""
    limit = 60
    rollout = Sampler(model).sample(clips(40, 101), QUESTIONS, k=16, temperature=2.0, max_new_tokens=limit, seeds=1)
    assert rollout.tokens.shape == rollout.mask.shape == rollout.logprobs.shape == (2, 16, limit)
    assert rollout.ended.shape == (2, 16)
    assert 0 < int(rollout.ended.sum()) < 32
    for b in range(2):
        for k in range(16):
            tokens, end = rollout.tokens[b, k].tolist(), model.end_id
            length = tokens.index(end) + 1 if end in tokens else limit
            assert bool(rollout.ended[b, k]) is (end in tokens)
            assert rollout.mask[b, k].tolist() == [True] * length + [False] * (limit - length)
            assert tokens[length:] == [model.pad_id] * (limit - length)
            assert not rollout.logprobs[b, k, length:].any()
            text = model.tokenizer.decode([t for t in tokens[:length] if t != end])
            assert rollout.texts[b][k] == text


def test_sampling_stops_when_all_have_ended(model: SpeechLM, clips: ClipMaker) -> None:
    """With an end token that is likelier than all others together every answer is the end token alone."""
    with torch.no_grad():
        model.thinker.lm_head.weight = torch.nn.Parameter(torch.zeros_like(model.head.weight))
    model.head.register_forward_hook(lambda _m, _i, logits: logits.index_fill(-1, torch.tensor(model.end_id), 99.0))
    rollout = Sampler(model).sample(clips(40), QUESTIONS[:1], k=3, max_new_tokens=50, seeds=0)
    assert rollout.tokens.tolist() == [[[model.end_id]] * 3]
    assert rollout.texts == (("", "", ""),)
    assert rollout.ended.all()
    assert rollout.mask.all()


@pytest.mark.parametrize("temperature", [0.6, 1.0])
def test_first_tokens_follow_the_softmax(
    model: SpeechLM, clips: ClipMaker, excess: Callable[[Tensor, Tensor], float], temperature: float
) -> None:
    """Pearson's X² of 2 000 draws against the softmax of the model's own logits: 4 standard deviations are allowed.
    Against the softmax of half or twice the temperature it must fail, so the bound can tell."""
    n, features = 2_000, clips(40)
    rollout = Sampler(model).sample(features, QUESTIONS[:1], k=n, temperature=temperature, max_new_tokens=1, seeds=3)
    with torch.no_grad():
        logits = model.head(model(model.collate(features, QUESTIONS[:1]))[0, -1])
    assert excess(rollout.tokens, logits / temperature) < 4
    assert excess(rollout.tokens, logits / temperature * 2) > 8
    assert excess(rollout.tokens, logits / temperature / 2) > 8


def test_a_seed_repeats_a_rollout(model: SpeechLM, clips: ClipMaker) -> None:
    """Equal to the bit; another seed gives other answers, and the global random state has no part in it."""

    def draw(seed: int) -> Rollout:
        torch.manual_seed(99)
        return Sampler(model).sample(clips(40), QUESTIONS[:1], k=4, max_new_tokens=10, seeds=seed)

    first, again, other = draw(5), draw(5), draw(6)
    assert first.texts == again.texts
    assert torch.equal(first.tokens, again.tokens)
    assert torch.equal(first.logprobs, again.logprobs)
    assert first.texts != other.texts
    assert len(set(first.texts[0])) > 1  # K draws, not one K times


def test_without_seeds_the_global_generator_is_used(model: SpeechLM, clips: ClipMaker) -> None:
    texts = []
    for _ in range(2):
        torch.manual_seed(4)
        texts.append(Sampler(model).sample(clips(40), QUESTIONS[:1], max_new_tokens=10).texts)
    assert texts[0] == texts[1]


def test_audio_and_prefix_are_run_once_for_all_answers(model: SpeechLM, clips: ClipMaker) -> None:
    """Counted where it happens: 141 frames of two clips once; two prefixes once, then at every step one token of each
    answer that goes on after it. Of the 12 answers some end on their way."""
    frames: list[int] = []
    rows: list[tuple[int, ...]] = []
    model.audio_tower.register_forward_hook(
        lambda _m, _a, options, _o: frames.append(int(options["feature_lens"].sum())), with_kwargs=True
    )
    model.text_tower.layers[1].mlp.act_fn.register_forward_hook(lambda _m, _a, out: rows.append(tuple(out.shape[:-1])))
    prefix = model.collate(clips(40, 101), QUESTIONS).input_ids.shape
    rollout = Sampler(model).sample(clips(40, 101), QUESTIONS, k=6, max_new_tokens=30, seeds=0)
    lengths = rollout.mask.sum(-1)
    assert frames == [141]
    assert rows == [tuple(prefix), *[(int((lengths > step).sum()),) for step in range(1, int(lengths.max()))]]
    assert (12,) in rows
    assert len(set(rows)) > 3


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_is_left_as_it_was_and_no_gradient_is_kept(
    model: SpeechLM, clips: ClipMaker, *, training: bool
) -> None:
    """Also when sampling fails."""
    model.train(training)
    modes: list[bool] = []
    model.audio_tower.register_forward_hook(lambda module, _a, _o: modes.append(module.training))
    rollout = Sampler(model).sample(clips(40), QUESTIONS[:1], max_new_tokens=2, seeds=0)
    assert modes == [False]
    assert not rollout.logprobs.requires_grad
    with pytest.raises(BatchError):
        Sampler(model).sample(clips(40), QUESTIONS)
    assert model.training is training


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k must be at least 1, got 0"),
        ({"max_new_tokens": 0}, "max_new_tokens must be at least 1, got 0"),
        ({"temperature": -0.1}, r"temperature must be 0 \(greedy\) or above, got -0.1"),
        ({"temperature": float("nan")}, "got nan"),
        ({"temperature": float("inf")}, "got inf"),
        ({"temperature": 0, "k": 2}, "one answer, but k is 2"),
        ({"seeds": torch.zeros(2, 1, dtype=torch.int64)}, r"shape \(1, 1\), prompts by answers; got .* \(2, 1\)"),
        ({"seeds": torch.zeros(1, 1)}, "got torch.float32"),
        ({"max_new_tokens": 4096}, r"a prompt of \d+ tokens .* and 4096 new ones pass the model's 4096: cut the clip"),
    ],
)
def test_settings_outside_their_range_are_refused(
    model: SpeechLM, clips: ClipMaker, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        Sampler(model).sample(clips(40), QUESTIONS[:1], **options)


def test_an_empty_question_is_refused(model: SpeechLM, clips: ClipMaker) -> None:
    with pytest.raises(OptionError, match="question 1 is empty"):
        Sampler(model).sample(clips(40, 64), ["How?", " \n"])


def test_weights_that_are_no_numbers_are_named(model: SpeechLM, clips: ClipMaker) -> None:
    with torch.no_grad():
        model.head.weight[3] = torch.nan
    with pytest.raises(PolicyError, match="not finite: look for NaN in its weights"):
        Sampler(model).sample(clips(40), QUESTIONS[:1], k=2, max_new_tokens=3)


def test_out_of_memory_says_what_to_lower(model: SpeechLM, clips: ClipMaker) -> None:
    """torch's own refusal of a petabyte, while the head runs."""
    model.head.register_forward_hook(lambda _m, _i, _o: torch.empty(1 << 50))
    with pytest.raises(MemoryLimitError, match="in sampling 1 prompts × k = 3 × 5 tokens: lower k"):
        Sampler(model).sample(clips(40), QUESTIONS[:1], k=3, max_new_tokens=5)


def test_no_prompts_are_refused(model: SpeechLM) -> None:
    with pytest.raises(BatchError, match="no questions"):
        Sampler(model).sample([], [])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_seeds_mean_the_same_on_the_gpu(model: SpeechLM, clips: ClipMaker) -> None:
    """The same numbers, and nearly the same probabilities: the answers of the CPU."""
    options: dict[str, Any] = {"k": 4, "max_new_tokens": 10}
    expected = Sampler(model).sample(clips(40), QUESTIONS[:1], **options, seeds=0).texts
    found = Sampler(model.to("cuda")).sample(clips(40), QUESTIONS[:1], **options, seeds=0)
    assert found.tokens.device.type == "cuda"
    assert found.texts == expected
