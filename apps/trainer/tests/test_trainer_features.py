"""Features are of the clip that was annotated: its part of the file, its channel."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file

from cotgen.dataset import BuildConfig, Source, build
from cotgen.generation import RuleGenerator
from cotgen.tasks import Task, TaskConfig
from speech_records import PAPER_9, Emotion, MeasuredUtterance, ProsodyProfile, Utterance, write_jsonl
from speechlm import FeatureSpec, log_mel
from trainer import features
from trainer.dataset import AnnotatedCorpus, AudioClip
from trainer.errors import DataSetError

RATE = 16_000


def corpus(root: Path, *utterances: Utterance) -> AnnotatedCorpus:
    """A data set of these utterances, as `cotgen build` writes it: reasoning alone, since nothing was measured."""
    measured = [
        MeasuredUtterance(replace(u, emotion=Emotion.SAD), ProsodyProfile((u.end_s or 0.0) - (u.start_s or 0.0), RATE))
        for u in utterances
    ]
    write_jsonl(root / "measured.jsonl", measured)
    (root / "scale.json").write_text("{}")
    source = Source(root / "measured.jsonl", audio_root=str(root), scale=root / "scale.json")
    config = BuildConfig(TaskConfig(PAPER_9, "what?", 0))
    build(source, root / "annotated", config, generator=RuleGenerator(PAPER_9, seed=0))
    return AnnotatedCorpus.read(root / "annotated")


@pytest.mark.slow
def test_features_are_of_the_part_that_was_measured(tmp_path: Path) -> None:
    """Truth: the features of the second second of the right channel, written to a file of its own."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (3 * RATE, 2)).astype(np.float32)
    soundfile.write(tmp_path / "talk.wav", noise, RATE, subtype="FLOAT")
    talk = corpus(tmp_path, Utterance("u1", "made", "talk.wav", "b", start_s=1.0, end_s=2.0, channel=1))
    clip = talk.audio_clips()["u1"]
    assert clip == AudioClip(tmp_path / "talk.wav", 1.0, 2.0, 1, talk.sha256)
    spec = FeatureSpec()
    expected = log_mel(np.ascontiguousarray(noise[RATE : 2 * RATE, 1]), spec).half()
    found, failed = features.load_features({"u1": clip}, tmp_path / "f", spec=spec, workers=1)
    assert torch.equal(found["u1"], expected)
    assert failed == []


@pytest.mark.slow
def test_features_of_another_part_or_file_are_not_used(tmp_path: Path) -> None:
    """Two parts of one file, then another file, under one key: each is extracted, and then read without the file."""
    rng = np.random.default_rng(1)
    soundfile.write(tmp_path / "a.wav", rng.uniform(-0.5, 0.5, 2 * RATE), RATE)

    def frames(clip: AudioClip) -> int:
        found, _ = features.load_features({"u1": clip}, tmp_path / "f", spec=FeatureSpec(), workers=1)
        return int(found["u1"].shape[-1])

    whole = frames(AudioClip(tmp_path / "a.wav", sha256="first"))
    half = frames(AudioClip(tmp_path / "a.wav", end_s=1.0, sha256="first"))
    assert whole == 2 * half
    soundfile.write(tmp_path / "a.wav", rng.uniform(-0.5, 0.5, 3 * RATE), RATE)
    assert 2 * frames(AudioClip(tmp_path / "a.wav", sha256="second")) == 3 * whole
    (tmp_path / "a.wav").unlink()
    assert frames(AudioClip(tmp_path / "a.wav", sha256="first")) == whole


@pytest.mark.slow
def test_shards_are_read_as_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven clips in shards of about one, of which one may be open: all are what `log_mel` makes of them, mapped from
    the files, and an eighth clip leaves the shards as they are but for its own."""
    monkeypatch.setattr(features, "CLIPS_PER_SHARD", 1)
    monkeypatch.setattr(features, "OPEN_SHARDS", 1)
    rng = np.random.default_rng(4)
    sound = {f"u{i}": rng.uniform(-0.5, 0.5, RATE).astype(np.float32) for i in range(8)}
    for name, samples in sound.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE, subtype="FLOAT")
    clips = {name: AudioClip(tmp_path / f"{name}.wav", sha256=name) for name in sound}
    less = dict(list(clips.items())[:7])
    features.load_features(less, tmp_path / "f", spec=FeatureSpec(), workers=2)
    first = {path.name for path in (tmp_path / "f").iterdir()}
    found, failed = features.load_features(clips, tmp_path / "f", spec=FeatureSpec(), workers=2)
    assert (sorted(found), failed) == (sorted(sound), [])
    for name, samples in sound.items():
        assert torch.equal(found[name], log_mel(samples, FeatureSpec()).half())
    assert len({path.name for path in (tmp_path / "f").iterdir()} - first) == 1


def test_features_that_another_process_extracts_are_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever comes while the folder is locked says once that it waits, and takes what was written meanwhile: there is
    no audio to extract from. Who locked it first waits for nobody and says nothing.
    """
    clips = {"u1": AudioClip(tmp_path / "not-there.wav")}
    (shard,) = features._plan_shards(clips, tmp_path / "f", FeatureSpec())
    with ThreadPoolExecutor(1) as pool:
        with features._locked(tmp_path / "f"):
            waiting = pool.submit(features.load_features, clips, tmp_path / "f", spec=FeatureSpec(), workers=1)
            end = time.monotonic() + 10
            while not (said := capsys.readouterr().err) and time.monotonic() < end:
                time.sleep(0.01)
            assert said == f"trainer: waiting for another process that extracts features into {tmp_path / 'f'}\n"
            assert wait([waiting], timeout=0.2).not_done
            save_file({"u1": torch.ones(2, 3)}, shard.path, metadata={"failed": "[]"})
        found, failed = waiting.result()
    assert (found["u1"].tolist(), failed) == ([[1.0] * 3] * 2, [])
    assert "waiting" not in capsys.readouterr().err


@pytest.mark.slow
def test_a_script_that_does_not_guard_its_main_module_ends_with_what_to_do(tmp_path: Path) -> None:
    """The process that extracts imports the script, and would wait without end for the lock that its parent holds."""
    (tmp_path / "script.py").write_text(
        "from pathlib import Path\n"
        "from speechlm import FeatureSpec\n"
        "from trainer.dataset import AudioClip\n"
        "from trainer.features import load_features\n"
        'load_features({"u1": AudioClip(Path("u1.wav"))}, Path("f"), spec=FeatureSpec(), workers=1)\n'
    )
    words = [sys.executable, "script.py"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert 'guard the call with `if __name__ == "__main__":`' in done.stderr.splitlines()[-1]
    assert "waiting" not in done.stderr


@pytest.mark.slow
def test_a_silent_clip_is_left_out_by_name(tmp_path: Path) -> None:
    """Samples of −86 dB are what a muted recorder leaves; a faint voice of −60 dB is kept."""
    rng = np.random.default_rng(5)
    for name, peak in {"muted": 5e-5, "faint": 1e-3}.items():
        soundfile.write(tmp_path / f"{name}.wav", rng.uniform(-peak, peak, RATE), RATE, subtype="FLOAT")
    clips = {name: AudioClip(tmp_path / f"{name}.wav") for name in ("muted", "faint")}
    found, (item,) = features.load_features(clips, tmp_path / "f", spec=FeatureSpec(), workers=1)
    assert (list(found), item.id) == (["faint"], "muted")
    assert "silent" in item.message


@pytest.mark.slow
def test_a_clip_longer_than_the_model_takes_is_left_out_by_name(tmp_path: Path) -> None:
    """One clip of 33.6 s between two of one second: only it is left out, from the cache too, with its examples."""
    rng = np.random.default_rng(2)
    seconds = {"u1": 1.0, "u2": 33.6, "u3": 1.0}
    for name, length in seconds.items():
        soundfile.write(tmp_path / f"{name}.wav", rng.uniform(-0.5, 0.5, int(length * RATE)), RATE)
    whole = corpus(tmp_path, *(Utterance(name, "made", f"{name}.wav", "s", split="train") for name in seconds))
    for _ in range(2):  # extracted, then from the cache
        found, failed = features.load_features(whole.audio_clips(), tmp_path / "f", spec=FeatureSpec(), workers=1)
        assert sorted(found) == ["u1", "u3"]
        (item,) = failed
        assert (item.id, item.stage) == ("u2", "features")
        assert "to 30 s" in item.message
    rest = features.without_failed(whole, failed)
    assert [m.utterance.utterance_id for m in rest.split("train")] == ["u1", "u3"]
    assert [t.utterance_id for t in rest.traces("train")] == ["u1", "u3"]
    asked = [(e.utterance_id, e.task) for e in rest.examples("train")]
    assert asked == [(name, task) for name in ("u1", "u3") for task in (Task.REASONING, Task.LABEL)]


@pytest.mark.slow
def test_a_clip_that_kills_its_process_is_left_out_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of three clips kills the process that decodes it, as a native decoder may: the rest is there."""
    rng = np.random.default_rng(3)
    for name in ("u1", "u2", "u3"):
        soundfile.write(tmp_path / f"{name}.wav", rng.uniform(-0.5, 0.5, RATE), RATE)
    (tmp_path / "sitecustomize.py").write_text(
        "import os, prosody\nreal = prosody.load_audio\n"
        "def load_audio(path, **options):\n"
        "    return os.kill(os.getpid(), 9) if path.stem == 'u2' else real(path, **options)\n"
        "prosody.load_audio = load_audio\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    clips = {name: AudioClip(tmp_path / f"{name}.wav") for name in ("u1", "u2", "u3")}
    found, failed = features.load_features(clips, tmp_path / "f", spec=FeatureSpec(), workers=2)
    assert sorted(found) == ["u1", "u3"]
    assert [(item.id, item.error) for item in failed] == [("u2", "WorkerDiedError")]


def test_nothing_in_a_split_says_how_to_make_folds(tmp_path: Path) -> None:
    """A corpus without a split has no unseen speakers: the message has the command that splits by speaker."""
    unsplit = corpus(tmp_path, Utterance("u1", "made", "a.wav", "s", end_s=1.0))
    missing = next(name for name in ("train", "test") if name not in unsplit.data.description["counts"]["splits"])
    for read in (unsplit.split, unsplit.examples):
        with pytest.raises(DataSetError, match=f"no row in split '{missing}'; its splits are: ") as caught:
            read(missing)
        assert "`speech-corpora manifest made ROOT -o ROOT/manifest.jsonl --fold 1/5`" in str(caught.value)
