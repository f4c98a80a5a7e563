"""How fast a full profile is, against one Praat pitch pass, openSMILE's eGeMAPS functionals and librosa's pYIN.

CPU time of one process over the same RAVDESS clips in the same run, in times real time; then two processes, each
pinned to a core of its own and both at work, against one: clips per CPU second, so that other work on the machine does
not count, and what two processes take from one another does. Peers that are not installed (`pip install opensmile
librosa`) are named and left out.

    taskset -c 0 python benchmarks/prosody_speed.py [--json] [--root ../shared/data] [--clips 60]

Bars: at most 1.7 times the cost of one Praat pitch pass at 10 ms; at least 4 times faster than eGeMAPS and 40 times
faster than two-pass pYIN; two pinned processes at least 1.8 times one. Leaves with status 1 when one is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import parselmouth
from numpy.typing import NDArray

import prosody

RATE = 16_000
PYIN_CLIPS = 6  # pYIN runs at about three times real time
MAX_OF_PRAAT = 1.7
MIN_OVER_EGEMAPS = 4.0
MIN_OVER_PYIN = 40.0
MIN_SCALING = 1.8
BATCH_ROUNDS = 3

PYIN_HOP = 160  # samples: 10 ms, as all the others

Clip = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Timing:
    """CPU seconds over so many seconds of sound."""

    what: str
    cpu_s: float
    audio_s: float

    @property
    def times_real_time(self) -> float:
        """Seconds of sound per CPU second."""
        return self.audio_s / self.cpu_s


def timed(what: str, function: Callable[[Clip], object], clips: Sequence[Clip]) -> Timing:
    """CPU time (all threads of this process) of the function over the clips, after one that does not count."""
    function(clips[0])
    start = time.process_time()
    for clip in clips:
        function(clip)
    return Timing(what, time.process_time() - start, sum(map(len, clips)) / RATE)


def profile(clip: Clip) -> object:
    """A full profile without transcript."""
    return prosody.analyze(clip, RATE)


def praat_pitch(clip: Clip) -> object:
    """One pass of Praat's autocorrelation at 10 ms with its own defaults, 75–600 Hz."""
    return parselmouth.Sound(clip.astype(np.float64), RATE).to_pitch_ac(
        time_step=0.01, pitch_floor=75.0, pitch_ceiling=600.0
    )


def egemaps() -> Callable[[Clip], object] | None:
    """The eGeMAPSv02 functionals of openSMILE; `None` when it is not installed."""
    if find_spec("opensmile") is None:
        return None
    import opensmile

    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    return lambda clip: smile.process_signal(clip, RATE)


def two_pass_pyin() -> Callable[[Clip], object] | None:
    """Two passes of librosa's pYIN, wide and then around the median, as the method's annotation; `None` without it."""
    if find_spec("librosa") is None:
        return None
    import librosa

    def run(clip: Clip) -> object:
        f0, voiced, _ = librosa.pyin(clip, fmin=55, fmax=500, sr=RATE, hop_length=PYIN_HOP)
        median = float(np.median(f0[voiced])) if voiced.any() else 150.0
        return librosa.pyin(clip, fmin=max(55.0, median / 2), fmax=min(500.0, median * 2), sr=RATE, hop_length=PYIN_HOP)

    return run


def _pinned(core: int, clips: Sequence[Clip], start: object, done: object) -> None:
    os.sched_setaffinity(0, {core})
    profile(clips[0])
    start.wait()  # type: ignore[attr-defined]
    begun = time.process_time()
    for _ in range(BATCH_ROUNDS):
        for clip in clips:
            profile(clip)
    done.put(time.process_time() - begun)  # type: ignore[attr-defined]


def throughput(cores: Sequence[int], clips: Sequence[Clip]) -> float:
    """Clips per CPU second of one pinned process per core, all running together, summed."""
    context = get_context("spawn")
    start, done = context.Barrier(len(cores)), context.Queue()
    workers = [context.Process(target=_pinned, args=(core, clips, start, done)) for core in cores]
    for worker in workers:
        worker.start()
    seconds = [done.get() for _ in workers]
    for worker in workers:
        worker.join()
    return sum(BATCH_ROUNDS * len(clips) / s for s in seconds)


def load(root: Path, count: int) -> list[Clip]:
    """Clips spread evenly over actors, emotions and sentences."""
    paths = sorted((root / "ravdess").glob("Actor_*/*.flac"))
    return [prosody.load_audio(path).samples for path in paths[:: max(1, len(paths) // count)][:count]]


def measure(clips: Sequence[Clip]) -> tuple[list[Timing], dict[str, tuple[float, bool]]]:
    """The timings, and each bar's ratio with whether it is met."""
    mine, praat = timed("prosody: full profile", profile, clips), timed("Praat: one pitch pass", praat_pitch, clips)
    timings = [mine, praat]
    cost = praat.times_real_time / mine.times_real_time
    bars = {f"cost of a Praat pitch pass (≤ {MAX_OF_PRAAT})": (cost, cost <= MAX_OF_PRAAT)}
    for what, peer, few, least in (
        ("openSMILE: eGeMAPSv02 functionals", egemaps(), len(clips), MIN_OVER_EGEMAPS),
        ("librosa: two-pass pYIN", two_pass_pyin(), PYIN_CLIPS, MIN_OVER_PYIN),
    ):
        if peer is None:
            print(f"{what}: not installed, left out", file=sys.stderr)
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            timings.append(timed(what, peer, clips[:few]))
        faster = mine.times_real_time / timings[-1].times_real_time
        bars[f"faster than {what} (≥ {least:g})"] = (faster, faster >= least)
    return timings, bars


def main() -> int:
    """Print timings and bars; status 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    shared = Path(os.environ.get("EMOTIONTHINKER_SHARED", "../shared"))
    parser.add_argument("--root", type=Path, default=shared / "data", help="folder with ravdess/")
    parser.add_argument("--clips", type=int, default=60)
    arguments = parser.parse_args()
    clips = load(arguments.root, arguments.clips)
    if not clips:
        print(f"{arguments.root}: no ravdess/Actor_*/*.flac there", file=sys.stderr)
        return 1
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0]})
    timings, bars = measure(clips)
    os.sched_setaffinity(0, set(range(os.cpu_count() or 1)))
    if (os.cpu_count() or 1) >= 2:
        scaling = throughput([0, 1], clips) / throughput([0], clips)
        bars[f"two pinned processes against one (≥ {MIN_SCALING})"] = (scaling, scaling >= MIN_SCALING)
    if arguments.json:
        rows = [{**asdict(t), "times_real_time": t.times_real_time} for t in timings]
        print(json.dumps({"timings": rows, "bars": {k: {"value": v, "met": met} for k, (v, met) in bars.items()}}))
    else:
        for timing in timings:
            print(f"{timing.what:40}{timing.times_real_time:9.1f} × real time")
        for what, (value, met) in bars.items():
            print(f"{'ok' if met else 'MISSED':8}{what:60}{value:7.2f}")
    return 0 if all(met for _, met in bars.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
