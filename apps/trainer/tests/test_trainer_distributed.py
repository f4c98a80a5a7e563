"""Two processes (gloo) train as one does. Run as a program, this file trains on as many as it is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from grpo_ptr import Factual, ProgressiveSchedule
from speech_records import PAPER_9, Emotion, MeasuredUtterance, ProsodyProfile, Utterance
from speechlm import PocketSize, pocket, train_tokenizer
from trainer.errors import ConfigError
from trainer.fit import fit
from trainer.grpo import GRPOModule
from trainer.modules import Batches, StageModule, share_of
from trainer.settings import GRPOSettings, SFTSettings
from trainer.sft import SFTModule, WeightedBatch
from trainer.tracking import HISTORY, read_history

SIZE = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)
NAMES = ("u1", "u2", "u3", "u4")


def train(kind: str, out: Path, devices: int) -> None:
    """Four steps of SFT or of GRPO-PTR (three of its groups may differ in length, the only reward); weights in
    `out/weights.safetensors`, by the process that saves."""
    torch.manual_seed(0)
    policy = pocket(train_tokenizer(["It sounds sad."], vocab_size=270), seed=0, size=SIZE)
    generator = torch.Generator().manual_seed(0)
    clips = {name: torch.rand(16, 40, generator=generator) for name in NAMES}
    settings: Any
    module: StageModule
    if kind == "sft":
        settings = SFTSettings(phases=(), learning_rate=1e-3, warmup_steps=1, devices=devices)
        module = SFTModule(policy, settings)
        targets = dict(zip(NAMES, ["It sounds sad.", "sad", "It sounds.", "sounds sad"], strict=True))

        def make(names: list[str]) -> WeightedBatch:
            batch = policy.collate([clips[n] for n in names], ["what?"] * len(names), [targets[n] for n in names])
            return WeightedBatch(batch, batch.completion_mask.float())

        plan: Any = Batches([list(NAMES)] * 4, make)
    else:
        settings = GRPOSettings(
            learning_rate=1e-3, warmup_steps=1, steps=4, prompts_per_step=4, prompts_per_backward=1, group_size=4,
            max_new_tokens=40, overlong_buffer=40, loss="dapo", filter_augment_db=9.0, devices=devices,
            factual=Factual.VERIFIED, criterion_weights=(1.0, 0.0, 0.0, 0.0),
            schedule=ProgressiveSchedule(threshold=0.0, window=2),
        )  # fmt: skip
        module = GRPOModule(policy, settings, label_set=PAPER_9, features=clips, reward_model=None)
        profile = ProsodyProfile(duration_s=1.0, sample_rate=16_000)
        batch = [MeasuredUtterance(Utterance(n, "made", f"{n}.wav", "s", Emotion.SAD), profile) for n in NAMES]
        plan = Batches([batch] * 4, list)
    fit(module, plan, settings, what=kind, out=out, run_name=kind, data={})
    save_file({n: w.detach().contiguous() for n, w in module.named_parameters()}, out / "weights.safetensors")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # Lightning, about itself
def test_two_processes_train_as_one(tmp_path: Path) -> None:
    """Same weights and metrics, but for float32 sums in another order; the first process alone writes. GRPO draws the
    same answers, divides by the tokens of both, and takes a backward pass for each prompt."""
    runs = {
        kind: subprocess.Popen(
            [sys.executable, __file__, kind, str(tmp_path / kind), "2"], stderr=subprocess.PIPE, text=True
        )
        for kind in ("sft", "grpo")
    }
    for kind, process in runs.items():
        _, errors = process.communicate()
        assert process.returncode == 0, errors[-2000:]
        train(kind, tmp_path / f"{kind}-one", 1)
        one, two = (load_file(tmp_path / name / "weights.safetensors") for name in (f"{kind}-one", kind))
        for name, weight in one.items():
            torch.testing.assert_close(two[name], weight, atol=2e-5, rtol=0)
        expected, found = (read_history(tmp_path / name / HISTORY) for name in (f"{kind}-one", kind))
        assert len(found) == len(expected) == 4
        assert max(row["gradient_norm"] for row in expected) > 1e-3
        for row, other in zip(expected, found, strict=True):
            assert row.keys() == other.keys()
            for name in {"step", "loss", "reward", "accuracy", "gradient_norm", "gate"} & row.keys():
                assert other[name] == pytest.approx(row[name], abs=1e-4), name


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    assert share_of([1, 2, 3, 4], 1, 2) == [2, 4]
    with pytest.raises(ConfigError, match="a batch of 3 cannot be shared evenly by devices × nodes = 2 processes"):
        share_of([1, 2, 3], 0, 2)
    with pytest.raises(ConfigError, match="prompts_per_step is 3, expected a multiple of devices × nodes = 2"):
        GRPOSettings(prompts_per_step=3, devices=2)
    with pytest.raises(ConfigError, match="sampling_rounds"):
        GRPOSettings(devices=2, sampling_rounds=2)


if __name__ == "__main__":
    train(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
