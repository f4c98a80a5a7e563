"""How fast K answers are sampled, against transformers' own `generate(num_return_sequences=K)` on the same model.

Four prompts of 4 s of noise each, K = 8, 96 new tokens, temperature 1, at the size of Whisper-base and SmolLM2-135M
with random weights (155 million; speed does not know what they mean). Both write all 96 tokens: the end token is one
of 49 152. CPU time of this process, so that other work on the machine does not count, in interleaved pairs after a
short run of each.

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/rollout.py [--json] [--pairs 3]

Bar: the median pair at least 2 times faster. Leaves with status 1 when it is missed.
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

from policy import Sampler
from speechlm import SpeechLM, pocket, train_tokenizer

PROMPTS, K, SECONDS, NEW_TOKENS = 4, 8, 4, 96
MIN_SPEEDUP = 2.0
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


@torch.no_grad()
def theirs(model: SpeechLM, clips: list[Tensor], tokens: int) -> Tensor:
    """The same from `generate`, which takes each prompt and its clip K times."""
    batch = model.collate(clips, [QUESTION] * len(clips))
    written: Tensor = model.thinker.generate(
        input_ids=batch.input_ids,
        attention_mask=batch.attention_mask,
        input_features=batch.features,
        feature_attention_mask=torch.ones(len(clips), batch.features.shape[-1], dtype=torch.long),
        do_sample=True,
        top_k=0,
        num_return_sequences=K,
        max_new_tokens=tokens,
        eos_token_id=model.end_id,
        pad_token_id=model.pad_id,
    )
    return written[:, batch.input_ids.shape[1] :].view(len(clips), K, -1)


def measure(pairs: int, tokens: int) -> dict[str, Any]:
    """CPU seconds of both in each pair, and the median of their ratios."""
    model, clips = compact(), noise(PROMPTS, SECONDS)
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
    arguments = parser.parse_args()
    result = measure(arguments.pairs, arguments.tokens)
    if arguments.json:
        print(json.dumps(result))
    else:
        for name, rate in result["tokens_per_cpu_second"].items():
            print(f"{name:12}{rate:8.1f} tokens per CPU second")
        for what, bar in result["bars"].items():
            print(f"{'ok' if bar['met'] else 'MISSED':8}{what:40}{bar['value']:6.2f}")
    return 0 if all(bar["met"] for bar in result["bars"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
