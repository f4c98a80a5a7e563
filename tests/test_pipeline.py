"""The whole pipeline in small, stage by stage, from synthetic speech to an explained clip: by their commands, but for
most trainings, for which a process of their own would import for longer than it trains.

Expected values are what the stages promise to leave behind; nothing is said about how good so small a model is.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from speech_records import MeasuredUtterance, ReasoningTrace, Utterance, Verdict, read_jsonl
from trainer.settings.other_stages import POLICIES
from trainer.tracking import HISTORY, read_history

Stage = Callable[..., str]
BIN = Path(sys.executable).parent
TINY = ["model.audio_width=32", "model.audio_layers=1", "model.text_width=32", "model.text_layers=1"]
STEPS = "phases=[{name:all,steps:3,batch_size:4,weights:{attribute:1,reasoning:1,stress:1,comparative:1}}]"


def command(*words: object, expect: int = 0, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run one of our commands in `cwd` and check its exit status."""
    program, *arguments = (str(word) for word in words)
    environment = {"PATH": "/usr/bin:/bin", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "HOME": str(cwd)}
    done = subprocess.run(
        [str(BIN / program), *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == expect, done.stderr[-2000:]
    return done


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, run_stage: Stage) -> Path:
    """A finished small pipeline run: 4 voices, 2 sentences, 9 emotions."""
    home = tmp_path_factory.mktemp("pipeline")
    command("trainer", "stage=demo_corpus", "out=corpus", "voices=4", "sentences=2", cwd=home)
    annotate = ["annotator", "run", "--local", "--corpus=demo", "--root=corpus", "--out=annotated", "--comparative=2"]
    command(*annotate, cwd=home)
    cold = ["stage=cold_start", "data=annotated", "out=cold_start", "reasoning_share=0.5"]
    few = ["perception_steps=2", STEPS]
    command("trainer", *cold, *TINY, *few, cwd=home)
    run_stage("stage=full_sft", "data=annotated", "out=sft", *TINY, *few, cwd=home)
    shared = ["data=annotated", "policy=sft"]
    run_stage("stage=reward", *shared, "out=reward", "epochs=2", "batch_size=8", "text_clips=4", cwd=home)
    small = ["steps=3", "prompts_per_step=2", "group_size=3", "max_new_tokens=12", "reward_model=reward"]
    gate = ["schedule.threshold=0", "schedule.window=1"]
    for algorithm in ("grpo", "grpo_ptr"):
        parts = ["train=[lora]", "lora_rank=4"] if algorithm == "grpo" else []
        words = ["stage=grpo", f"algorithm={algorithm}", f"out={algorithm}", *shared, *small, *gate, *parts]
        run_stage(*words, cwd=home)
    policies = [f"policies.{name}={name}" for name in POLICIES]
    evaluate = ["stage=evaluate", "data=annotated", "reward_model=reward", "out=evaluate", "limit=8"]
    command("trainer", *evaluate, *policies, cwd=home)
    command("trainer", "stage=report", "run=.", "out=report.html", cwd=home)
    return home


def test_the_corpus_is_crossed_split_by_voice_and_marked_synthetic(run: Path) -> None:
    """4 voices x 2 sentences x 9 emotions = 72 clips; no voice is on both sides."""
    utterances = list(read_jsonl(run / "corpus" / "manifest.jsonl", Utterance))
    assert len(utterances) == 72
    assert all(u.synthetic for u in utterances)
    sides = [{u.speaker_id for u in utterances if u.split == split} for split in ("train", "test")]
    assert all(sides)
    assert not sides[0] & sides[1]


def test_every_written_reason_is_supported_by_its_own_measurement(run: Path) -> None:
    """The rule generator claims only what was measured, so no claim of a trace may be contradicted."""
    traces = list(read_jsonl(run / "annotated" / "traces.jsonl", ReasoningTrace))
    verdicts = {claim.verdict for trace in traces for claim in trace.claims}
    assert len(traces) == len(list(read_jsonl(run / "annotated" / "measured.jsonl", MeasuredUtterance)))
    assert verdicts == {Verdict.SUPPORTED}


@pytest.mark.parametrize(("folder", "stage"), [("cold_start", "sft"), *[(n, n) for n in ("sft", "grpo", "grpo_ptr")]])
def test_a_policy_folder_says_what_it_was_trained_for(run: Path, folder: str, stage: str) -> None:
    """The card names label set, corpus and stage, and that the speech was synthetic; weights are safetensors."""
    card = json.loads((run / folder / "policy.json").read_text())
    assert (card["label_set"], card["corpus"], card["stage"], card["synthetic"]) == ("PAPER_9", "demo", stage, True)
    assert {"model.safetensors", "scale.json", HISTORY} <= {p.name for p in (run / folder).iterdir()}
    assert not [p for p in (run / folder).iterdir() if p.suffix in {".bin", ".pt", ".ckpt", ".pkl"}]


def test_reasoning_rewards_enter_grpo_ptr_alone(run: Path) -> None:
    """With threshold 0 the gate is open from the first step; GRPO has no gate and no reasoning reward."""
    gated = read_history(run / "grpo_ptr" / HISTORY)
    plain = read_history(run / "grpo" / HISTORY)
    assert [row["gate"] for row in gated] == [1.0, 1.0, 1.0]
    assert all("trust_mean" in row for row in gated)
    assert not any("trust_mean" in row or row["gate"] for row in plain)


def test_evaluation_holds_policies_baselines_and_differences(run: Path) -> None:
    """Four policies give six pairs, and each answers with and without reasons; text alone and shuffled audio stand
    beside the baselines.
    """
    result = json.loads((run / "evaluate" / "evaluation.json").read_text())
    assert [p["name"] for p in result["policies"]] == list(POLICIES)
    assert len(result["comparisons"]) == 6
    for policy in result["policies"]:
        reasoned, alone, gain = (policy[key]["accuracy"]["value"] for key in ("evaluation", "label_only", "label_gain"))
        assert policy["evaluation"]["clips"] == policy["label_only"]["clips"] == 8
        assert gain == pytest.approx(alone - reasoned)
        assert len((run / "evaluate" / f"{policy['name']}.labels.jsonl").read_text().splitlines()) == 8
    assert {"majority", "prosody", "text", "shuffled_audio"} <= set(result["baselines"])
    assert result["synthetic"] is True


def test_the_report_is_one_page_that_says_the_speech_is_synthetic(run: Path) -> None:
    """Self-contained: no address of anything elsewhere may stand in an attribute."""
    page = (run / "report.html").read_text()
    assert "synthetic" in page
    assert 'src="http' not in page
    assert "data:audio/" in page


def test_a_held_out_clip_is_explained(run: Path) -> None:
    """One JSON object with the measured profile, in which the transcript's words have been placed in the clip."""
    clip = next(u for u in read_jsonl(run / "corpus" / "manifest.jsonl", Utterance) if u.split == "test")
    words = ["explainer", "explain", f"corpus/{clip.audio_path}", "--checkpoint", "grpo_ptr", "--json"]
    done = command(*words, "--transcript", clip.transcript, cwd=run)
    (line,) = done.stdout.splitlines()
    explained = json.loads(line)
    assert explained["policy"]["synthetic"] is True
    assert explained["profile"]["duration_s"] > 0.5
    assert explained["profile"]["stressed_words"] is not None


def test_bad_checkpoints_and_settings_end_with_one_clear_line(run: Path, run_stage: Stage) -> None:
    """Each names the folder or setting that is wrong."""
    for words, said in (
        (["stage=sft", "data=nowhere", "out=x"], "nowhere"),
        (["stage=grpo", "data=annotated", "policy=annotated", "out=x", "algorithm=grpo"], "annotated"),
        (["stage=grpo", "data=annotated", "policy=sft", "out=x", "reward_model=sft"], "reward"),
        (["stage=grpo", "data=annotated", "policy=sft", "out=x"], "algorithm=grpo_ptr needs reward_model=DIR"),
        (["stage=sft", "data=annotated", "out=x", "learnin_rate=1"], "learnin_rate"),
        (["stage=sft", "data=annotated", "out=x", "+learnin_rate=1"], "unknown setting learnin_rate"),
        (["stage=track", "out=corpus"], "corpus is not the output directory of a training"),
        (["stage=dream"], "dream"),
    ):
        last = run_stage(*words, cwd=run, expect=2).strip().splitlines()[-1]
        assert last.startswith("trainer: ")
        assert said in last
    assert command("trainer", "stage=dream", expect=2, cwd=run).stderr.startswith("trainer: ")


@pytest.mark.slow
def test_a_killed_command_goes_on_and_ends_as_if_it_had_not_been(run: Path) -> None:
    """The same GRPO-PTR run twice: one is killed at a random step that its history shows, and started again. The two
    checkpoints hold the same weights; nothing of the stopped state is left."""
    small = ["steps=30", "prompts_per_step=2", "group_size=3", "max_new_tokens=12", "overlong_buffer=12"]
    words = ["stage=grpo", "data=annotated", "policy=sft", "reward_model=reward", "save_every=1", *small]
    environment = {"PATH": "/usr/bin:/bin", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "HOME": str(run)}
    killed = subprocess.Popen([str(BIN / "trainer"), *words, "out=killed"], cwd=run, env=environment)
    history, lines = run / "killed" / HISTORY, random.Random(15).randrange(2, 9)
    while killed.poll() is None and (not history.is_file() or history.read_bytes().count(b"\n") < lines):
        time.sleep(0.02)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    assert (run / "killed" / "resume" / "state.json").is_file()
    for out in ("killed", "whole"):
        command("trainer", *words, f"out={out}", cwd=run)
        assert len(read_history(run / out / HISTORY)) == 30
        assert not (run / out / "resume").exists()
    weights = [(run / out / "model.safetensors").read_bytes() for out in ("killed", "whole")]
    assert weights[0] == weights[1]
    assert weights[0] != (run / "sft" / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_the_ablation_trains_all_rows_and_writes_its_table(run: Path, tmp_path: Path) -> None:
    """Eight rows; of baseline 1, which is a random model here, there is nothing to report."""
    size = dict(word.removeprefix("model.").split("=") for word in TINY)
    phase = {"name": "all", "steps": 2, "batch_size": 2, "weights": {"attribute": 1, "reasoning": 1}}
    grpo = {"steps": 2, "prompts_per_step": 2, "group_size": 2, "max_new_tokens": 8}
    config = {
        "name": "ablation", "data": str(run / "annotated"), "out": str(tmp_path / "ablation"), "seeds": [0],
        "model": {"preset": "pocket"} | {name: int(value) for name, value in size.items()},
        "sft": {"phases": [phase]}, "grpo": grpo, "evaluate": {"limit": 4},
        "reward": {"epochs": 1, "batch_size": 8, "text_clips": 4},
    }  # fmt: skip
    (tmp_path / "ablation.json").write_text(json.dumps(config))
    command("python", "-m", "trainer.stages", tmp_path / "ablation.json", cwd=run)
    lines = (tmp_path / "ablation" / "ablation.md").read_text().splitlines()
    assert len(lines) == 2 + 8
    assert lines[2].endswith("| – | – | – |")
    assert all("(" in line for line in lines[3:])


@pytest.fixture(scope="module")
def donors(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A Whisper encoder and a Llama with random weights, each as it lies on the hub."""
    folder = tmp_path_factory.mktemp("donors")
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>").save_pretrained(folder / "text")
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16}
    llama = LlamaConfig(vocab_size=300, hidden_size=32, intermediate_size=64, num_hidden_layers=1, **heads)
    LlamaForCausalLM(llama).save_pretrained(folder / "text")
    width = {"d_model": 32, "encoder_ffn_dim": 64, "encoder_attention_heads": 2, "encoder_layers": 1}
    WhisperEncoder(WhisperConfig(num_mel_bins=16, **width)).save_pretrained(folder / "audio")
    return folder / "audio", folder / "text"


def train_on_a_graft(run: Path, home: Path, audio: Path, text: Path, *words: str) -> dict[str, Any]:
    """SFT of a graft on a copy of the run's data set, whose features are another model's; its configuration."""
    shutil.copytree(run / "annotated", home / "annotated")
    halves = [f"model.audio={audio}", f"model.text={text}"]
    stage = ["stage=sft", "model=compact", f"data={home / 'annotated'}", f"out={home / 'graft'}", *halves, *words]
    command("trainer", *stage, cwd=run)
    config: dict[str, Any] = json.loads((home / "graft" / "config.json").read_text())
    return config


@pytest.mark.slow
def test_sft_starts_from_a_graft(run: Path, donors: tuple[Path, Path], tmp_path: Path) -> None:
    """The checkpoint has the towers of both donors and the message before every turn; its record names what was
    trained, and LoRA, merged when it was written, is the language model's."""
    features = ["model.num_mel_bins=16", "model.system=Listen."]
    perception = ["perception_steps=2", "perception_batch_size=4", "time_mask_share=0.3", "learning_rates.heads=1e-3"]
    words = [*features, STEPS, "train=[adapter,lora]", "gradient_checkpointing=true", *perception]
    config = train_on_a_graft(run, tmp_path, *donors, *words)
    assert (config["audio_config"]["d_model"], config["text_config"]["num_hidden_layers"]) == (32, 1)
    assert config["system_message"] == "Listen."
    assert json.loads((tmp_path / "graft" / "checkpoint.json").read_text())["trained"] == ["adapter", "llm"]
    history = read_history(tmp_path / "graft" / HISTORY)
    assert [("perception_loss" in row, "loss" in row) for row in history] == [(True, False)] * 2 + [(False, True)] * 3


@pytest.mark.corpus
@pytest.mark.slow
def test_sft_starts_from_whisper_base_and_smollm2(run: Path, tmp_path: Path) -> None:
    """Pretrained donors: 6 layers of 512 and 30 of 576; two steps, to see that they are taken."""
    pytest.importorskip("gguf")
    pytest.importorskip("accelerate")
    shared = Path(os.environ.get("EMOTIONTHINKER_SHARED", "../shared")).resolve()
    if not (shared / "models").is_dir():
        pytest.skip(f"no {shared / 'models'}")
    text = tmp_path / "smollm2"
    subprocess.run([sys.executable, str(shared / "tools" / "smollm2_to_hf.py"), str(text)], check=True)
    phase = "phases=[{name:all,steps:2,batch_size:2,weights:{attribute:1}}]"
    config = train_on_a_graft(
        run, tmp_path, shared / "models" / "whisper-base-encoder", text, phase, "learning_rate=1e-5"
    )
    assert (config["audio_config"]["d_model"], config["audio_config"]["encoder_layers"]) == (512, 6)
    assert (config["text_config"]["hidden_size"], config["text_config"]["num_hidden_layers"]) == (576, 30)
    assert len(read_history(tmp_path / "graft" / HISTORY)) == 2
