"""The whole pipeline on one corpus: speech in, verified explanation out, every stage a command of its own.

    python infra/demo/pipeline.py --corpus demo
    python infra/demo/pipeline.py --corpus ravdess --root DIR

A stage that has finished is kept as long as its command, those before it and the code are unchanged, so a killed run
goes on where it stopped; `--list` prints the commands instead of running them. What is trained runs in two lanes side
by side, a core each, and what they print is in `OUT/logs/`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from speech_records import atomic_write

FAILED_ITEMS = 1
"""Exit status of `annotator run` when some clips were refused and the rest is done."""
COMPARATIVE_CLIPS = 60
EVALUATED_CLIPS = 480
REWARD_TEXT_CLIPS = 56
"""Clips whose texts the reward model is fitted to and measured on, a third of the default: a minute less."""
RL_OF_THE_DEMO = ("steps=40", "prompts_per_step=24", "learning_rate=1.5e-4", "reward_weights.reasoning=1")
"""Of `stage=cold_start_grpo`, whose 120 steps of 32 prompts take 14 minutes on a core (`benchmarks/rl_demo.py`), with
a larger rate for the fewer steps."""


@dataclass(frozen=True)
class Stage:
    """One command of the pipeline and the seconds it takes on two idle cores, used for the remaining time only.

    It runs `after` a stage of the other lane, too, where one is named.
    """

    name: str
    command: list[str]
    seconds: int
    after: str | None = None


Lane = list[Stage]
"""Stages that run one after the other."""


def pipeline(corpus: str, root: Path, run: Path, *, seed: int) -> list[list[Lane]]:
    """The steps in order, each of one lane or of two that run side by side; `root` is the corpus on disk (made by the
    first stage for the demo corpus).
    """
    data, start, reward = run / "annotated", run / "cold_start", run / "reward"
    annotate = ["annotator", "run", "--local", f"--corpus={corpus}", f"--root={root}", f"--out={data}", "--workers=2"]
    annotate.append("--style=plain")  # the pocket model has to learn to write, too
    common = [f"data={data}", f"seed={seed}"]

    def trainer(stage: str, name: str, *words: str, seconds: int, after: str | None = None) -> Stage:
        return Stage(name, ["trainer", f"stage={stage}", *common, *words, f"out={run / name}"], seconds, after)

    def reinforced(algorithm: str, after: str | None = None) -> Stage:
        words = (f"policy={start}", f"algorithm={algorithm}", *RL_OF_THE_DEMO)
        return trainer("cold_start_grpo", algorithm, *words, seconds=230, after=after)

    policies = [f"policies.{name}={run / name}" for name in ("cold_start", "grpo", "grpo_ptr", "sft")]
    evaluate = [*policies, f"evaluator={reward}", f"limit={EVALUATED_CLIPS}"]
    steps = [
        [[Stage("annotate", [*annotate, f"--seed={seed}", f"--comparative={COMPARATIVE_CLIPS}"], 82)]],
        [
            [
                trainer("cold_start", "cold_start", seconds=245),
                trainer("reward", "reward", f"policy={start}", f"text_clips={REWARD_TEXT_CLIPS}", seconds=65),
                reinforced("grpo"),
            ],
            [trainer("full_sft", "sft", seconds=290), reinforced("grpo_ptr", after="cold_start")],
        ],
        [[trainer("evaluate", "evaluate", *evaluate, seconds=60)]],
        [[Stage("report", ["trainer", "stage=report", f"run={run}", f"out={run / 'report.html'}"], 8)]],
    ]
    if corpus == "demo":
        made = Stage("corpus", ["trainer", "stage=demo_corpus", f"seed={seed}", f"out={root}"], 20)
        steps.insert(0, [[made]])
    return steps


class Runner:
    """Runs what is not finished yet, and keeps in `run` what each stage took and which command it was."""

    def __init__(self, steps: list[list[Lane]], run: Path) -> None:
        self._steps, self._run = steps, run
        self._durations: dict[str, float] = {}
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False
        self._chains: dict[str, Future[str]] = {stage.name: Future() for stage in stages_of(steps)}
        self._numbers = {stage.name: n for n, stage in enumerate(stages_of(steps), start=1)}

    def run(self) -> None:
        """All steps in order. Raises `SystemExit` with the status of a stage that fails."""
        (self._run / "logs").mkdir(parents=True, exist_ok=True)
        began, chain = time.monotonic(), code_hash()
        for number, lanes in enumerate(self._steps):
            left = sum(max(sum(s.seconds for s in lane) for lane in step) for step in self._steps[number:])
            _say(f"about {_clock(left)} left")
            with ThreadPoolExecutor(len(lanes)) as pool:
                alone = len(lanes) == 1
                done = [pool.submit(self._run_lane, lane, chain, alone=alone) for lane in lanes]
            chain = "".join(one.result() for one in done)
        took = ", ".join(f"{name} {_clock(s)}" for name, s in self._durations.items())
        _say(f"the pipeline took {_clock(time.monotonic() - began)} now; its stages: {took}")

    def _run_lane(self, lane: Lane, chain: str, *, alone: bool) -> str:
        """Run a lane after what `chain` stands for; the chain after it."""
        for number, stage in enumerate(lane):
            try:
                if stage.after is not None:
                    chain += self._chains[stage.after].result()
                chain = hashlib.sha256(f"{chain}\n{shlex.join(stage.command)}".encode()).hexdigest()
                self._finish(stage, chain, alone=alone)
            except BaseException as error:
                for missing in lane[number:]:
                    self._chains[missing.name].set_exception(error)
                raise
            self._chains[stage.name].set_result(chain)
        return chain

    def _finish(self, stage: Stage, chain: str, *, alone: bool) -> None:
        """Run a stage unless it finished earlier, which `chain` tells."""
        receipt = self._run / f".{stage.name}.finished.json"
        finished = json.loads(receipt.read_text()) if receipt.is_file() else {}
        title = f"[{self._numbers[stage.name]}/{len(self._numbers)}] {stage.name}"
        if finished.get("chain") == chain:
            self._note(stage, finished["seconds"])
            _say(f"{title}: finished earlier, kept")
            return
        _say(f"{title}  {shlex.join(stage.command)}")
        seconds = self._run_stage(stage, None if alone else self._run / "logs" / f"{stage.name}.log")
        self._note(stage, seconds)
        with atomic_write(receipt) as file:
            file.write(json.dumps({"chain": chain, "seconds": seconds}) + "\n")
        if not alone:
            _say(f"{title}: finished in {_clock(seconds)}")

    def _run_stage(self, stage: Stage, log: Path | None) -> float:
        """Run one stage, with what it prints in `log` and on one core where that is given; the seconds it took."""
        began = time.monotonic()
        command = [str(Path(sys.executable).parent / stage.command[0]), *stage.command[1:]]
        with nullcontext() if log is None else log.open("wb") as file:
            environment = os.environ if log is None else os.environ | {"OMP_NUM_THREADS": "1"}
            with self._lock:
                if self._stopped:
                    raise SystemExit(1)
                process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
                self._running.add(process)
        status = process.wait()
        with self._lock:
            self._running.remove(process)
        has_data = (self._run / "annotated" / "dataset.json").is_file()
        if status == FAILED_ITEMS and stage.name == "annotate" and has_data:
            _say("some clips were refused (see errors.jsonl in the data set); the others go on")
        elif status:
            said = "" if log is None else f" (see {log})"
            _say(f"stage {stage.name} failed with status {status}{said}; fix the cause and run the same command again")
            raise SystemExit(status if status > 0 else 1)
        return round(time.monotonic() - began, 1)

    def stop(self, number: int, _frame: object) -> None:
        """Handle a signal: stop with what runs, or it would go on beside the same stage of the next run."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.terminate()
        raise SystemExit(128 + number)

    def _note(self, stage: Stage, seconds: float) -> None:
        with self._lock:
            self._durations[stage.name] = seconds
            (self._run / "durations.json").write_text(json.dumps(self._durations, indent=2) + "\n")


def code_hash() -> str:
    """SHA-256 of the source files of all packages and apps, this one included."""
    made, root = hashlib.sha256(Path(__file__).read_bytes()), Path(__file__).parents[2]
    for folder in ("packages", "apps"):
        for file in sorted(root.glob(f"{folder}/*/src/**/*")):
            if file.is_file() and file.suffix != ".pyc":
                made.update(f"{file.relative_to(root)}\n".encode() + file.read_bytes())
    return made.hexdigest()


def stages_of(steps: list[list[Lane]]) -> list[Stage]:
    """All stages, those of a lane together."""
    return [stage for lanes in steps for lane in lanes for stage in lane]


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _say(text: str) -> None:
    print(f"\n== {text}", file=sys.stderr, flush=True)


def _next_steps(run: Path, corpus: str) -> str:
    return (
        f"report:   {run / 'report.html'}  (open it in a browser)\n"
        f"results:  {run / 'evaluate' / 'evaluation.json'}\n"
        f"explain:  explainer explain FILE --checkpoint {run / 'sft'}"
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
    steps = pipeline(arguments.corpus, root, run, seed=arguments.seed)
    if arguments.list:
        print("\n".join(shlex.join(stage.command) for stage in stages_of(steps)))
        return
    runner = Runner(steps, run)
    signal.signal(signal.SIGTERM, runner.stop)
    runner.run()
    print(_next_steps(run, arguments.corpus))


if __name__ == "__main__":
    main()
