"""A training is the same however its steps are divided: into backward passes, or among processes.

`trajectories.json` holds what each training recorded, in float64, so that the order of
sums shows in no digit that is compared. Run as a program, this file trains on as many processes as it is told, and
`record` writes that file anew.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from grpo_ptr import Factual, ProgressiveSchedule
from rewardmodel import ClipTargets, RewardModel, hear
from speech_records import (
    PAPER_9,
    Emotion,
    Level,
    LevelReading,
    MeasuredUtterance,
    ProsodyLevels,
    ProsodyProfile,
    Utterance,
)
from speechlm import PocketSize, SpeechLM, pocket, train_tokenizer
from trainer.errors import ConfigError
from trainer.fit import fit
from trainer.grpo import GRPOModule
from trainer.modules import Batches, MicroBatches, StageModule, share_of
from trainer.resume import FOLDER
from trainer.reward import HeardBatch, RewardModule
from trainer.settings import GRPOSettings, RewardSettings, SFTSettings, Strategy
from trainer.sft import SFTModule
from trainer.tracking import HISTORY, read_history
from trainer.weighting import WeightedBatch

SIZE = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)
NAMES = tuple(f"u{i}" for i in range(8))
STEPS = 6
RECORDED = Path(__file__).with_name("trajectories.json")
COMPARED = ("loss", "gradient_norm", "reward", "kl", "claims", "offered", "emotion")
THINKS = ("The energy is high. So it is sad.", "The energy is low. So it is sad, really sad.", "Loud.")


def policy() -> SpeechLM:
    return pocket(train_tokenizer([*THINKS, "It sounds sad."], vocab_size=290), seed=0, size=SIZE).double()


def sft(clips: dict[str, torch.Tensor], options: dict[str, Any]) -> tuple[StageModule, list[Any], Any, Any]:
    """Eight examples a step, of different lengths, whose tokens weigh differently."""
    model = policy()
    settings = SFTSettings(phases=(), learning_rate=1e-3, warmup_steps=1, **options)
    targets = dict(zip(NAMES, [*THINKS, "sad", "It sounds.", "sounds sad", "s", "It sounds sad."], strict=True))

    def weighted(names: Sequence[str]) -> WeightedBatch:
        batch = model.collate([clips[n] for n in names], ["what?"] * len(names), [targets[n] for n in names])
        weights = batch.completion_mask * (1.0 + batch.input_ids % 3)
        return WeightedBatch(batch, weights / weights.sum(-1, keepdim=True))

    make = partial(MicroBatches.of, size=settings.micro_batch_size, make=weighted)
    return SFTModule(model, settings), list(NAMES), make, settings


def reward(clips: dict[str, torch.Tensor], options: dict[str, Any]) -> tuple[StageModule, list[Any], Any, Any]:
    """Eight clips a step, of which measurement and label decide a different number; without dropout, whose draws would
    differ."""
    model = RewardModel(policy()).double()
    for layer in model.heads.clip.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    settings = RewardSettings(learning_rate=1e-3, warmup_steps=1, batch_size=len(NAMES), **options)
    states = hear(model.backbone, [clips[n] for n in NAMES]).double()
    targets = ClipTargets.of([measured(name, number) for number, name in enumerate(NAMES)])
    targets = ClipTargets(targets.values.double(), targets.offered.double(), targets.emotions)

    def heard(rows: Sequence[int]) -> HeardBatch:
        return HeardBatch(states[list(rows)], targets[list(rows)])

    make = partial(MicroBatches.of, size=settings.micro_batch_size, make=heard)
    return RewardModule(model.heads.clip, settings, steps=STEPS), list(range(len(NAMES))), make, settings


def measured(name: str, number: int) -> MeasuredUtterance:
    level = LevelReading(Level.HIGH, 1.0, 90.0) if number % 2 else LevelReading(Level.LOW, 1.0, 10.0)
    levels = ProsodyLevels("made", "0", energy=level, pitch=level if number % 3 else None)
    emotion = Emotion.SAD if number % 4 else None
    profile = ProsodyProfile(duration_s=1.0, sample_rate=16_000)
    return MeasuredUtterance(Utterance(name, "made", "a.wav", "s1", emotion), profile, levels)


def grpo(clips: dict[str, torch.Tensor], options: dict[str, Any]) -> tuple[StageModule, list[Any], Any, Any]:
    """GRPO-PTR with DAPO's loss: every token of the step, of all processes, counts the same. What is rewarded is how
    short an answer is, and when the gate is open the reasoning, which has no form here."""
    settings = GRPOSettings(
        learning_rate=1e-3, warmup_steps=1, steps=STEPS, prompts_per_step=len(NAMES), group_size=4, max_new_tokens=40,
        overlong_buffer=40, loss="dapo", filter_augment_db=9.0, factual=Factual.VERIFIED,
        criterion_weights=(1.0, 0.0, 0.0, 0.0), schedule=ProgressiveSchedule(threshold=0.0, window=2), **options,
    )  # fmt: skip
    module = GRPOModule(policy(), settings, label_set=PAPER_9, features=clips, reward_model=None)
    profile = ProsodyProfile(duration_s=1.0, sample_rate=16_000)
    batch = [MeasuredUtterance(Utterance(n, "made", f"{n}.wav", "s", Emotion.SAD), profile) for n in NAMES]
    return module, batch, list, settings


TRAININGS: Any = {"sft": sft, "reward": reward, "grpo": grpo}


def train(kind: str, out: Path, *, stop_before: int | None = None, **options: Any) -> list[dict[str, float]]:
    """What the training recorded of every step; its weights are in `out/weights.safetensors`, by the process that
    saves. Before the step `stop_before`, counted from 0, the process kills itself."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    clips = {name: torch.rand(16, 40, generator=generator) for name in NAMES}
    module, batch, make, settings = TRAININGS[kind](clips, options)
    made: list[Any] = []

    def make_or_die(batch: Any) -> Any:
        if len(made) == stop_before:
            os.kill(os.getpid(), signal.SIGKILL)
        made.append(make(batch))
        return made[-1]

    plan = Batches([batch] * STEPS, make_or_die)
    fit(module, plan, settings, what=kind, out=out, run_name=kind, data={})
    save_file({n: w.detach().contiguous() for n, w in module.named_parameters()}, out / "weights.safetensors")
    return compared(out)


def compared(out: Path) -> list[dict[str, float]]:
    return [{name: row[name] for name in COMPARED if name in row} for row in read_history(out / HISTORY)]


def assert_as_recorded(kind: str, found: list[dict[str, float]]) -> None:
    expected = json.loads(RECORDED.read_text())[kind]
    assert len(found) == len(expected) == STEPS
    for row, other in zip(expected, found, strict=True):
        assert other == pytest.approx(row, abs=1e-6, rel=1e-6)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # Lightning, about itself
@pytest.mark.parametrize("kind", TRAININGS)
@pytest.mark.parametrize("micro_batch_size", [None, 3, 1])
def test_backward_passes_of_few_examples_make_the_steps_of_all(
    kind: str, micro_batch_size: int | None, tmp_path: Path
) -> None:
    """1 × 8 = 3 × 3 = 8 × 1, as recorded: losses, gradients and so the weights of every step, to 1e-6."""
    assert_as_recorded(kind, train(kind, tmp_path, micro_batch_size=micro_batch_size))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # Lightning, about itself
@pytest.mark.parametrize("kind", TRAININGS)
@pytest.mark.parametrize("strategy", Strategy)
def test_two_processes_train_as_one(kind: str, strategy: Strategy, tmp_path: Path) -> None:
    """Two of gloo, each with all weights or with a share of them and with a backward pass for every example: as
    recorded, and with the same weights as one. The first process alone writes."""
    two = two_processes(kind, strategy, tmp_path / "two")
    assert two.returncode == 0, two.stderr[-2000:]
    assert_as_recorded(kind, compared(tmp_path / "two"))
    train(kind, tmp_path / "one")
    assert_same_weights(tmp_path / "one", tmp_path / "two")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # Lightning, about itself
def test_a_sharded_training_that_was_killed_goes_on(tmp_path: Path) -> None:
    """Both processes kill themselves before step 4; the state of step 2 is whole, in one plain file, and the same
    command ends as if nothing had happened."""
    killed = two_processes("sft", Strategy.FSDP2, tmp_path / "two", "3")
    assert killed.returncode != 0
    kept = load_file(tmp_path / "two" / FOLDER / "state.safetensors")
    shapes = {
        f"weight.{name}": weight.shape
        for name, weight in SFTModule(policy(), SFTSettings(phases=())).named_parameters()
    }
    assert {name: weight.shape for name, weight in kept.items() if name.startswith("weight.")} == shapes
    again = two_processes("sft", Strategy.FSDP2, tmp_path / "two")
    assert again.returncode == 0, again.stderr[-2000:]
    assert_as_recorded("sft", compared(tmp_path / "two"))
    train("sft", tmp_path / "one")
    assert_same_weights(tmp_path / "one", tmp_path / "two")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # Lightning, about itself
def test_two_machines_train_as_one(tmp_path: Path) -> None:
    """Two times torchrun, as on two machines with a device each: as recorded."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"]
    machines = [
        subprocess.Popen(
            [*torchrun, f"--node-rank={rank}", "--master-addr=127.0.0.1", f"--master-port={port}",
             __file__, "sft", str(tmp_path), Strategy.FSDP2], stderr=subprocess.PIPE, text=True,
        )
        for rank in (0, 1)
    ]  # fmt: skip
    errors = [machine.communicate()[1] for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], errors[0][-2000:]
    assert_as_recorded("sft", compared(tmp_path))


def two_processes(kind: str, strategy: Strategy, out: Path, *stop_before: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, __file__, kind, str(out), strategy, *stop_before]
    return subprocess.run(words, stderr=subprocess.PIPE, text=True, check=False)


def assert_same_weights(one: Path, two: Path) -> None:
    expected, found = (load_file(out / "weights.safetensors") for out in (one, two))
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, atol=1e-6, rtol=0)


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    assert share_of([1, 2, 3, 4], 1, 2) == [2, 4]
    with pytest.raises(ConfigError, match="a batch of 3 cannot be shared evenly by devices × nodes = 2 processes"):
        share_of([1, 2, 3], 0, 2)
    with pytest.raises(ConfigError, match="prompts_per_step is 3, expected a multiple of devices × nodes = 2"):
        GRPOSettings(prompts_per_step=3, devices=2)
    with pytest.raises(ConfigError, match="sampling_rounds"):
        GRPOSettings(devices=2, sampling_rounds=2)


if __name__ == "__main__":
    if sys.argv[1] == "record":
        found = {kind: train(kind, Path(sys.argv[2]) / kind) for kind in TRAININGS}
        rows = {kind: ",\n  ".join(map(json.dumps, steps)) for kind, steps in found.items()}
        parts = (f' "{kind}": [\n  {steps}\n ]' for kind, steps in rows.items())
        RECORDED.write_text("{\n" + ",\n".join(parts) + "\n}\n")
    else:
        stop_before = int(sys.argv[4]) if len(sys.argv) > 4 else None
        size = {"nodes": 2} if "RANK" in os.environ else {"devices": 2}  # torchrun has started this process, or none
        options = {"micro_batch_size": 1, "strategy": Strategy(sys.argv[3]), "save_every": 2} | size
        train(sys.argv[1], Path(sys.argv[2]), stop_before=stop_before, **options)
