"""Speaks all clips of one voice into a folder; what one worker process does."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from speech_records import Emotion
from trainer.demo_corpus.design import STRESS_DB, STRESS_RATE, Delivery, draw
from trainer.demo_corpus.espeak import PITCH_STEPS, RATE_WPM, ST_PER_PITCH_STEP, Espeak, ssml
from trainer.demo_corpus.sound import SAMPLE_RATE, Recording, draw_recording, record
from trainer.demo_corpus.texts import content_words
from trainer.demo_corpus.voices import Voice

NEUTRAL_WPM = 205
"""Rate that makes the sentences 1 to 2 s long."""
_INTONATION = 20
"""Share of espeak-ng's own intonation (50 is its habit) left inside the words; the contour over the words is ours."""
_VOLUME = 60
"""Amplitude of unstressed words, so low that a stressed one does not clip."""


@dataclass(frozen=True, slots=True)
class Task:
    """One voice's share of the corpus: it says every sentence in every emotion, in this order."""

    voice: Voice
    voice_number: int
    sentences: tuple[str, ...]
    emotions: tuple[Emotion, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Clip:
    """A finished clip: its file, what was drawn for it, and the hash of its bytes."""

    file: str
    sentence: int
    emotion: Emotion
    delivery: Delivery
    recording: Recording
    sha256: str


def speak_voice(task: Task, folder: Path) -> list[Clip]:
    """Write the clips of `task` as FLAC files into `folder`, which exists.

    Each clip has a random generator of its own. To be called once in a fresh process: espeak-ng carries state from
    call to call, and only the same calls from the start give the same bytes.
    """
    espeak = Espeak()
    espeak.use_voice(task.voice.espeak_name)
    clips = []
    for sentence, text in enumerate(task.sentences):
        for number, emotion in enumerate(task.emotions):
            generator = np.random.default_rng([task.seed, task.voice_number, sentence, number])
            delivery = draw(emotion, content_words(text), generator=generator)
            recording = draw_recording(generator)
            samples = record(
                say(espeak, task.voice, text.split(), delivery=delivery, seed=int(generator.integers(2**31))),
                espeak.sample_rate,
                energy_db=delivery.energy_db,
                whispered=delivery.whispered,
                recording=recording,
                generator=generator,
            )
            flac = io.BytesIO()  # soundfile waits for the disk after every file that it writes itself
            soundfile.write(flac, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
            name = f"{task.voice.voice_id}_{sentence + 1:02d}_{emotion.value}.flac"
            (folder / name).write_bytes(flac.getvalue())
            digest = hashlib.sha256(flac.getvalue()).hexdigest()
            clips.append(Clip(name, sentence, emotion, delivery, recording, digest))
    return clips


def say(espeak: Espeak, voice: Voice, words: list[str], *, delivery: Delivery, seed: int) -> NDArray[np.float32]:
    """The samples, at the rate of `espeak`, in which `voice` says `words` with the prosody of `delivery`."""
    steps = [voice.rest_pitch + st / ST_PER_PITCH_STEP for st in delivery.word_pitches_st(len(words))]
    rates, volumes = [100] * len(words), [_VOLUME] * len(words)
    rates[delivery.stressed_word] = round(100 * STRESS_RATE**delivery.emphasis)
    volumes[delivery.stressed_word] = round(_VOLUME * 10 ** (STRESS_DB * delivery.emphasis / 20))
    return espeak.speak(
        ssml(words, pitches=[round(float(np.clip(s, *PITCH_STEPS))) for s in steps], rates=rates, volumes=volumes),
        rate_wpm=round(float(np.clip(NEUTRAL_WPM * delivery.rate, *RATE_WPM))),
        pitch_range=_INTONATION,
        volume=_VOLUME,
        seed=seed,
    )
