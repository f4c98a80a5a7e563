"""Does reinforcement raise what a cold start left out? Three seeds on the demo corpus, evaluated on unseen voices.

    python benchmarks/rl_demo.py --data runs/demo/demo/annotated --out runs/rl_demo

Each seed trains a cold start (SFT on the prosody of all training clips and on the reasoning about a tenth of them), and
from it GRPO and GRPO-PTR on the other nine tenths. The stages run as `python -m trainer.stages`, so
neither Hydra nor MLflow is needed, nor audio where the data set's features are cached. All policies then answer every
test clip, greedily and sampled at temperature 1. Intervals of accuracy are paired bootstraps over clips, within a seed
and over the clips of all seeds together; that of supported claims is one over speakers and seeds. The measurement that
checks the claims is also what rewards them in GRPO-PTR. `--grpo NAME=VALUE` and `--sft NAME=VALUE` try other settings.
What is finished is kept.

Bars: GRPO and GRPO-PTR at least 7 points of greedy accuracy above their start, intervals above 0, in the mean over the
seeds; GRPO-PTR's supported claims at least 3 points above GRPO's. Status 1 where one is missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from speech_records import Verdict, write_jsonl
from speechlm import load_checkpoint
from trainer.dataset import AnnotatedCorpus
from trainer.evaluate import held_out
from trainer.features import FOLDER, load_features
from trainer.predict import Answer, predict

GAIN_BAR, CLAIMS_BAR = 0.07, 0.03
COLD_SHARE = 0.1
COLD_START: dict[str, Any] = {
    "name": "sft",
    "reasoning_share": COLD_SHARE,
    "perception_steps": 600,
    "perception_batch_size": 16,
    "learning_rates": {"heads": 2e-3},
    "phases": [{"name": "texts", "steps": 1000, "batch_size": 8, "weights": {"attribute": 0.2, "reasoning": 0.8}}],
}
REINFORCEMENT: dict[str, Any] = {
    "name": "grpo",
    "reasoning_share": COLD_SHARE,
    "learning_rate": 1e-4,
    "steps": 120,
    "prompts_per_step": 32,
    "micro_batch_size": 8,
    "kl_coefficient": 0.0,
    "filter_augment_db": 6.0,
}
ALGORITHMS: dict[str, dict[str, Any]] = {
    "grpo": {"algorithm": "grpo"},
    "grpo_ptr": {
        "algorithm": "grpo_ptr",
        "factual": "verified",
        "criterion_weights": [1.0, 0.0, 0.0, 0.0],
        "claim_credit": 1.0,
        "schedule": {"threshold": 0.42, "window": 4, "tolerance": 0.15},
    },
}
POLICIES = ("cold_start", *ALGORITHMS)
DRAWS = 10_000


def plan(
    data: Path, out: Path, seeds: list[int], sft: dict[str, Any], grpo: dict[str, Any]
) -> list[list[dict[str, Any]]]:
    """The settings of every stage: first all cold starts, then what is trained from them."""
    starts, rest = [], []
    for seed in seeds:
        common = {"data": str(data), "seed": seed}
        start = out / str(seed) / "cold_start"
        starts.append(COLD_START | common | {"out": str(start)} | sft)
        reinforced = REINFORCEMENT | common | {"policy": str(start)}
        rest += [reinforced | own | {"out": str(start.with_name(name))} | grpo for name, own in ALGORITHMS.items()]
    return [starts, rest]


def run_once(settings: dict[str, Any], result: str = "policy.json") -> None:
    """Run a stage, unless it has finished before with these settings and its `result`; its output is in `OUT.log`."""
    out = Path(settings["out"])
    config, log = out.with_suffix(".json"), out.with_suffix(".log")
    text = json.dumps(settings, indent=2)
    if (out / result).is_file() and config.is_file() and config.read_text() == text:
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(text)
    with log.open("wb") as file:
        done = subprocess.run(
            [sys.executable, "-m", "trainer.stages", str(config)], stderr=file, stdout=file, check=False
        )
    if done.returncode:
        raise SystemExit(f"{config} failed with status {done.returncode}: {log.read_text()[-500:]}")


def answers(data: Path, folders: list[Path], limit: int | None) -> dict[str, list[Answer]]:
    """Greedy and sampled answers of every policy to the test clips; each is also written beside its checkpoint."""
    corpus = AnnotatedCorpus.read(data)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    found: dict[str, list[Answer]] = {}
    clips = held_out(corpus, limit=limit, seed=0)
    features = None
    for folder in folders:
        model = load_checkpoint(folder, device=device)
        if features is None:
            features, _ = load_features(corpus.audio_clips(), corpus.folder / FOLDER, spec=model.features)
        for kind, temperature in (("greedy", 0.0), ("sampled", 1.0)):
            got = predict(
                model, clips, features, corpus.label_set,
                batch_size=240, temperature=temperature, what=f"{folder.parent.name} {folder.name}, {kind}",
            )  # fmt: skip
            write_jsonl(folder.with_name(f"{folder.name}.{kind}.jsonl"), got)
            found[f"{folder.parent.name}/{folder.name}/{kind}"] = got
    return found


def right(answers: list[Answer]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """1 for each right answer, 0 for the others."""
    return np.array([float(a.predicted is a.expected) for a in answers])


def supported(answers: list[Answer]) -> float:
    """Share of all claims that the measurement supports."""
    verdicts = [claim.verdict for a in answers for claim in a.claims]
    return sum(v is Verdict.SUPPORTED for v in verdicts) / max(1, len(verdicts))


def claims_gain(pairs: list[tuple[list[Answer], list[Answer]]]) -> list[float]:
    """How much larger the share of supported claims of the first answers of each pair is, a pair a seed, and the 95 %
    interval of a bootstrap over seeds and speakers.
    """
    speakers = sorted({a.speaker_id for first, _ in pairs for a in first})
    counts = np.zeros((len(pairs), len(speakers), 2, 2))  # supported claims and all, of both
    for seed, pair in enumerate(pairs):
        for which, given in enumerate(pair):
            for a in given:
                right = sum(claim.verdict is Verdict.SUPPORTED for claim in a.claims)
                counts[seed, speakers.index(a.speaker_id), which] += right, len(a.claims)
    rng = np.random.default_rng(0)
    seeds, voices = (rng.integers(n, size=(DRAWS, n)) for n in counts.shape[:2])
    drawn = np.array([counts[s][:, v].sum((0, 1)) for s, v in zip(seeds, voices, strict=True)])
    shares = [found[..., 0] / np.maximum(1, found[..., 1]) for found in (counts.sum((0, 1)), drawn)]
    mean, low, high = shares[0][0] - shares[0][1], *np.quantile(shares[1][:, 0] - shares[1][:, 1], (0.025, 0.975))
    return [round(float(x), 4) for x in (mean, low, high)]


def interval(gains: np.ndarray[Any, np.dtype[np.float64]]) -> list[float]:
    """Mean of paired differences and the 95 % interval of a bootstrap over clips."""
    drawn = gains[np.random.default_rng(0).integers(len(gains), size=(DRAWS, len(gains)))].mean(axis=1)
    return [round(float(x), 4) for x in (gains.mean(), *np.quantile(drawn, (0.025, 0.975)))]


def summarize(found: dict[str, list[Answer]], seeds: list[int]) -> dict[str, Any]:
    """Accuracy and claims of every policy by seed, and what each algorithm gained over its start."""
    rows = {
        name: {"accuracy": round(float(right(a).mean()), 4), "supported": round(supported(a), 4), "clips": len(a)}
        for name, a in found.items()
    }
    gains: dict[str, Any] = {}
    for algorithm in ALGORITHMS:
        for kind in ("greedy", "sampled"):
            by_seed = [right(found[f"{s}/{algorithm}/{kind}"]) - right(found[f"{s}/cold_start/{kind}"]) for s in seeds]
            gains[f"{algorithm}, {kind}"] = {
                "seeds": [interval(gain) for gain in by_seed],
                "all": interval(np.mean(by_seed, axis=0)),
            }
    claims = claims_gain([(found[f"{s}/grpo_ptr/greedy"], found[f"{s}/grpo/greedy"]) for s in seeds])
    best = max(rows[name]["accuracy"] for name in rows if name.endswith("greedy"))
    reached = [gains[f"{a}, greedy"]["all"] for a in ALGORITHMS]
    met = all(gain[0] >= GAIN_BAR and gain[1] > 0 for gain in reached) and claims[0] >= CLAIMS_BAR
    return {"policies": rows, "gains": gains, "supported_gain": claims, "best": best, "met": met}


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("runs/demo/demo/annotated"), help="of `make demo`")
    parser.add_argument("--out", type=Path, default=Path("runs/rl_demo"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=1, help="stages trained at the same time")
    parser.add_argument("--limit", type=int, help="test clips, evenly of voices and emotions; all unless specified")
    for stage in ("sft", "grpo"):
        parser.add_argument(f"--{stage}", nargs="*", default=[], metavar="NAME=VALUE", help="JSON values")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    arguments = parser.parse_args()
    sft, grpo = ({k: _value(v) for k, _, v in (w.partition("=") for w in words)} for words in
                 (arguments.sft, arguments.grpo))  # fmt: skip
    if not arguments.data.is_dir():
        print(f"{arguments.data} is missing: run `make demo` first; nothing was measured")
        return 0
    began = time.monotonic()
    data, out = arguments.data.resolve(), arguments.out.resolve()
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for stages in plan(data, out, arguments.seeds, sft, grpo):
            list(pool.map(run_once, stages))
    trained = time.monotonic() - began
    folders = [out / str(seed) / name for seed in arguments.seeds for name in POLICIES]
    result = summarize(answers(data, folders, arguments.limit), arguments.seeds)
    result |= {"seconds": {"training": round(trained), "all": round(time.monotonic() - began)}}
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    result |= {"sft": COLD_START | sft, "grpo": REINFORCEMENT | grpo, "torch": torch.__version__, "device": device}
    (out / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2) if arguments.json else _table(result))
    return 0 if result["met"] else 1


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _table(result: dict[str, Any]) -> str:
    lines = [f"{name:28} accuracy {row['accuracy']:.3f}  supported {row['supported']:.3f}"
             for name, row in result["policies"].items()]  # fmt: skip
    for name, gain in result["gains"].items():
        seeds = "  ".join(f"{100 * m:+.1f} ({100 * a:+.1f} to {100 * b:+.1f})" for m, a, b in gain["seeds"])
        m, a, b = (100 * x for x in gain["all"])
        lines.append(f"{name:28} {m:+.1f} points ({a:+.1f} to {b:+.1f}); by seed {seeds}")
    m, a, b = (100 * x for x in result["supported_gain"])
    lines.append(f"supported claims, GRPO-PTR over GRPO: {m:+.1f} points ({a:+.1f} to {b:+.1f})")
    return "\n".join([*lines, f"{result['seconds']} on {result['device']}", "met" if result["met"] else "NOT met"])


if __name__ == "__main__":
    sys.exit(main())
