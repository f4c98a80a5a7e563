"""How fast K answers are sampled, against transformers' own `generate(num_return_sequences=K)` on the same model.

Four prompts of 4 s of noise each, K = 8, 96 new tokens, temperature 1, at the size of Whisper-base and SmolLM2-135M
with random weights (155 million; speed does not know what they mean). Both write all 96 tokens: the end token is one
of 49 152. CPU time of this process, so that other work on the machine does not count, in interleaved pairs after a
short run of each.

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/rollout.py [--json] [--pairs 3] [--answers]

With `--answers` it also holds what is written against what should be: greedy answers against those of `generate`, and
sampled ones against those of the same seeds in other batches (each prompt alone, halves of K, turned round). Where two
answers first differ, it tells how close the choice was: greedy, by how much the likelier token's score leads; sampled,
how far the number drawn lies from a boundary of cumulated probability.

Bars: the median pair at least 2 times faster; 99 % of answers the same in other batches; no difference but where the
choice was closer than 0.001. Leaves with status 1 when one is missed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers import Qwen2_5OmniThinkerConfig, Qwen2_5OmniThinkerForConditionalGeneration

from policy import Sampler, sequence_seeds
from policy.randomness import uniforms
from speechlm import SpeechLM, pocket, train_tokenizer

PROMPTS, K, SECONDS, NEW_TOKENS = 4, 8, 4, 96
MIN_SPEEDUP, MIN_SAME, CLOSE = 2.0, 0.99, 1e-3
FRAMES_PER_SECOND = 100
QUESTION = "Which emotion do you hear: neutral, happy, sad, angry? Reason from the sound, then answer."


def compact() -> SpeechLM:
    """Random weights in the shape of Whisper-base's encoder in front of SmolLM2-135M."""
    tokenizer = train_tokenizer([QUESTION], vocab_size=300)
    config: dict[str, Any] = pocket(tokenizer, seed=0).thinker.config.to_dict()
    config["audio_config"] |= {
        "num_mel_bins": 80,
        "d_model": 512,
        "encoder_layers": 6,
        "encoder_attention_heads": 8,
        "encoder_ffn_dim": 2048,
        "output_dim": 576,
    }
    config["text_config"] |= {
        "vocab_size": 49_152,
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "max_position_embeddings": 8192,
        "initializer_range": 0.04,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e5, "mrope_section": [8, 12, 12]},
        "layer_types": None,
    }
    config["vision_config"] |= {"out_hidden_size": 576}
    config |= {"audio_feature_gain": 1.0, "audio_feature_window": 400, "audio_feature_hop": 160}
    torch.manual_seed(0)
    thinker = Qwen2_5OmniThinkerForConditionalGeneration(Qwen2_5OmniThinkerConfig(**config))
    return SpeechLM(thinker, tokenizer).eval()


def noise(clips: int, seconds: float) -> list[Tensor]:
    """Log-mel clips of random numbers, always the same."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(80, round(seconds * FRAMES_PER_SECOND), generator=generator) for _ in range(clips)]


def cpu_seconds(function: Callable[[], object]) -> float:
    """CPU time of all threads of this process."""
    start = time.process_time()
    function()
    return time.process_time() - start


def ours(model: SpeechLM, clips: list[Tensor], tokens: int) -> Tensor:
    """Tokens [prompts, K, T] of our sampler."""
    return Sampler(model).sample(clips, [QUESTION] * len(clips), k=K, max_new_tokens=tokens, seeds=0).tokens


def theirs(model: SpeechLM, clips: list[Tensor], tokens: int) -> Tensor:
    """The same from `generate`, which takes each prompt and its clip K times."""
    return generated(model, clips, tokens, do_sample=True, top_k=0, num_return_sequences=K)


@torch.no_grad()
def generated(model: SpeechLM, clips: list[Tensor], tokens: int, **options: Any) -> Tensor:
    """Tokens [prompts, answers, T] of transformers' `generate`."""
    batch = model.collate(clips, [QUESTION] * len(clips))
    written: Tensor = model.thinker.generate(
        input_ids=batch.input_ids,
        attention_mask=batch.attention_mask,
        input_features=batch.features,
        feature_attention_mask=torch.ones(len(clips), batch.features.shape[-1], dtype=torch.long),
        max_new_tokens=tokens,
        eos_token_id=model.end_id,
        pad_token_id=model.pad_id,
        **options,
    )
    return written[:, batch.input_ids.shape[1] :].view(len(clips), -1, written.shape[1] - batch.input_ids.shape[1])


def answers(model: SpeechLM, tokens: int) -> dict[str, Any]:
    """What is written against `generate`'s greedy answers and in other batches: share of the same, widest miss."""
    clips, seeds = noise(PROMPTS, SECONDS), sequence_seeds(0, PROMPTS, K)
    greedy = Sampler(model).sample(clips, [QUESTION] * PROMPTS, temperature=0, max_new_tokens=tokens).tokens
    rows = {"greedy, of generate": compared(model, clips, greedy, generated(model, clips, tokens, do_sample=False))}

    def sampled(prompts: list[int], ks: list[int]) -> Tensor:
        chosen = [clips[b] for b in prompts]
        options: dict[str, Any] = {"k": len(ks), "max_new_tokens": tokens, "seeds": seeds[prompts][:, ks]}
        return Sampler(model).sample(chosen, [QUESTION] * len(prompts), **options).tokens

    everyone, ks = list(range(PROMPTS)), list(range(K))
    together, numbers = sampled(everyone, ks), uniforms(seeds.flatten(), tokens).view(PROMPTS, K, -1)
    others = {
        "each prompt alone": torch.cat([sampled([b], ks) for b in everyone]),
        "halves of K": torch.cat([sampled(everyone, ks[: K // 2]), sampled(everyone, ks[K // 2 :])], dim=1),
        "turned round": sampled(everyone[::-1], ks[::-1]).flip(0, 1),
    }
    rows |= {name: compared(model, clips, together, other, numbers) for name, other in others.items()}
    for name, row in rows.items():
        print(f"{name}: {row['same']:.4g} of answers the same, differences {row['close']}", file=sys.stderr)
    return rows


@torch.no_grad()
def compared(
    model: SpeechLM, clips: list[Tensor], ours: Tensor, others: Tensor, numbers: Tensor | None = None
) -> dict[str, Any]:
    """The share of answers [prompts, K, T] that are the same, and how close the choice was at each first difference."""
    differ = (ours != others).any(-1)
    close = []
    for b, k in differ.nonzero().tolist():
        step = int((ours[b, k] != others[b, k]).nonzero()[0])
        chosen = ours[b, k, : step + 1].tolist()
        logits = model.head(model(model.collate([clips[b]], [QUESTION], [chosen]))[0, -2])
        low, high = sorted((int(ours[b, k, step]), int(others[b, k, step])))
        if numbers is None:
            close.append(float((logits[low] - logits[high]).abs()))
        else:
            cumulated = logits.double().softmax(-1).cumsum(-1)
            close.append(float((cumulated[low:high] - numbers[b, k, step]).abs().min()))
    return {"same": 1 - float(differ.float().mean()), "close": close}


def bars_of(rows: dict[str, Any]) -> dict[str, Any]:
    """Bars for what `answers` found."""
    same = min(row["same"] for name, row in rows.items() if not name.startswith("greedy"))
    widest = max((d for row in rows.values() for d in row["close"]), default=0.0)
    return {
        f"the same in other batches (≥ {MIN_SAME:g})": {"value": same, "met": same >= MIN_SAME},
        f"widest miss where they differ (≤ {CLOSE:g})": {"value": widest, "met": widest <= CLOSE},
    }


def measure(model: SpeechLM, pairs: int, tokens: int) -> dict[str, Any]:
    """CPU seconds of both in each pair, and the median of their ratios."""
    clips = noise(PROMPTS, SECONDS)
    seconds: dict[str, list[float]] = {"ours": [], "generate": []}
    for function in (ours, theirs):
        if function(model, clips, 2).shape != (PROMPTS, K, 2):
            raise RuntimeError(f"{function.__name__} did not write {PROMPTS} × {K} × 2 tokens")
    for pair in range(pairs):
        seconds["ours"].append(cpu_seconds(lambda: ours(model, clips, tokens)))
        seconds["generate"].append(cpu_seconds(lambda: theirs(model, clips, tokens)))
        print(f"pair {pair + 1}/{pairs}: {seconds['ours'][-1]:.1f} s, {seconds['generate'][-1]:.1f} s", file=sys.stderr)
    speedup = statistics.median(b / a for a, b in zip(seconds["ours"], seconds["generate"], strict=True))
    written = PROMPTS * K * tokens
    return {
        "cpu_seconds": seconds,
        "tokens_per_cpu_second": {name: written / statistics.median(s) for name, s in seconds.items()},
        "bars": {f"faster than generate (≥ {MIN_SPEEDUP:g})": {"value": speedup, "met": speedup >= MIN_SPEEDUP}},
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "threads": torch.get_num_threads(),
    }


def main() -> int:
    """Print timings and the bar; status 1 when it is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--pairs", type=int, default=3, help="paired runs, about a minute each")
    parser.add_argument("--tokens", type=int, default=NEW_TOKENS, help="new tokens of an answer")
    parser.add_argument("--answers", action="store_true", help="also hold the answers against generate's and others")
    arguments = parser.parse_args()
    model = compact()
    result = measure(model, arguments.pairs, arguments.tokens)
    if arguments.answers:
        result["answers"] = answers(model, arguments.tokens)
        result["bars"] |= bars_of(result["answers"])
    if arguments.json:
        print(json.dumps(result))
    else:
        for name, rate in result["tokens_per_cpu_second"].items():
            print(f"{name:12}{rate:8.1f} tokens per CPU second")
        for what, bar in result["bars"].items():
            print(f"{'ok' if bar['met'] else 'MISSED':8}{what:44}{bar['value']:8.3g}")
    return 0 if all(bar["met"] for bar in result["bars"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
