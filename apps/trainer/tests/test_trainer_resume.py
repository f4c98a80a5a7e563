"""A training that is killed and started again ends as one that was never stopped, to the last bit.

Run as a program, this file trains, and kills its own process with SIGKILL before a step.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from grpo_ptr import Factual, ProgressiveSchedule
from rewardmodel import RewardModel
from speech_records import PAPER_9, Emotion, MeasuredUtterance, ProsodyProfile, Utterance
from speechlm import LoraSettings, PocketSize, SpeechLM, add_lora, pocket, train_tokenizer
from trainer.augment import random_eq_bands
from trainer.errors import ConfigError, ResumeError
from trainer.fit import fit
from trainer.grpo import GRPOModule
from trainer.modules import Batches, MicroBatches, StageModule
from trainer.resume import FOLDER, identity_of, remove_state
from trainer.settings import GRPOSettings, SFTSettings
from trainer.sft import SFTModule
from trainer.tracking import HISTORY, read_history
from trainer.weighting import WeightedBatch

SIZE = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)
STEPS, EVERY = 12, 2
NAMES = ("u1", "u2", "u3")
USED = ("seconds_", "tokens_per_", "memory_")


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """As many threads afterwards as before: `train` takes one."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def speech() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.rand(16, 40, generator=generator) for name in NAMES}


def model() -> SpeechLM:
    return pocket(train_tokenizer(["It sounds sad."], vocab_size=270), seed=0, size=SIZE)


def sft_run(learning_rate: float) -> tuple[StageModule, list[Any], Callable[[Any], Any], SFTSettings]:
    """SFT on clips that are filtered at random."""
    policy, clips = model(), speech()
    settings = SFTSettings(phases=(), learning_rate=learning_rate, warmup_steps=2, save_every=EVERY)
    module = SFTModule(policy, settings)
    module.steps = STEPS
    module.generators["equalizer"] = torch.Generator().manual_seed(0)

    def make(name: str) -> MicroBatches[WeightedBatch]:
        clip = random_eq_bands(clips[name], 9.0, module.generators["equalizer"])
        batch = policy.collate([clip], ["what?"], ["It sounds sad."])
        return MicroBatches((WeightedBatch(batch, batch.completion_mask.float()),))

    return module, [NAMES[i % 3] for i in range(STEPS)], make, settings


def grpo_run(learning_rate: float) -> tuple[StageModule, list[Any], Callable[[Any], Any], GRPOSettings]:
    """GRPO-PTR with new adapters, two steps on each rollout: what differs between answers is their length; the gate
    opens at the third rollout, when it has seen two running means of accuracies of 0. No state is kept between the two
    steps on a rollout."""
    policy = model()
    add_lora(policy, LoraSettings(rank=4, alpha=8.0, dropout=0.1))
    settings = GRPOSettings(
        learning_rate=learning_rate, warmup_steps=2, save_every=1, steps=STEPS // 2, inner_epochs=2,
        prompts_per_step=3, group_size=4, max_new_tokens=40, overlong_buffer=40, filter_augment_db=9.0,
        factual=Factual.VERIFIED, criterion_weights=(1.0, 0.0, 0.0, 0.0),
        schedule=ProgressiveSchedule(threshold=0.0, window=2),
    )  # fmt: skip
    module = GRPOModule(policy, settings, label_set=PAPER_9, features=speech(), reward_model=None)
    batch = [
        MeasuredUtterance(
            Utterance(name, "made", f"{name}.wav", "s", Emotion.SAD), ProsodyProfile(duration_s=1.0, sample_rate=16_000)
        )
        for name in NAMES
    ]
    return module, [batch] * STEPS, list, settings


RUNS: dict[str, Callable[[float], tuple[StageModule, list[Any], Callable[[Any], Any], Any]]] = {
    "sft": sft_run,
    "grpo": grpo_run,
}


def die() -> None:
    """Kill this process."""
    os.kill(os.getpid(), signal.SIGKILL)


def train(
    kind: str, out: Path, *, learning_rate: float = 1e-2, stop_before: int | None = None, stop: Callable[[], None] = die
) -> dict[str, torch.Tensor]:
    """Train on one thread, since sums depend on their number, and return the weights; before the step `stop_before`,
    counted from 0, `stop` is called.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    module, plan, make, settings = RUNS[kind](learning_rate)

    def make_or_die(step: int) -> Any:
        if step == stop_before:
            stop()
        return make(plan[step])

    batches = Batches(range(STEPS), make_or_die)
    fit(module, batches, settings, what=kind, out=out, run_name=kind, data={"data_sha256": "ab"})
    return {name: weight.detach().clone() for name, weight in module.named_parameters()}


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # Lightning, about itself
def test_a_killed_training_ends_as_one_that_never_stopped(tmp_path: Path) -> None:
    """SIGKILL at a random step after a kept state; the run that was not killed says what must come out."""
    rng = np.random.default_rng(15)
    steps = {kind: int(rng.integers(EVERY, STEPS)) for kind in RUNS}
    words = {kind: [sys.executable, __file__, kind, str(tmp_path / kind), str(step)] for kind, step in steps.items()}
    killed = {kind: subprocess.Popen(word, stderr=subprocess.DEVNULL) for kind, word in words.items()}
    for kind, process in killed.items():
        expected = train(kind, tmp_path / f"{kind}-whole")
        history = recorded(tmp_path / f"{kind}-whole")
        assert process.wait() == -signal.SIGKILL
        out = tmp_path / kind
        kept = json.loads((out / FOLDER / "state.json").read_text())["step"]
        assert kept == steps[kind] // EVERY * EVERY
        found = train(kind, out)
        assert all(torch.equal(found[name], weight) for name, weight in expected.items())
        assert recorded(out) == history
        assert {path.suffix for path in (out / FOLDER).iterdir()} == {".json", ".safetensors"}
        remove_state(out)
        assert not (out / FOLDER).exists()
    assert [row["gate"] for row in history] == [0.0] * 4 + [1.0] * 8
    assert not any(torch.equal(weight, start) for weight, start in moved(expected))


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # Lightning, about itself
def test_sigterm_ends_a_training_after_a_step_and_keeps_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It comes before the fifth step, whose state is not due. SFT finishes that step and keeps it; in GRPO it is the
    first of two on a rollout, between which no state is kept, so the fourth is. Going on ends as not having stopped."""
    for kind, kept in (("sft", 5), ("grpo", 4)):
        expected, out = train(kind, tmp_path / f"{kind}-whole"), tmp_path / kind
        with pytest.raises(SystemExit) as stop:
            train(kind, out, stop_before=4, stop=terminate)
        assert stop.value.code == 128 + signal.SIGTERM
        assert json.loads((out / FOLDER / "state.json").read_text())["step"] == kept
        goes_on = f"{kind}: stopped by SIGTERM, the same command goes on after step {kept} of {STEPS}"
        assert goes_on in capsys.readouterr().err
        found = train(kind, out)
        assert all(torch.equal(found[name], weight) for name, weight in expected.items())
        assert recorded(out) == recorded(tmp_path / f"{kind}-whole")


def terminate() -> None:
    """Ask this process to end."""
    os.kill(os.getpid(), signal.SIGTERM)


def recorded(out: Path) -> list[dict[str, float]]:
    """The metrics of every step but for how long it took and what memory."""
    rows = read_history(out / HISTORY)
    return [{name: value for name, value in row.items() if not name.startswith(USED)} for row in rows]


def moved(trained: dict[str, torch.Tensor]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The adapters that GRPO trained, beside those it began with."""
    module, *_ = grpo_run(1e-2)
    return [(trained[name], start) for name, start in module.named_parameters() if start.requires_grad]


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # Lightning, about itself
def test_another_training_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    """Other settings, other data and another start are named; so is a state that cannot be read."""
    train("sft", tmp_path)
    with pytest.raises(ConfigError, match=r"stopped at step 10 with learning_rate 0\.01, here it is 0\.02: go on with"):
        train("sft", tmp_path, learning_rate=2e-2)
    state = tmp_path / FOLDER / "state.json"
    text = state.read_text()
    for name, said in (("data_sha256", "data_sha256 cd, here it is ab"), ("start", "start cd, here it is")):
        changed = json.loads(text)
        changed["identity"][name] = "cd"
        state.write_text(json.dumps(changed))
        with pytest.raises(ConfigError, match=said):
            train("sft", tmp_path)
    state.write_text(text)
    (tmp_path / FOLDER / "state.safetensors").write_bytes(b"cut off")
    with pytest.raises(ResumeError, match="cannot be read, remove it to start again"):
        train("sft", tmp_path)


def test_a_reward_model_is_known_by_its_weights_and_not_by_its_folder() -> None:
    """The same in another folder makes the same training, another one with the same name does not."""

    def identity(folder: str, seed: int) -> dict[str, str]:
        settings = GRPOSettings(group_size=2)
        torch.manual_seed(seed)
        judge = RewardModel(pocket(train_tokenizer(["Sad."], vocab_size=270), seed=seed, size=SIZE))
        module = GRPOModule(model(), settings, label_set=PAPER_9, features={}, reward_model=judge)
        return identity_of(module, {"reward_model": folder})

    assert identity("a", 0) == identity("b", 0)
    first, other = identity("a", 0), identity("a", 1)
    assert {name for name in first if first[name] != other[name]} == {"reward model"}


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # Lightning, about itself
def test_a_full_disk_leaves_the_state_before(tmp_path: Path) -> None:
    """A limit on the size of files fails a write as a full disk does, at the first byte above it. One line says that
    the state was not kept; that of step 9 is, and no other file."""
    with pytest.raises(RuntimeError, match="stopped"):
        train("sft", tmp_path, stop_before=5, stop=stopped)
    before = {path.name: path.read_bytes() for path in (tmp_path / FOLDER).iterdir()}
    assert json.loads(before["state.json"])["step"] == 4
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        with pytest.raises(
            ResumeError, match=r"step 6 was not kept, go on with the same .*what was there is unchanged"
        ):
            train("sft", tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name: path.read_bytes() for path in (tmp_path / FOLDER).iterdir()} == before
    assert {path.name for path in tmp_path.iterdir()} == {FOLDER, HISTORY, "tracking.json"}


def stopped() -> None:
    """Stop a training with an error."""
    raise RuntimeError("stopped")


if __name__ == "__main__":
    train(sys.argv[1], Path(sys.argv[2]), stop_before=int(sys.argv[3]))
