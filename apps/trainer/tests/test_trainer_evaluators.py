"""Who may judge the reasoning of a policy, and one table over corpora."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from rewardmodel import RewardModel
from speech_records import Emotion, to_json
from speechlm import PocketSize, pocket, train_tokenizer
from trainer.corpora import run_corpora
from trainer.errors import ConfigError
from trainer.evaluators import load_evaluator, mean_score
from trainer.predict import Answer
from trainer.settings import CorporaStage, read_settings
from trainer.tracking import RECORD, TrackingRecord

TINY = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)
TEXT = "<think>Low.</think><answer>sad</answer>"


def judge(folder: Path, seed: int) -> Path:
    """A reward model of random weights."""
    tokenizer = train_tokenizer([TEXT, "Which emotion?"], vocab_size=300)
    torch.manual_seed(seed)
    model = RewardModel(pocket(tokenizer, seed=seed, size=TINY))
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    model.save(folder)
    return folder


def policy(folder: Path, **parameters: str) -> Path:
    """The record of a training, without its weights."""
    folder.mkdir()
    (folder / RECORD).write_text(to_json(TrackingRecord("p", parameters, {}, 1)))
    return folder


def test_a_policy_is_not_judged_by_what_rewarded_it(tmp_path: Path) -> None:
    """Refused by its folder and as a copy; another one judges, and so does the same where its word was not heard."""
    first, second = judge(tmp_path / "first", 0), judge(tmp_path / "second", 1)
    copy = judge(tmp_path / "copy", 0)
    trained = policy(tmp_path / "ptr", algorithm="grpo_ptr", reward_model=str(first))
    for same in (first, copy):
        with pytest.raises(ConfigError, match="give a reward model of another seed"):
            load_evaluator(same, [trained])
    found = load_evaluator(second, [trained])
    answers = [Answer(name, "s", Emotion.SAD, Emotion.SAD, True, TEXT) for name in ("a", "b")]
    clips = {name: torch.rand(16, 40, generator=torch.Generator().manual_seed(0)) for name in ("a", "b")}
    assert 1.0 <= mean_score(found, answers, clips, dict.fromkeys(clips, "Which emotion?")) <= 5.0
    outcomes = policy(tmp_path / "plain", algorithm="grpo", reward_model=str(first))
    verified = policy(tmp_path / "verified", algorithm="grpo_ptr", reward_model="None")
    (tmp_path / "unknown").mkdir()
    assert isinstance(load_evaluator(first, [outcomes, verified, tmp_path / "unknown"]), RewardModel)


def test_corpora_that_are_there_are_scored_and_absent_ones_said(tmp_path: Path) -> None:
    """Accuracies 0.5 and 0.7 have the mean 0.6; the paper's for RAVDESS is in its column and is its mean."""
    asked: list[Mapping[str, Any]] = []

    def run(name: str, values: Mapping[str, Any]) -> None:
        asked.append(values)
        folder = Path(values["out"])
        folder.mkdir(parents=True)
        accuracy = {"ravdess": 0.5, "emodb": 0.7}[folder.name]
        measures = {"accuracy": {"value": accuracy}, "unweighted_average_recall": {"value": 0.25}, "clips": 12}
        rows = [{"name": policy, "evaluation": measures} for policy in values["policies"]]
        (folder / "evaluation.json").write_text(json.dumps({"policies": rows}))

    given = {"ravdess": str(tmp_path), "savee": None, "emodb": str(tmp_path)}
    values = {"name": "corpora", "out": str(tmp_path / "out"), "policies": {"sft": "p"}, "corpora": given}
    text = run_corpora(read_settings(CorporaStage, values | {"evaluate": {"limit": 12}}), run)
    assert text.splitlines() == [
        "| accuracy (UAR), % | ravdess, 12 clips | emodb, 12 clips | savee | mean of those here |",
        "|---|---|---|---|---|",
        "| sft | 50.0 (25.0) | 70.0 (25.0) | absent | 60.0 |",
        "| EmotionThinker, as the paper reports it | 71.56 | – | 73.96 | 71.56 |",
        "",
        "Not scored, because no data set was given: savee.",
    ]
    assert (tmp_path / "out" / "corpora.md").read_text() == text + "\n"
    assert [(v["limit"], v["data"]) for v in asked] == [(12, str(tmp_path))] * 2


def test_a_corpus_that_is_not_there_is_named_before_anything_runs(tmp_path: Path) -> None:
    values = {"name": "corpora", "out": str(tmp_path), "policies": {"sft": "p"}}
    with pytest.raises(ConfigError, match=r"corpora\.meld=nowhere is not a folder"):
        run_corpora(
            read_settings(CorporaStage, values | {"corpora": {"ravdess": str(tmp_path), "meld": "nowhere"}}),
            lambda *_: pytest.fail("nothing may run"),
        )
    with pytest.raises(ConfigError, match=r"needs corpora\.NAME=DIR"):
        run_corpora(
            read_settings(CorporaStage, values | {"corpora": {"meld": None}}), lambda *_: pytest.fail("nothing may run")
        )
