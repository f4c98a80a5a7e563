"""From a corpus on disk to the spec of an annotation and the utterances that it covers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import speech_corpora
from annotator_worker.errors import UnusableInputError
from annotator_worker.records import PLAIN, RULES, Dropped, JobSpec, MeasureConfig, Versions
from cotgen.reasoning import ReasoningConfig
from speech_records import FailedItem, Utterance, emotion_question


@dataclass(frozen=True, slots=True)
class Listing:
    """What is to be annotated: utterances sorted by id, their audio root, and what the corpus loader rejected."""

    spec: JobSpec
    root: Path
    utterances: tuple[Utterance, ...]
    rejected: tuple[FailedItem, ...]


def list_corpus(
    corpus: str,
    root: Path,
    *,
    seed: int = 0,
    comparative: int = 0,
    limit: int | None = None,
    question: str | None = None,
    language: str | None = None,
    measuring: MeasureConfig = PLAIN,
    reasoning: ReasoningConfig = RULES,
) -> Listing:
    """The first `limit` utterances (default: all) of `corpus` below `root`, in the corpus's own order.

    `language` is that of utterances that do not say theirs; the others are as in `JobSpec`.

    Raises `UnusableInputError` when the corpus is unknown, its root is missing or nothing in it is usable.
    """
    try:
        found = speech_corpora.load(corpus, root)
        label_set = speech_corpora.label_set(corpus, found.utterances)
    except speech_corpora.CorpusError as error:
        raise UnusableInputError(str(error)) from error
    audio_root = (root.parent if root.is_file() else root).resolve()
    spec = JobSpec(
        corpus=corpus,
        audio_root=audio_root.as_posix(),
        label_set=label_set.name,
        question=question or emotion_question(label_set),
        seed=seed,
        comparative=comparative,
        limit=limit,
        versions=Versions.installed(),
        language=language,
        measuring=measuring,
        reasoning=reasoning,
        dropped=tuple(Dropped(reason, count) for reason, count in found.dropped),
    )
    chosen = [u if u.language else replace(u, language=language) for u in found.utterances[:limit]]
    return Listing(spec, audio_root, tuple(sorted(chosen, key=lambda u: u.utterance_id)), tuple(found.rejected))
