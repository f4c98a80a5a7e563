"""What ends a training, or must not: each with one clear line, and nothing lost that was good."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from cotgen.dataset import BuildConfig, Source, build
from cotgen.generation import RuleGenerator
from cotgen.tasks import Task, TaskConfig
from rewardmodel import RewardModel
from speech_records import PAPER_9, Emotion, MeasuredUtterance, ProsodyProfile, Utterance, write_jsonl
from speechlm import CheckpointError, PocketSize, SpeechLM, pocket, train_tokenizer
from trainer import stages
from trainer.checkpoint import policy_card, save_policy
from trainer.curriculum import Phase
from trainer.dataset import AnnotatedCorpus
from trainer.errors import DataSetError
from trainer.reinforcement import train_grpo
from trainer.resume import FOLDER
from trainer.settings import Algorithm, GRPOSettings, SFTSettings
from trainer.sft import train_sft

SIZE = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)
NAMES = tuple(f"u{i}" for i in range(4))
SMALL: dict[str, Any] = {
    "algorithm": Algorithm.GRPO, "steps": 2, "prompts_per_step": 2, "group_size": 2, "max_new_tokens": 8,
}  # fmt: skip


def corpus(root: Path) -> AnnotatedCorpus:
    """Four sad clips of one voice, all to train on."""
    clips = [
        MeasuredUtterance(
            Utterance(name, "made", f"{name}.wav", "s", Emotion.SAD, transcript="Dogs bark.", split="train"),
            ProsodyProfile(1.0, 16_000),
        )
        for name in NAMES
    ]
    write_jsonl(root / "measured.jsonl", clips)
    (root / "scale.json").write_text("{}")
    source = Source(root / "measured.jsonl", audio_root=str(root), scale=root / "scale.json")
    build(source, root / "data", BuildConfig(TaskConfig(PAPER_9, "?", 0)), generator=RuleGenerator(PAPER_9, seed=0))
    return AnnotatedCorpus.read(root / "data")


def model() -> SpeechLM:
    return pocket(train_tokenizer(["It sounds sad."], vocab_size=290), seed=0, size=SIZE)


def features() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.rand(16, 100, generator=generator) for name in NAMES}


class Filling(dict[str, Tensor]):
    """Features, of which `taken` counts those read; with the last, the disk is full for files above 50 kB."""

    def __init__(self, clips: dict[str, Tensor], last: int = 0) -> None:
        super().__init__(clips)
        self.taken, self.last = 0, last

    def __getitem__(self, name: str) -> Tensor:
        self.taken += 1
        if self.taken == self.last:
            resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        return super().__getitem__(name)


@contextmanager
def limits_restored() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # Lightning, about itself
def test_a_disk_that_is_full_when_the_result_is_saved_loses_one_step(tmp_path: Path) -> None:
    """Four steps, a state after each but the last, in whose midst the disk fills up: the checkpoint is not there, the
    state of step 3 is, and the same command then ends with the weights of a training that had room."""
    data = corpus(tmp_path)
    phases = (Phase("a", 4, 1, {Task.LABEL: 1.0}),)
    settings = SFTSettings(phases=phases, learning_rate=1e-2, warmup_steps=0, save_every=1)
    roomy = Filling(features())
    train_sft(model(), data, roomy, settings, out=tmp_path / "roomy")
    full = Filling(features(), last=roomy.taken)
    with limits_restored(), pytest.raises(CheckpointError, match="cannot be written, what was there is unchanged"):
        train_sft(model(), data, full, settings, out=tmp_path / "full")
    assert not list((tmp_path / "full").glob("*.safetensors"))
    assert json.loads((tmp_path / "full" / FOLDER / "state.json").read_text())["step"] == 3
    train_sft(model(), data, features(), settings, out=tmp_path / "full")
    weights = [load_file(tmp_path / out / "model.safetensors") for out in ("full", "roomy")]
    assert all(torch.equal(weights[0][name], weight) for name, weight in weights[1].items())
    assert not (tmp_path / "full" / FOLDER).exists()


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # Lightning, about itself
def test_a_corpus_of_one_emotion_is_reinforced(tmp_path: Path) -> None:
    """Every clip is sad: all steps are made, without an alarm that answers name one label, and the policy is saved."""
    module = train_grpo(model(), corpus(tmp_path), features(), GRPOSettings(**SMALL), reward_model=None, out=tmp_path)
    assert [row["step"] for row in module.history] == [1, 2]
    assert (tmp_path / "model.safetensors").is_file()


def test_a_corpus_without_clips_is_said_before_anything_is_trained(tmp_path: Path) -> None:
    """Where every clip was left out (all too long, say), and where there are no validation clips to look after."""
    data = corpus(tmp_path)
    empty = replace(data, left_out=frozenset(NAMES))
    with pytest.raises(DataSetError, match="no row in split 'train'"):
        train_grpo(model(), empty, {}, GRPOSettings(**SMALL), reward_model=None, out=tmp_path / "out")
    settings = GRPOSettings(**SMALL, validate_every=1)
    with pytest.raises(DataSetError, match="no row in split 'validation'"):
        train_grpo(model(), data, features(), settings, reward_model=None, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_of_another_stage_is_named(tmp_path: Path) -> None:
    """A reward model is not a policy, nor a policy a reward model; a folder that is not there is neither."""
    data = corpus(tmp_path)
    save_policy(model(), policy_card(data, stage="sft", seed=0), data.scale, tmp_path / "policy")
    RewardModel(model()).save(tmp_path / "reward")
    small = {"num_mel_bins": 16, "audio_width": 32, "audio_layers": 1, "text_width": 32, "text_layers": 1}
    common = {
        "data": str(data.folder), "out": str(tmp_path / "out"), "model": stages.model_defaults()["pocket"] | small,
    }  # fmt: skip
    for given, said in (
        ({"policy": "reward", "algorithm": "grpo"}, "reward is a reward model: give the policy that it was made from"),
        ({"policy": "policy", "reward_model": "policy"}, "it holds no reward model"),
        ({"policy": "policy", "reward_model": "nowhere"}, "nowhere: .* it holds no reward model"),
    ):
        folders = {k: str(tmp_path / v) if k != "algorithm" else v for k, v in given.items()}
        with pytest.raises(ValueError, match=said):
            stages.run("grpo", common | folders)
    assert not (tmp_path / "out").exists()
