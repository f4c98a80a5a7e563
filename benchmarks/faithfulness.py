"""The faithfulness score's floor and ceiling on corpora (`docs/faithfulness.md`).

Floor: the same text for every clip, with the corpus's modal value of every cue, and with only those values that more
than half of its clips have. Ceiling: what the rule generator writes of each clip, in both styles. `everything` says the
measured value of every cue but stress, one plain sentence each.

A corpus is a file of measured utterances (JSON Lines), or NAME=FOLDER, whose clips are then measured here.

    python benchmarks/faithfulness.py MEASURED.jsonl | NAME=FOLDER … [--clips 60] [--json]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import speech_corpora
from cotgen import Style, generate
from prosody import LevelScale, analyze, load_audio
from speech_claims import FaithfulnessScore, faithfulness
from speech_claims.faithfulness import FaithfulnessSummary, constant_text, floors, summarise
from speech_claims.report import score_table
from speech_records import LABEL_SETS, LabelSet, MeasuredUtterance, ProsodyProfile, Utterance, read_jsonl

_T = TypeVar("_T")


def main(arguments_given: Sequence[str] | None = None) -> int:
    """Print a table a corpus; 0 when on each of them both floors lie under both ceilings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("corpora", nargs="+", metavar="MEASURED.jsonl|NAME=FOLDER")
    parser.add_argument("--clips", type=int, help="measure or read this many, drawn at random")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    arguments = parser.parse_args(arguments_given)
    results = {}
    for corpus in arguments.corpora:
        name, _, root = corpus.partition("=")
        read = (
            measured(name, Path(root), arguments.clips)
            if root
            else spread(list(read_jsonl(Path(name), MeasuredUtterance)), arguments.clips)
        )
        results[name] = scores(read)
    if arguments.json:
        print(json.dumps({c: {n: s and asdict(s) for n, s in made.items()} for c, made in results.items()}, indent=2))
    else:
        for name, made in results.items():
            print(f"{name}\n{score_table(made)}\n")
    return 0 if all(map(floor_is_under_ceiling, results.values())) else 1


def scores(clips: Sequence[MeasuredUtterance]) -> dict[str, FaithfulnessSummary | None]:
    """The score of each kind of text over `clips`."""
    made = floors(clips)
    labelled = [(clip, label_set) for clip in clips if (label_set := _label_set(clip)) is not None]
    for style in Style:
        made[f"ceiling: rules, {style.value}"] = summarise(
            [
                _score(generate(c, label_set=names, seed=i, style=style).think, c)
                for i, (c, names) in enumerate(labelled)
            ]
        )
    made["everything"] = summarise([_score(constant_text([clip]), clip) for clip in clips])
    return made


def floor_is_under_ceiling(made: dict[str, FaithfulnessSummary | None]) -> bool:
    """Whether every floor scores less than every ceiling."""
    floor, ceiling = ([s.score for n, s in made.items() if n.startswith(k) and s] for k in ("floor", "ceiling"))
    return bool(floor and ceiling) and max(floor) < min(ceiling)


def measured(name: str, root: Path, clips: int | None) -> list[MeasuredUtterance]:
    """Clips of a corpus, measured, with levels from a scale that is fitted on them."""
    pairs = [(u, _profile(u, root)) for u in spread(speech_corpora.load(name, root).utterances, clips)]
    scale = LevelScale.fit(((profile, utterance.gender) for utterance, profile in pairs), name=name)
    return [MeasuredUtterance(u, p, scale.read(p, gender=u.gender)) for u, p in pairs]


def spread(items: Sequence[_T], count: int | None) -> Sequence[_T]:
    """`count` of `items` at random, the same in every run; all of them without it. Not at equal distances: every fourth
    clip of RAVDESS is a man's.
    """
    if count is None or count >= len(items):
        return items
    return [items[k] for k in sorted(random.Random(0).sample(range(len(items)), count))]


def _profile(utterance: Utterance, root: Path) -> ProsodyProfile:
    audio = load_audio(root / utterance.audio_path)
    return analyze(audio.samples, audio.sample_rate, transcript=utterance.transcript)


def _score(text: str, clip: MeasuredUtterance) -> FaithfulnessScore:
    return faithfulness(text, clip.profile, clip.levels, clip.utterance.transcript)


def _label_set(clip: MeasuredUtterance) -> LabelSet | None:
    emotion = clip.utterance.emotion
    return None if emotion is None else next((s for s in LABEL_SETS.values() if s.map(emotion) is not None), None)


if __name__ == "__main__":
    sys.exit(main())
