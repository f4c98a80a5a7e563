"""Builds the corpus: a fresh process per voice, whole folders or none, and the manifest at the end."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from speech_records import PAPER_9, Emotion, Utterance, write_jsonl
from trainer.demo_corpus import sound, speaker
from trainer.demo_corpus.design import DESIGN, STRESS_DB, STRESS_RATE, STRESS_ST
from trainer.demo_corpus.espeak import library_version
from trainer.demo_corpus.speaker import Task, speak_voice
from trainer.demo_corpus.texts import SENTENCES
from trainer.demo_corpus.voices import VOICES
from trainer.errors import ConfigError, DataSetError

GENERATOR = "demo_corpus/1"
"""Changes whenever the same seed would give other clips."""
CORPUS = "demo"
MANIFEST = "manifest.jsonl"
DESCRIPTION = "corpus.json"
_RECEIPT = "voice.json"
_PARTIAL = ".partial"

Progress = Callable[[int, int], None]
"""Called with the number of finished clips and of all clips, after each voice."""


@dataclass(frozen=True, slots=True)
class DemoCorpusReport:
    """What `build` left under `root`."""

    root: Path
    clips: int
    train_clips: int
    test_clips: int
    voices_spoken: int
    voices_kept: int
    """Voices found finished and unchanged from an earlier run."""
    manifest_sha256: str
    audio_sha256: str
    """Hash of the hashes of all clips, in the order of the manifest."""


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
    `corpus.json` (seed, versions, distributions). The same arguments give the same bytes whatever `workers` is. A
    voice that an earlier run finished is kept when its recipe and the hashes of its files still agree; a voice that
    was interrupted is spoken again. Raises `ConfigError` when an argument is out of range and `SpeechSynthesisError`
    when espeak-ng fails.
    """
    _check("voices", voices, 4, len(VOICES))
    _check("sentences", sentences, 1, len(SENTENCES))
    _check("workers", workers, 1, len(VOICES))
    _check("seed", seed, 0, 2**32 - 1)
    tasks = [
        Task(voice, number, SENTENCES[:sentences], PAPER_9.labels, seed) for number, voice in enumerate(VOICES[:voices])
    ]
    root = Path(out)
    audio = root / "audio"
    audio.mkdir(parents=True, exist_ok=True)
    for interrupted in audio.glob(f".*{_PARTIAL}"):
        shutil.rmtree(interrupted, ignore_errors=True)
    missing = [task for task in tasks if _finished(task, audio) is None]
    _speak_all(missing, audio, workers=workers, total=len(tasks), progress=progress)
    clips = [(task, clip) for task in tasks for clip in _whole(task, audio)]
    utterances = [_utterance(task, clip) for task, clip in clips]
    write_jsonl(root / MANIFEST, utterances)
    hashes = {
        "manifest_sha256": hashlib.sha256((root / MANIFEST).read_bytes()).hexdigest(),
        "audio_sha256": hashlib.sha256("".join(clip["sha256"] for _, clip in clips).encode()).hexdigest(),
    }
    _write_json(root / DESCRIPTION, _description(tasks, seed=seed, clips=len(clips)) | hashes)
    splits = Counter(utterance.split for utterance in utterances)
    return DemoCorpusReport(
        root=root,
        clips=len(utterances),
        train_clips=splits["train"],
        test_clips=splits["test"],
        voices_spoken=len(missing),
        voices_kept=len(tasks) - len(missing),
        **hashes,
    )


def _check(name: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise ConfigError(f"demo_corpus: {name} must lie in [{lowest}, {highest}], got {value}")


def _speak_all(missing: list[Task], audio: Path, *, workers: int, total: int, progress: Progress | None) -> None:
    """Speak the voices in `missing`, each in a process of its own."""
    done = total - len(missing)
    spawn = multiprocessing.get_context("spawn")  # a forked child would inherit espeak-ng's state
    with ProcessPoolExecutor(workers, mp_context=spawn, max_tasks_per_child=1) as pool:
        running = {pool.submit(_finish_voice, task, audio): task for task in missing}
        try:
            for future in as_completed(running):
                future.result()
                done += 1
                if progress is not None:
                    clips = len(running[future].sentences) * len(running[future].emotions)
                    progress(done * clips, total * clips)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _finish_voice(task: Task, audio: Path) -> None:
    """Speak one voice beside its place and move it there when it is whole, so that no half voice is ever found."""
    partial = audio / f".{task.voice.voice_id}.{os.getpid()}{_PARTIAL}"
    partial.mkdir()
    clips = speak_voice(task, partial)
    _write_json(partial / _RECEIPT, {"recipe": _recipe(task), "clips": [asdict(clip) for clip in clips]})
    place = audio / task.voice.voice_id
    if place.exists():
        shutil.rmtree(place)
    partial.rename(place)


def _finished(task: Task, audio: Path) -> list[dict[str, Any]] | None:
    """The clips of a voice whose folder is whole and was made by the same recipe; `None` otherwise."""
    folder = audio / task.voice.voice_id
    try:
        receipt = json.loads((folder / _RECEIPT).read_text(encoding="utf-8"))
        clips: list[dict[str, Any]] = receipt["clips"]
        same = receipt["recipe"] == _recipe(task) and all(
            hashlib.sha256((folder / clip["file"]).read_bytes()).hexdigest() == clip["sha256"] for clip in clips
        )
    except (OSError, ValueError, KeyError, TypeError):  # no receipt, or not one of ours: speak the voice again
        return None
    return clips if same else None


def _recipe(task: Task) -> str:
    """Hash of everything that a voice's bytes depend on."""
    ingredients = {"task": asdict(task), "settings": _settings(), "versions": _versions()}
    return hashlib.sha256(json.dumps(ingredients, sort_keys=True).encode()).hexdigest()


def _whole(task: Task, audio: Path) -> list[dict[str, Any]]:
    clips = _finished(task, audio)
    if clips is None:
        raise DataSetError(f"demo_corpus: {audio / task.voice.voice_id} was changed while the corpus was built")
    return clips


def _utterance(task: Task, clip: dict[str, Any]) -> Utterance:
    sentence = task.sentences[clip["sentence"]]
    voice = task.voice
    return Utterance(
        utterance_id=f"{CORPUS}-{Path(clip['file']).stem}",
        corpus=CORPUS,
        audio_path=f"audio/{voice.voice_id}/{clip['file']}",
        speaker_id=voice.voice_id,
        emotion=Emotion(clip["emotion"]),
        transcript=sentence,
        language="en",
        split=voice.split,
        gender=voice.gender,
        stressed_words=(sentence.split()[clip["delivery"]["stressed_word"]],),
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


def _write_json(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)
