"""Parts by name, LoRA and its absence; the same gradients with less memory; sdpa and eager."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor
from transformers import PreTrainedTokenizerFast, Qwen2_5OmniThinkerForConditionalGeneration

from speechlm import (
    LoraSettings,
    Part,
    PartError,
    SpeechBatch,
    SpeechLM,
    adapters_off,
    add_lora,
    enable_gradient_checkpointing,
    load_checkpoint,
    pocket,
    released_config,
    save_checkpoint,
    summarize,
    train_only,
    trainable_parts,
)
from speechlm.freezing import identify
from speechlm.lora import lora_is_new, lora_layers, lora_weights, merged_weights

ClipMaker = Callable[..., list[Tensor]]
Q, LONG_Q = "How does it sound?", "How does the voice of the speaker sound?"
ANSWERS = ["Sad.", "The pitch is high."]
TEXT_LINEAR = 2 * (4 * (64 + 64) + 3 * (64 + 192))
"""Rows plus columns of every linear layer: in each of two layers four of 64 × 64 and three of 64 × 192."""


@pytest.fixture
def batch(model: SpeechLM, clips: ClipMaker) -> SpeechBatch:
    return model.collate(clips(40, 101), [Q, LONG_Q], ANSWERS)


def disturb(model: SpeechLM, *, seed: int = 3) -> None:
    """As if the adapters had been trained: no matrix is zero any more."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in lora_weights(model).values():
            weight.copy_(0.03 * torch.randn(weight.shape, generator=generator))


def loss_of(model: SpeechLM, batch: SpeechBatch) -> Tensor:
    loss: Tensor = model.head(model(batch))[batch.completion_mask].logsumexp(-1).sum()
    return loss


def gradients(model: SpeechLM) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def test_parts_hold_every_weight_that_is_run(model: SpeechLM) -> None:
    """The projection is 32 × 64 with a bias of 64; the other counts are those of the summary (counted by hand in its
    own test), less the two boundary embeddings of 64, which text output never uses."""
    counts, summary = trainable_parts(model), summarize(model)
    assert counts[Part.ADAPTER] == 32 * 64 + 64
    assert counts[Part.AUDIO_ENCODER] == summary.audio_tower.parameters - (32 * 64 + 64) - 2 * 64
    assert counts[Part.LLM] == summary.text_tower.parameters
    assert sum(counts.values()) + summary.unused_parameters + 2 * 64 == summary.parameters
    assert summary.parts == counts


@pytest.mark.parametrize("parts", [["adapter"], [Part.AUDIO_ENCODER], ["llm", "adapter"]], ids=str)
def test_only_the_named_parts_move(model: SpeechLM, batch: SpeechBatch, parts: list[str]) -> None:
    """One step of plain gradient descent; a weight has moved exactly if it lies in a named part."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    report = train_only(model, parts)
    assert set(report) == set(parts)
    assert sum(report.values()) == sum(p.numel() for p in model.parameters() if p.requires_grad)
    loss_of(model, batch).backward()
    torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1).step()
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    projection = {name for name in before if ".audio_tower.proj." in name}
    audio = {name for name in before if ".audio_tower." in name and "bos_eos" not in name} - projection
    text = {name for name in before if ".audio_tower." not in name and ".visual." not in name}
    expected = {"adapter": projection, "audio_encoder": audio, "llm": text}
    assert moved == set().union(*(expected[str(part)] for part in parts))
    assert model.train_state.trained == set(parts)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["vision"], "'vision' is not a part of a speech LLM; choose among audio_encoder, adapter, llm, lora"),
        ([], "no part to train was named"),
        (["lora"], "no LoRA to train: call add_lora first"),
    ],
)
def test_parts_that_cannot_be_trained_are_refused(model: SpeechLM, parts: list[str], message: str) -> None:
    with pytest.raises(PartError, match=message):
        train_only(model, parts)
    assert all(p.requires_grad for p in model.parameters())


def test_lora_and_the_language_model_exclude_one_another(model: SpeechLM) -> None:
    add_lora(model)
    with pytest.raises(PartError, match="llm and lora exclude one another"):
        train_only(model, ["llm", "lora"])
    with pytest.raises(PartError, match="has LoRA already"):
        add_lora(model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rank": 0}, "rank must be at least 1, got 0"),
        ({"alpha": 0.0}, "alpha must be above 0, got 0.0"),
        ({"alpha": math.nan}, "alpha must be above 0, got nan"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
        ({"targets": ("lm_head",)}, "targets must be among q_proj, .*, got lm_head"),
        ({"targets": ()}, "got none"),
    ],
)
def test_lora_settings_that_cannot_be_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(PartError, match=message):
        LoraSettings(**change)  # type: ignore[arg-type]


def test_lora_adds_rank_times_rows_plus_columns_and_changes_nothing(model: SpeechLM, batch: SpeechBatch) -> None:
    """At the start B is 0, so B A is 0 and the sum exact; every other weight is frozen."""
    before = model(batch)
    add_lora(model, LoraSettings(rank=4), seed=1)
    assert torch.equal(model(batch), before)
    assert trainable_parts(model) == {Part.LORA: 4 * TEXT_LINEAR}
    assert lora_is_new(model)
    assert all(w.dtype is torch.float32 for w in lora_weights(model).values())


def test_lora_computes_the_formula_it_states(model: SpeechLM, batch: SpeechBatch) -> None:
    """The same model with `W + alpha / rank · B A` written into every weight by hand."""
    plain = copy.deepcopy(model)
    add_lora(model, LoraSettings(rank=4, alpha=6.0))
    disturb(model)
    matrices = lora_weights(model)
    with torch.no_grad():
        for name, weight in plain.text_tower.named_parameters():
            stem = name.removesuffix(".weight")
            if f"{stem}.lora_A.weight" in matrices:
                weight.add_(1.5 * matrices[f"{stem}.lora_B.weight"] @ matrices[f"{stem}.lora_A.weight"])
        expected, found = plain(batch), model(batch)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("base", "autocast"), [("float32", False), ("float32", True), ("bfloat16", False)])
def test_an_adapter_computes_what_pefts_layer_does(model: SpeechLM, base: str, autocast: bool) -> None:  # noqa: FBT001
    """peft's own forward pass of the same layer, within the rounding of what it is computed in; adapters stay float32
    and so do their gradients."""
    model.text_tower.to(getattr(torch, base))
    add_lora(model, LoraSettings(rank=4, alpha=6.0))
    disturb(model)
    layer = lora_layers(model)["layers.0.mlp.down_proj"]
    x = torch.randn(3, 5, layer.in_features, generator=torch.Generator().manual_seed(0)).to(getattr(torch, base))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        found, expected = layer(x), LoraLinear.forward(layer, x)
    assert found.dtype is expected.dtype
    is_rounded = autocast or base == "bfloat16"
    torch.testing.assert_close(found, expected, atol=1e-2 if is_rounded else 1e-6, rtol=1e-2 if is_rounded else 1e-5)
    found.float().sum().backward()
    moved = [w.grad for n, w in lora_weights(model).items() if n.startswith("layers.0.mlp.down_proj")]
    assert [g.dtype for g in moved if g is not None] == [torch.float32] * 2


def test_the_seed_makes_the_first_matrices_and_the_global_state_stays(tokenizer: PreTrainedTokenizerFast) -> None:
    def first(seed: int) -> Tensor:
        model = pocket(tokenizer, seed=0)
        add_lora(model, seed=seed)
        return lora_weights(model)["layers.0.self_attn.q_proj.lora_A.weight"].detach()

    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = first(1), first(1), first(2)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_adapters_that_overflow_are_not_merged(model: SpeechLM) -> None:
    add_lora(model)
    with torch.no_grad():
        for weight in lora_weights(model).values():
            weight.fill_(1e30)
    with pytest.raises(PartError, match=r"layers\.0\.self_attn\.q_proj gives values that are not finite"):
        dict(merged_weights(model))


def test_without_its_adapters_the_model_is_the_one_before(model: SpeechLM, batch: SpeechBatch) -> None:
    """To the bit; afterwards adapters, mode and what is trainable are as they were, also after an error."""
    before = model(batch)
    add_lora(model, LoraSettings(dropout=0.5))
    disturb(model)
    frozen = next(iter(lora_weights(model).values())).requires_grad_(requires_grad=False)
    model.train()
    with adapters_off(model) as base:
        assert torch.equal(base(batch), before)
    with pytest.raises(ZeroDivisionError), adapters_off(model):
        raise ZeroDivisionError
    assert model.training
    assert not frozen.requires_grad
    assert sum(w.requires_grad for w in lora_weights(model).values()) == len(lora_weights(model)) - 1
    model.eval()
    assert (model(batch) - before).abs().max() > 1e-3


def test_adapters_cannot_be_switched_off_where_that_would_not_be_the_base(model: SpeechLM) -> None:
    with pytest.raises(PartError, match="no adapters to switch off"), adapters_off(model):
        pass
    add_lora(model)
    train_only(model, ["lora", "adapter"])
    with pytest.raises(PartError, match=r"adapter was trained beside LoRA.*keep a frozen copy"), adapters_off(model):
        pass


@pytest.mark.parametrize("lora", [False, True], ids=["all", "lora"])
def test_gradient_checkpointing_gives_the_same_gradients(
    model: SpeechLM, batch: SpeechBatch, clips: ClipMaker, *, lora: bool
) -> None:
    """To the bit on batches; of packed groups, which attend by their mask meanwhile, to rounding. The runs of one layer
    of either tower are counted: twice as many calls where a backward passes through, which the frozen audio tower
    beside LoRA has none of."""
    if lora:
        add_lora(model)
        disturb(model)
    model.train()
    packed = model.pack(clips(40), [Q], [ANSWERS])
    runs: list[str] = []
    for name, tower in (
        ("audio", model.audio_tower.layers[0].fc1),
        ("text", model.text_tower.layers[0].input_layernorm),
    ):
        tower.register_forward_hook(lambda *_, name=name: runs.append(name))

    def step() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        model.zero_grad()
        loss_of(model, batch).backward()
        of_batch = gradients(model)
        model.zero_grad()
        model(packed)[packed.batch.completion_mask].square().mean().backward()
        return of_batch, gradients(model)

    expected, expected_packed = step()
    assert (runs.count("audio"), runs.count("text")) == (2, 2)
    enable_gradient_checkpointing(model)
    found, found_packed = step()
    assert (runs.count("audio"), runs.count("text")) == (2 + 2 if lora else 2 + 4, 2 + 4)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    torch.testing.assert_close(found_packed, expected_packed, atol=1e-5, rtol=1e-4)


def test_layers_of_a_loaded_model_are_run_again_in_the_backward_pass(
    model: SpeechLM, batch: SpeechBatch, tmp_path: Path
) -> None:
    """A loaded model is in evaluation mode, where transformers' layers ignore checkpointing. Calls of one layer of
    either tower: one in the forward pass, and one more in the backward."""
    save_checkpoint(model, tmp_path / "a")
    loaded = load_checkpoint(tmp_path / "a")
    runs: list[str] = []
    for name, layer in (
        ("audio", loaded.audio_tower.layers[0].fc1),
        ("text", loaded.text_tower.layers[0].input_layernorm),
    ):
        layer.register_forward_hook(lambda *_, name=name: runs.append(name))
    enable_gradient_checkpointing(loaded)
    loss = loss_of(loaded, batch)
    assert (runs.count("audio"), runs.count("text")) == (1, 1)
    loss.backward()
    assert (runs.count("audio"), runs.count("text")) == (2, 2)


def test_gradient_checkpointing_holds_less_for_the_backward_pass(model: SpeechLM, batch: SpeechBatch) -> None:
    """Bytes that autograd keeps, weights aside. Of two layers in either tower only the inputs stay: less than a third
    (a tenth at the size of `pocket`)."""
    model.train()
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}

    def held() -> int:
        kept: dict[int, int] = {}

        def keep(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            states = model(batch)
        assert states.requires_grad
        return sum(size for place, size in kept.items() if place not in weights)

    everything = held()
    enable_gradient_checkpointing(model)
    assert held() < everything / 3


def test_fast_attention_is_the_default_and_equals_the_plain_one(
    model: SpeechLM, batch: SpeechBatch, clips: ClipMaker
) -> None:
    """transformers' own eager attention, on a padded batch and on packed groups, with gradients; float32 accuracy."""
    assert model.text_tower.config._attn_implementation == "sdpa"
    packed = model.pack(clips(40), [Q], [ANSWERS])
    real = batch.attention_mask.bool()

    def outputs() -> list[Tensor]:
        model.zero_grad()
        states, grouped = model(batch)[real], model(packed)
        (states.square().mean() + grouped[packed.group >= 0].square().mean()).backward()
        return [states.detach(), grouped[packed.group >= 0].detach(), *gradients(model).values()]

    fast = outputs()
    model.thinker.set_attn_implementation("eager")
    assert model.text_tower.config._attn_implementation == "eager"
    torch.testing.assert_close(outputs(), fast, atol=1e-5, rtol=1e-4)


def test_half_precision_runs_with_adapters_in_single(model: SpeechLM, batch: SpeechBatch, clips: ClipMaker) -> None:
    """bfloat16 has 8 bits of mantissa: outputs of order 1 stay within a few hundredths of float32's."""
    exact = model(batch)
    model.to(torch.bfloat16)
    add_lora(model)
    found = model(batch)
    assert found.dtype is torch.bfloat16
    assert all(w.dtype is torch.float32 for w in lora_weights(model).values())
    assert (found.float() - exact)[batch.attention_mask.bool()].abs().mean() < 0.03
    packed = model.pack(clips(40, 101), [Q, LONG_Q], [[answer] for answer in ANSWERS])
    grouped = model(packed)
    assert grouped.dtype is torch.bfloat16
    answers = [
        states[mask].float()
        for states, mask in ((found, batch.completion_mask), (grouped, packed.batch.completion_mask))
    ]
    assert (answers[0] - answers[1]).abs().mean() < 0.03
    disturb(model)
    loss_of(model, batch).backward()
    assert all(w.grad is not None and w.grad.dtype is torch.float32 for w in lora_weights(model).values())


def test_identity_follows_the_weights_and_nothing_else(model: SpeechLM) -> None:
    """Neither precision nor adapters change it; a step of training changes the hash of the part that it moved."""
    before = identify(model)
    assert before is not None
    assert (before.hidden_size, before.layers) == (64, 2)
    assert set(before.fingerprints) == {"audio_encoder", "adapter", "llm"}
    add_lora(model)
    assert model.train_state.base == before
    disturb(model)
    assert identify(model) == before
    assert identify(copy.deepcopy(model).to(torch.bfloat16)) == before
    with torch.no_grad():
        model.audio_tower.proj.weight.mul_(1.01)
    after = identify(model)
    assert after is not None
    changed = {part for part, value in before.fingerprints.items() if after.fingerprints[part] != value}
    assert changed == {"adapter"}
    assert identify(model.to("meta")) is None


def test_parts_and_adapters_of_the_released_7b_are_counted_without_its_weights(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    """On the `meta` device. Rank 16 beside each layer of a Qwen2.5-7B: queries and output of 3584 × 3584, keys and
    values of 512 × 3584, three of 3584 × 18944, in 28 layers: 40 370 176 weights. The projection is 1280 × 3584 with
    a bias."""
    with torch.device("meta"):
        thinker = Qwen2_5OmniThinkerForConditionalGeneration(released_config("omni7b"))
    model = SpeechLM(thinker, tokenizer)
    add_lora(model, LoraSettings(rank=16))
    assert trainable_parts(model) == {Part.LORA: 40_370_176}
    report = train_only(model, ["lora", "adapter"])
    assert report[Part.ADAPTER] == 1_280 * 3_584 + 3_584
    assert all(weight.is_meta for weight in model.parameters())
