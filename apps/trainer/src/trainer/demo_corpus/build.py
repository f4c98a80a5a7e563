"""Builds the corpus: a fresh process per voice, and the manifest at the end."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from prosody.parallel import map_isolated
from speech_records import PAPER_9, Utterance, atomic_write, file_sha256, write_jsonl
from trainer.demo_corpus import sound, speaker
from trainer.demo_corpus.design import DESIGN, STRESS_DB, STRESS_RATE, STRESS_ST
from trainer.demo_corpus.espeak import library_version
from trainer.demo_corpus.speaker import Clip, Task, speak_voice
from trainer.demo_corpus.texts import SENTENCES
from trainer.demo_corpus.voices import VOICES
from trainer.errors import ConfigError

GENERATOR = "demo_corpus/1"
"""Changes whenever the same seed would give other clips."""
CORPUS = "demo"
MANIFEST = "manifest.jsonl"
DESCRIPTION = "corpus.json"

VOICE_TIMEOUT_S = 600.0
"""For some hundred clips; a busy machine takes about twenty seconds."""

Progress = Callable[[int, int], None]
"""Called with the number of finished clips and of all clips, after each voice."""


@dataclass(frozen=True, slots=True)
class DemoCorpusReport:
    """What `build` left under `root`; `audio_sha256` is the hash of the hashes of all clips, in order."""

    root: Path
    clips: int
    train_clips: int
    test_clips: int
    manifest_sha256: str
    audio_sha256: str


def build(
    out: Path,
    *,
    seed: int = 0,
    voices: int = len(VOICES),
    sentences: int = len(SENTENCES),
    workers: int = 2,
    progress: Progress | None = None,
) -> DemoCorpusReport:
    """Speak the demo corpus into the folder `out`: every voice says every sentence in every emotion of `PAPER_9`.

    Writes `audio/<voice>/<voice>_<sentence>_<emotion>.flac`, `manifest.jsonl` (`Utterance` records) and
    `corpus.json` (seed, versions, distributions), in place of those of an earlier run. The same arguments give the
    same bytes whatever `workers` is; the manifest is written last. Raises `ConfigError` when an argument is out of
    range and `SpeechSynthesisError` when espeak-ng fails.
    """
    _check("voices", voices, 4, len(VOICES))
    _check("sentences", sentences, 1, len(SENTENCES))
    _check("workers", workers, 1, len(VOICES))
    _check("seed", seed, 0, 2**32 - 1)
    tasks = [
        Task(voice, number, SENTENCES[:sentences], PAPER_9.labels, seed) for number, voice in enumerate(VOICES[:voices])
    ]
    root = Path(out)
    (root / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(root / "audio", ignore_errors=True)
    spoken = _speak_all(tasks, root / "audio", workers=workers, progress=progress)
    clips = [(task, clip) for task, clips in zip(tasks, spoken, strict=True) for clip in clips]
    utterances = [_utterance(task, clip) for task, clip in clips]
    write_jsonl(root / MANIFEST, utterances)
    hashes = {
        "manifest_sha256": file_sha256(root / MANIFEST),
        "audio_sha256": hashlib.sha256("".join(clip.sha256 for _, clip in clips).encode()).hexdigest(),
    }
    with atomic_write(root / DESCRIPTION) as file:
        description = _description(tasks, seed=seed, clips=len(clips)) | hashes
        file.write(json.dumps(description, indent=1, ensure_ascii=False) + "\n")
    splits = Counter(utterance.split for utterance in utterances)
    return DemoCorpusReport(root, len(utterances), splits["train"], splits["test"], **hashes)


def _check(name: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise ConfigError(f"demo_corpus: {name} must lie in [{lowest}, {highest}], got {value}")


def _speak_all(tasks: list[Task], audio: Path, *, workers: int, progress: Progress | None) -> list[list[Clip]]:
    """The clips of every voice, each spoken in a process of its own."""
    for task in tasks:
        (audio / task.voice.voice_id).mkdir(parents=True)
    # A process for each voice: calls of espeak-ng leave a state behind.
    jobs = [(task, audio / task.voice.voice_id) for task in tasks]
    finished: list[list[Clip]] = []
    for _, clips in map_isolated(_speak, jobs, workers=workers, timeout_s=VOICE_TIMEOUT_S, items_per_process=1):
        if isinstance(clips, Exception):
            raise clips
        finished.append(clips)
        if progress is not None:
            progress(len(finished) * len(clips), len(tasks) * len(clips))
    return finished


def _speak(job: tuple[Task, Path]) -> list[Clip]:
    task, folder = job
    return speak_voice(task, folder)


def _utterance(task: Task, clip: Clip) -> Utterance:
    sentence = task.sentences[clip.sentence]
    voice = task.voice
    return Utterance(
        utterance_id=f"{CORPUS}-{Path(clip.file).stem}",
        corpus=CORPUS,
        audio_path=f"audio/{voice.voice_id}/{clip.file}",
        speaker_id=voice.voice_id,
        emotion=clip.emotion,
        transcript=sentence,
        language="en",
        split=voice.split,
        gender=voice.gender,
        stressed_words=(sentence.split()[clip.delivery.stressed_word],),
        synthetic=True,
    )


def _versions() -> dict[str, str]:
    return {"generator": GENERATOR, "espeak-ng": library_version()} | {
        name: version(name) for name in ("numpy", "soxr", "soundfile")
    }


def _settings() -> dict[str, Any]:
    """The numbers that clips are drawn and made from."""
    return {
        "emotions": {emotion.value: asdict(row) for emotion, row in DESIGN.items()},
        "stress": {"pitch_st": STRESS_ST, "energy_db": STRESS_DB, "rate": STRESS_RATE},
        "neutral_rate_wpm": speaker.NEUTRAL_WPM,
        "sample_rate": sound.SAMPLE_RATE,
        "speech_dbfs": sound.SPEECH_DBFS,
        "recording_level_db": asdict(sound.RECORDING_DB),
        "noise_dbfs": asdict(sound.NOISE_DBFS),
        "silence_s": sound.SILENCE_S,
    }


def _description(tasks: list[Task], *, seed: int, clips: int) -> dict[str, Any]:
    return {
        "corpus": CORPUS,
        "synthetic": True,
        "label_set": PAPER_9.name,
        "seed": seed,
        "versions": _versions(),
        "clips": clips,
        "voices": [asdict(task.voice) for task in tasks],
        "sentences": tasks[0].sentences,
        "distributions": _settings(),
    }
