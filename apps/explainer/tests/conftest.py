"""A real policy small enough to be trained here: a one-layer pocket model that learns one answer by heart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from policy import sequence_logprobs
from prosody import LevelScale, analyze
from speech_records import PAPER_9, Emotion, LabelSet, emotion_question, label_question
from speechlm import PocketSize, SpeechLM, load_checkpoint, log_mel, pocket, save_checkpoint, train_tokenizer

RATE = 16_000
THINK = 'The pitch is high. The pitch is low. The speaker says "leave it by the door".'
ANSWER = f"<think>{THINK}</think><answer>angry</answer>"


def voice(f0_hz: float, *, seconds: float = 1.5, amplitude: float = 0.2) -> NDArray[np.float32]:
    """Twelve harmonics of `f0_hz`, four syllables a second, 150 ms of silence at both ends."""
    t = np.arange(int(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * k * f0_hz * t) / k for k in range(1, 13))
    spoken = amplitude * tone * (0.55 - 0.45 * np.cos(2 * np.pi * 4 * t))
    silence = np.zeros(int(0.15 * RATE))
    return np.concatenate([silence, spoken, silence]).astype(np.float32)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices this small gain nothing from a second thread, and lose much where cores are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def scale() -> LevelScale:
    """Median pitch from 100 to 200 Hz in 21 clips: 240 Hz lies above all of them."""
    profiles = [analyze(voice(f0), RATE) for f0 in np.linspace(100, 200, 21)]
    return LevelScale.fit([(profile, None) for profile in profiles], name="tones")


@pytest.fixture(scope="session")
def answer() -> str:
    return ANSWER


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A voice at 240 Hz."""
    path = tmp_path_factory.mktemp("clips") / "high.wav"
    soundfile.write(path, voice(240.0), RATE)
    return path


@pytest.fixture(scope="session")
def random_model() -> SpeechLM:
    tokenizer = train_tokenizer([ANSWER, emotion_question(PAPER_9)], vocab_size=360)
    size = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1)
    return pocket(tokenizer, seed=0, size=size)


def write_checkpoint(folder: Path, model: SpeechLM, scale: LevelScale, **card: object) -> Path:
    """A policy's folder, as the trainer writes it; `card` overrides entries of `policy.json`."""
    save_checkpoint(model, folder)
    scale.save(folder / "scale.json")
    entries = {"label_set": "PAPER_9", "corpus": "demo", "stage": "grpo_ptr", "synthetic": True, "seed": 0}
    (folder / "policy.json").write_text(json.dumps(entries | card))
    return folder


@pytest.fixture(scope="session")
def babbling(tmp_path_factory: pytest.TempPathFactory, random_model: SpeechLM, scale: LevelScale) -> Path:
    """The checkpoint of a policy with random weights: its answers have no form. Trained on "real" speech."""
    return write_checkpoint(tmp_path_factory.mktemp("babbling"), random_model, scale, synthetic=False)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, babbling: Path, scale: LevelScale, clip: Path) -> Path:
    """The checkpoint of a policy that answers the clip at 240 Hz with `ANSWER`, asked for nine labels or for two, and
    with "angry", asked for the label alone.
    """
    model = load_checkpoint(babbling)
    features = log_mel(soundfile.read(clip, dtype="float32")[0], model.features)
    sad_or_happy = LabelSet("SAD_OR_HAPPY", (Emotion.SAD, Emotion.HAPPY))
    questions = [emotion_question(PAPER_9), emotion_question(sad_or_happy), label_question(PAPER_9)]
    batch = model.collate([features] * 3, questions, [ANSWER, ANSWER, "angry"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(300):
        logprobs = sequence_logprobs(model, batch)
        loss = -logprobs.sum() / batch.completion_mask.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if logprobs.min() > -0.2:  # every token has a probability above 0.8: greedy decoding must follow them
            break
    return write_checkpoint(tmp_path_factory.mktemp("trained"), model, scale)
