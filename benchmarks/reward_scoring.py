"""What judging a rollout costs: 64 texts about 8 clips, packed after their clips, against one by one.

K = 8 texts of about 60 words about each of 8 clips, of 10 s and of 4 s, judged by a reward model of random weights
(speed does not know what they mean): `pocket`, and the size of Whisper-base and SmolLM2-135M. Packed, the texts about a
clip share its audio and prompt (`speechlm.PackedGroup`); the scores must be the same. CPU time in interleaved pairs
after a short run.

    OMP_NUM_THREADS=1 python benchmarks/reward_scoring.py [--pairs 3] [--models pocket compact] [--seconds 10 4]

Bars: the median pair at least 2.5 times faster, scores within 0.001. Leaves with status 1 when one is missed.
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
from rollout import QUESTION, compact, noise
from torch import Tensor

from rewardmodel import Clip, RewardModel
from speechlm import PocketSize, SpeechLM, pocket, train_tokenizer

CLIPS, K, SECONDS = 8, 8, (10.0, 4.0)
MIN_SPEEDUP, MAX_DIFFERENCE = 2.5, 1e-3
TEXT = (
    "<think>The speaker says “the door is open”. The pitch is {0}. The energy is {1}. The speaking rate is {2}. The "
    "pitch contour is {3}. The intonation is {4}. It sounds like a tense and forceful delivery. The {0} pitch and the "
    "{1} energy fit this, while the {2} speaking rate speaks against it. Taken together, number {5} of these answers "
    "is the most likely.</think><answer>angry</answer>"
)
WORDS = (("low", "high"), ("low", "high"), ("slow", "fast"), ("rising", "falling"), ("flat", "expressive"))


def texts() -> list[str]:
    """K different texts for each clip."""
    return [TEXT.format(*(pair[(i >> n) % 2] for n, pair in enumerate(WORDS)), i) for i in range(CLIPS * K)]


def models() -> dict[str, Callable[[], SpeechLM]]:
    """The backbones by name, with the tokenizer of these texts: about a token for every word."""
    tokenizer = train_tokenizer([QUESTION, *texts()], vocab_size=1024)
    size = PocketSize(num_mel_bins=80)
    return {
        "pocket": lambda: pocket(tokenizer, seed=0, size=size).eval(),
        "compact": lambda: SpeechLM(compact().thinker, tokenizer).eval(),
    }


def reward_model(backbone: SpeechLM) -> RewardModel:
    """A model whose heads say something, so that scores can be compared."""
    model, generator = RewardModel(backbone), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.heads.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator) * 0.05)
    model.heads.listens.fill_(True)
    return model.eval()


def packed(model: RewardModel, clips: list[Clip]) -> Tensor:
    """All texts in one call, as a training step judges them."""
    index = [i for i in range(CLIPS) for _ in range(K)]
    return model.judge(clips, [QUESTION] * len(index), texts(), audio_index=index).scores


def one_by_one(model: RewardModel, clips: list[Clip]) -> Tensor:
    """Every text by itself."""
    return torch.cat([model.judge([clips[i // K]], [QUESTION], [text]).scores for i, text in enumerate(texts())])


def timed(
    work: Callable[[RewardModel, list[Clip]], Tensor], model: RewardModel, clips: list[Clip]
) -> tuple[float, Any]:
    """CPU seconds of `work`, and what it gave."""
    began = time.process_time()
    scores = work(model, clips)
    return time.process_time() - began, scores


def measure(backbone: SpeechLM, *, pairs: int, seconds: float) -> dict[str, Any]:
    """The seconds of both ways, the median speedup, and how far the scores are apart."""
    model = reward_model(backbone)
    clips = [Clip(sound) for sound in noise(CLIPS, seconds)]
    model.judge(clips[:1], [QUESTION], texts()[:1])
    rows, apart = [], 0.0
    for _ in range(pairs):
        alone, single = timed(one_by_one, model, clips)
        together, joint = timed(packed, model, clips)
        rows.append((alone, together))
        apart = max(apart, float((single - joint).abs().max()))
    return {
        "one_by_one_s": statistics.median(alone for alone, _ in rows),
        "packed_s": statistics.median(together for _, together in rows),
        "speedup": statistics.median(alone / together for alone, together in rows),
        "difference": apart,
    }


def main() -> int:
    """Measure and print; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=float, nargs="+", default=SECONDS, help="lengths of a clip")
    parser.add_argument("--models", nargs="+", choices=models(), default=list(models()))
    chosen = parser.parse_args()
    transformers.logging.set_verbosity_error()
    found = {
        f"{name}, clips of {seconds:g} s": measure(make(), pairs=chosen.pairs, seconds=seconds)
        for name, make in models().items()
        for seconds in chosen.seconds
        if name in chosen.models
    }
    if chosen.json:
        print(json.dumps(found, indent=2))
    else:
        for name, row in found.items():
            print(
                f"{name}: one by one {row['one_by_one_s']:.2f} s, packed {row['packed_s']:.2f} s, "
                f"{row['speedup']:.2f} times faster (bar {MIN_SPEEDUP}), scores {row['difference']:.1e} apart"
            )
    good = all(r["speedup"] >= MIN_SPEEDUP and r["difference"] <= MAX_DIFFERENCE for r in found.values())
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
