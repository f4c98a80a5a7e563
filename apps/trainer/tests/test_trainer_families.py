"""What SFT is asked to learn, and what is left out of it by name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cotgen.dataset import BuildConfig, Source, build
from cotgen.generation import RuleGenerator
from cotgen.tasks import SFTExample, Task, TaskConfig
from speech_records import PAPER_9, Emotion, MeasuredUtterance, ProsodyProfile, Utterance, read_jsonl, write_jsonl
from speechlm import PocketSize, load_preset, train_only
from trainer.curriculum import Phase
from trainer.dataset import AnnotatedCorpus
from trainer.errors import ConfigError
from trainer.families import described, read_texts, split_examples, without_data
from trainer.settings import SFTSettings, SFTStage
from trainer.settings.reading import read_settings
from trainer.sft import train_sft

TEXT = "kids are talking by the door"
WEIGHTS = dict.fromkeys((Task.ASR, Task.LABEL, Task.REASONING, Task.TEXT, Task.STRESS), 1.0)


def corpus(root: Path) -> AnnotatedCorpus:
    """Four clips of a second; the transcript of the third has thirty words, which nobody says in it."""
    said = [TEXT, TEXT, " ".join(TEXT.split() * 5), ""]
    clips = [
        MeasuredUtterance(
            Utterance(f"u{i}", "made", f"u{i}.wav", "s", Emotion.SAD, transcript=text, split="train"),
            ProsodyProfile(1.0, 16_000),
        )
        for i, text in enumerate(said)
    ]
    write_jsonl(root / "measured.jsonl", clips)
    (root / "scale.json").write_text("{}")
    source = Source(root / "measured.jsonl", audio_root=str(root), scale=root / "scale.json")
    build(source, root / "data", BuildConfig(TaskConfig(PAPER_9, "?", 0)), generator=RuleGenerator(PAPER_9, seed=0))
    return AnnotatedCorpus.read(root / "data")


def broken(data: AnnotatedCorpus, *examples: SFTExample) -> AnnotatedCorpus:
    """The data set with `examples` in its file: what only a file of others holds, as `cotgen` writes none of them."""
    kept = list(read_jsonl(data.folder / "sft.jsonl", SFTExample))
    write_jsonl(data.folder / "sft.jsonl", [*kept, *examples])
    return data


def texts(root: Path) -> Path:
    path = root / "texts.jsonl"
    path.write_text("".join(json.dumps({"question": f"Say {i}.", "answer": f"It is {i}."}) + "\n" for i in range(3)))
    return path


def test_transcripts_and_texts_are_families(tmp_path: Path) -> None:
    """Two clips have a transcript that fits, one has none; texts are about no clip."""
    found, failed = split_examples(corpus(tmp_path), "train", [Phase("a", 1, 1, WEIGHTS)], texts(tmp_path))
    spoken = [e for e in found if e.task is Task.ASR]
    assert [(e.utterance_id, e.target) for e in spoken] == [("u0", TEXT), ("u1", TEXT)]
    assert [(e.question, e.target, e.utterance_id) for e in found if e.task is Task.TEXT] == [
        (f"Say {i}.", f"It is {i}.", "") for i in range(3)
    ]
    assert [(item.id, "cannot be said in 1.00 s" in item.message) for item in failed] == [("u2/asr", True)]


@pytest.mark.parametrize(
    ("task", "change", "why"),
    [
        (Task.LABEL, {"target": "melancholic"}, "its label 'melancholic' is not one of PAPER_9"),
        (
            Task.REASONING,
            {"target": "<think>…</think><answer>odd</answer>"},
            "its label 'odd' is not one of PAPER_9",
        ),
        (Task.REASONING, {"target": "no form"}, "its label None is not one of PAPER_9"),
        (Task.LABEL, {"audio_path": "u1.wav"}, "its clip is u1.wav, that of its utterance is u0.wav"),
        (Task.LABEL, {"utterance_id": "u9"}, "its utterance 'u9' is not in its split"),
        (Task.STRESS, {"target": "window"}, "its stressed word 'window' is not in the transcript of its clip"),
        (Task.COMPARATIVE, {"target": "low, low, high"}, "its variants are equal: 'low, low, high'"),
    ],
)
def test_what_cannot_be_right_is_left_out_by_name(tmp_path: Path, task: Task, change: dict[str, str], why: str) -> None:
    """Each is one example of a file that another program wrote; the others stay."""
    good = SFTExample("u0/odd", task, "u0", "u0.wav", "what?", "sad", "train")
    data = broken(corpus(tmp_path), replace(good, **change))
    found, failed = split_examples(data, "train", [Phase("a", 1, 1, {t: 1.0 for t in Task if t is not Task.ASR})], None)
    assert [(item.id, item.message) for item in failed] == [("u0/odd", why)]
    assert {e.task for e in found} == {Task.LABEL, Task.REASONING}


def test_a_family_without_data_is_named(tmp_path: Path) -> None:
    """No clip knows a stressed word, and no file of texts is given."""
    phases = [Phase("a", 1, 1, WEIGHTS)]
    found, _ = split_examples(corpus(tmp_path), "train", phases, None)
    assert without_data(found, phases) == [Task.TEXT, Task.STRESS]


@pytest.mark.parametrize(
    ("content", "message"),
    [('{"question": "a"}', ":1: expected an object"), ('{"question": "a", "answer": " "}', ":1: .* not be empty"),
     ("{", "does not hold texts"), ("[1]", ":1: expected an object")],
)  # fmt: skip
def test_a_file_that_holds_no_texts_is_refused(tmp_path: Path, content: str, message: str) -> None:
    """Before anything is trained."""
    (tmp_path / "t.jsonl").write_text(content)
    with pytest.raises(ConfigError, match=message):
        read_texts(tmp_path / "t.jsonl")
    with pytest.raises(ConfigError, match="does not hold texts"):
        read_texts(tmp_path / "missing.jsonl")


def test_unknown_weights_are_refused() -> None:
    """A family of that name does not exist."""
    phase = {"name": "a", "steps": 1, "batch_size": 1, "weights": {"laughter": 1.0}}
    with pytest.raises(ConfigError, match="laughter"):
        read_settings(SFTStage, {"name": "sft", "data": "d", "out": "o", "phases": [phase]})


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # Lightning, about itself
def test_a_run_says_what_it_learns_from_and_learns_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Six steps of two: every family is drawn, two clips of 50 and 100 frames of 20 ms are 3 s; a text has no clip. The
    tokens of the texts are the tokenizer's own count."""
    data = corpus(tmp_path)
    size = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16, hop_samples=320)
    model = load_preset("pocket", seed=0, size=size, texts=[TEXT, "It is 2. Say sad"], vocab_size=280)
    features = {f"u{i}": torch.rand(16, 50 * (1 + i % 2)) for i in range(4)}
    phases = (Phase("a", 6, 2, {Task.TEXT: 1.0}), Phase("b", 6, 2, {Task.ASR: 1.0}))
    settings = SFTSettings(phases=phases, texts=str(texts(tmp_path)), save_every=0)
    module = train_sft(model, data, features, settings, out=tmp_path / "out")
    assert [row["step"] for row in module.history] == list(range(1, 13))
    said = capsys.readouterr().err
    assert "12 steps, 12 of them on texts; 2 clips, 0.001 hours of audio" in said
    assert "left out: u2/asr" in said
    examples = read_texts(texts(tmp_path))
    plan = [[examples[0], examples[1]], [examples[0], examples[2]]]
    counted = [len(model.tokenizer(f"{e.question}{e.target}", add_special_tokens=False)["input_ids"]) for e in examples]
    assert described(plan, features, model, steps=2).splitlines()[1].split() == [
        "text", "3", "examples", "4", "drawn", str(2 * counted[0] + counted[1] + counted[2]), "tokens",
    ]  # fmt: skip


def test_texts_need_a_language_model_to_train(tmp_path: Path) -> None:
    """Text does not pass through the adapter: the run is refused before its first step, not in the middle of it."""
    data = corpus(tmp_path)
    size = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)
    model = load_preset("pocket", seed=0, size=size, texts=[TEXT], vocab_size=280)
    train_only(model, ["adapter"])
    settings = SFTSettings(phases=(Phase("a", 1, 1, {Task.TEXT: 1.0}),), texts=str(texts(tmp_path)))
    with pytest.raises(ConfigError, match=r"set without=\[text\]"):
        train_sft(model, data, {}, settings, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
