"""The whole pipeline on one corpus: speech in, verified explanation out, every stage a command of its own.

    python infra/demo/pipeline.py --corpus demo
    python infra/demo/pipeline.py --corpus ravdess --root DIR

A stage that has finished is kept as long as its command and those before it are unchanged, so a killed run goes on
where it stopped; `--list` prints the commands instead of running them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

FAILED_ITEMS = 1
"""Exit status of `annotator run` when some clips were refused and the rest is done."""
COMPARATIVE_CLIPS = 60
EVALUATED_CLIPS = 480


@dataclass(frozen=True)
class Stage:
    """One command of the pipeline and the seconds it takes on two idle cores, used for the remaining time only."""

    name: str
    command: list[str]
    seconds: int


def pipeline(corpus: str, root: Path, run: Path, *, seed: int) -> list[Stage]:
    """The stages in order; `root` is the corpus on disk (made by the first stage for the demo corpus)."""
    data, sft, reward = run / "annotated", run / "sft", run / "reward"
    annotate = ["annotator", "run", "--local", f"--corpus={corpus}", f"--root={root}", f"--out={data}", "--workers=2"]
    annotate.append("--style=plain")  # the pocket model has to learn to write, too
    common = [f"data={data}", f"seed={seed}"]

    def grpo(algorithm: str) -> list[str]:
        checkpoints = [f"policy={sft}", f"reward_model={reward}", f"out={run / algorithm}"]
        return ["trainer", "stage=grpo", f"algorithm={algorithm}", *common, *checkpoints]

    evaluate = [f"policies.{name}={run / name}" for name in ("sft", "grpo", "grpo_ptr")]
    stages = [
        Stage("annotate", [*annotate, f"--seed={seed}", f"--comparative={COMPARATIVE_CLIPS}"], 60),
        Stage("sft", ["trainer", "stage=sft", *common, f"out={sft}"], 400),
        Stage("reward", ["trainer", "stage=reward", *common, f"policy={sft}", f"out={reward}"], 150),
        Stage("grpo", grpo("grpo"), 100),
        Stage("grpo_ptr", grpo("grpo_ptr"), 110),
        Stage(
            "evaluate",
            [
                *("trainer", "stage=evaluate", *common, *evaluate),
                *(f"reward_model={reward}", f"out={run / 'evaluate'}", f"limit={EVALUATED_CLIPS}"),
            ],
            60,
        ),
        Stage("report", ["trainer", "stage=report", f"run={run}", f"out={run / 'report.html'}"], 10),
    ]
    if corpus == "demo":
        stages.insert(0, Stage("corpus", ["trainer", "stage=demo_corpus", f"seed={seed}", f"out={root}"], 15))
    return stages


def run_stages(stages: list[Stage], run: Path) -> None:
    """Run every stage that is not finished yet. Raises `SystemExit` with the status of one that fails."""
    run.mkdir(parents=True, exist_ok=True)
    durations: dict[str, float] = {}
    chain = ""
    for number, stage in enumerate(stages, start=1):
        chain = hashlib.sha256(f"{chain}\n{shlex.join(stage.command)}".encode()).hexdigest()
        receipt = run / f".{stage.name}.finished.json"
        finished = json.loads(receipt.read_text()) if receipt.is_file() else {}
        left = sum(s.seconds for s in stages[number - 1 :])
        title = f"[{number}/{len(stages)}] {stage.name}"
        if finished.get("chain") == chain:
            durations[stage.name] = finished["seconds"]
            _say(f"{title}: finished earlier, kept")
            continue
        _say(f"{title}  (about {_clock(left)} left)  {shlex.join(stage.command)}")
        seconds = _run(stage)
        durations[stage.name] = seconds
        (run / "durations.json").write_text(json.dumps(durations, indent=2) + "\n")
        receipt.write_text(json.dumps({"chain": chain, "seconds": seconds}) + "\n")
    total = sum(durations.values())
    _say(f"the pipeline took {_clock(total)}: " + ", ".join(f"{name} {_clock(s)}" for name, s in durations.items()))


def _run(stage: Stage) -> float:
    began = time.monotonic()
    program = Path(sys.executable).parent / stage.command[0]
    status = subprocess.run([str(program), *stage.command[1:]], check=False).returncode
    if status == FAILED_ITEMS and stage.name == "annotate":
        _say("some clips were refused (see errors.jsonl in the data set); the others go on")
    elif status:
        _say(f"stage {stage.name} failed with status {status}; fix the cause and run the same command again")
        raise SystemExit(status if status > 0 else 1)
    return round(time.monotonic() - began, 1)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _say(text: str) -> None:
    print(f"\n== {text}", file=sys.stderr, flush=True)


def _next_steps(run: Path, corpus: str) -> str:
    return (
        f"report:   {run / 'report.html'}  (open it in a browser)\n"
        f"results:  {run / 'evaluate' / 'evaluation.json'}\n"
        f"explain:  explainer explain FILE --checkpoint {run / 'grpo_ptr'}"
        + ("\nAll of this was learned from synthetic speech: expect little on real voices." if corpus == "demo" else "")
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default="demo", choices=["demo", "ravdess", "emodb"])
    parser.add_argument("--root", type=Path, help="folder of a real corpus")
    parser.add_argument("--run", type=Path, help="output directory (default runs/demo/CORPUS)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--list", action="store_true", help="print the commands and stop")
    arguments = parser.parse_args()
    run = arguments.run or Path("runs/demo") / arguments.corpus
    if arguments.corpus == "demo":
        if arguments.root is not None:
            parser.error("the demo corpus is made, not given: leave --root away")
        root = run / "corpus"
    elif arguments.root is None or not arguments.root.is_dir():
        parser.error(f"--corpus {arguments.corpus} needs --root, the folder it lies in; got {arguments.root}")
    else:
        root = arguments.root
    stages = pipeline(arguments.corpus, root, run, seed=arguments.seed)
    if arguments.list:
        print("\n".join(shlex.join(stage.command) for stage in stages))
        return
    run_stages(stages, run)
    print(_next_steps(run, arguments.corpus))


if __name__ == "__main__":
    main()
