"""EmoDB, the Berlin Database of Emotional Speech: Burkhardt et al. (2005), Interspeech. German.

Layout `wav/03a01Fa.wav`: speaker, sentence, emotion, take. `root` may also be the `wav` folder itself.
Speakers 13 to 16 test, the others train. Where `syllables.csv` (utterance, start_s, end_s, syllable, prominence, the
last as listeners perceived it) lies beside `wav`, the clearly prominent words are the stressed ones.
"""

from __future__ import annotations

import re
import wave
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import partial
from pathlib import Path
from types import MappingProxyType

from speech_corpora.listing import CorpusListing, Entry, below, collect, parse_age
from speech_corpora.search import audio_entries
from speech_corpora.tables import read_table
from speech_records import Emotion, Gender, InvalidRecordError, UnknownEmotionError, Utterance

EMOTIONS: Mapping[str, Emotion] = MappingProxyType(
    {
        "W": Emotion.ANGRY,  # Wut
        "L": Emotion.BORED,  # Langeweile
        "E": Emotion.DISGUST,  # Ekel
        "A": Emotion.FEAR,  # Angst
        "F": Emotion.HAPPY,  # Freude
        "T": Emotion.SAD,  # Trauer
        "N": Emotion.NEUTRAL,
    }
)
SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "a01": "Der Lappen liegt auf dem Eisschrank.",
        "a02": "Das will sie am Mittwoch abgeben.",
        "a04": "Heute abend könnte ich es ihm sagen.",
        "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
        "a07": "In sieben Stunden wird es soweit sein.",
        "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
        "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
        "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
        "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
        "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
    }
)
GENDERS: Mapping[str, Gender] = MappingProxyType(
    dict.fromkeys(("03", "10", "11", "12", "15"), Gender.MALE)
    | dict.fromkeys(("08", "09", "13", "14", "16"), Gender.FEMALE)
)
AGES: Mapping[str, int] = MappingProxyType(
    {"03": 31, "08": 34, "09": 21, "10": 32, "11": 26, "12": 30, "13": 32, "14": 35, "15": 25, "16": 31}
)
TEST_SPEAKERS = frozenset({"13", "14", "15", "16"})
PROMINENT = 1.5
"""Least mean prominence, of 0 to 3, of a stressed syllable; a fifth of the rated ones reach it."""
MARGIN = 0.5
"""How far below the most prominent word another one may be and still be stressed."""
_WAVE_TOLERANCE_S = 0.02
_NAME = re.compile(r"(?P<speaker>\d\d)(?P<sentence>[a-z]\d\d)(?P<emotion>[A-Z])(?P<take>[a-z])")


def load(root: Path) -> CorpusListing:
    """Every clip below `root`. Raises `CorpusError` when `root` is missing or holds no usable clip."""
    return collect("emodb", root, _entries(root))


def _entries(root: Path) -> Iterator[Entry]:
    rows = yield from read_table(root / "syllables.csv", root, ("utterance", "syllable"))
    syllables: dict[str, list[Mapping[str, str]]] = {}
    for row in rows:
        syllables.setdefault(row.cells["utterance"], []).append(row.cells)
    pattern = "wav/*" if (root / "wav").is_dir() else "*"
    yield from audio_entries(root, pattern, partial(_read, root, syllables))


def _read(root: Path, syllables: Mapping[str, Sequence[Mapping[str, str]]], path: Path) -> Utterance:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        raise InvalidRecordError(f"file name {path.name!r} is not speaker, sentence, emotion, take (03a01Fa)")
    for part, table in (("speaker", GENDERS), ("sentence", SENTENCES)):
        if match[part] not in table:
            raise InvalidRecordError(
                f"file {path.name!r} has {part} {match[part]!r}; known are {', '.join(sorted(table))}"
            )
    if match["emotion"] not in EMOTIONS:
        known = " ".join(EMOTIONS)
        raise UnknownEmotionError(f"file {path.name!r} has emotion letter {match['emotion']!r}; known are {known}")
    speaker, sentence = match["speaker"], SENTENCES[match["sentence"]]
    return Utterance(
        utterance_id=path.stem,
        corpus="emodb",
        audio_path=below(path, root),
        speaker_id=speaker,
        emotion=EMOTIONS[match["emotion"]],
        transcript=sentence,
        language="de",
        split="test" if speaker in TEST_SPEAKERS else "train",
        gender=GENDERS[speaker],
        age_group=parse_age(AGES[speaker]),
        stressed_words=stressed_words(sentence, syllables.get(path.stem, ()), _seconds(path)),
    )


def stressed_words(
    sentence: str, syllables: Sequence[Mapping[str, str]], seconds: float | None = None
) -> tuple[str, ...] | None:
    """The words of a sentence that listeners perceived as prominent: their highest syllable has at least `PROMINENT`,
    and no other word's is more than `MARGIN` above it. `None` where that is not known: syllables do not spell the
    sentence, or the most prominent one ends after `seconds`.

    >>> rows = [dict(syllable=s, prominence=p) for s, p in (("das", "0.1"), ("ha", "2.0"), ("se", "0.4"))]
    >>> stressed_words("Das hasse.", rows)
    ('hasse',)
    """
    words = re.findall(r"\w+", sentence.casefold())
    rated = [cells for cells in syllables if cells.get("prominence")]
    if not rated:
        return None
    highest: dict[int, float] = {}
    most = max(rated, key=lambda cells: float(cells["prominence"]))
    if seconds is not None and float(most.get("end_s") or 0.0) > seconds + _WAVE_TOLERANCE_S:
        return None
    owners = _owners(words, [cells["syllable"].casefold() for cells in syllables])
    for owner, cells in zip(owners, syllables, strict=True):
        if owner is not None and cells.get("prominence"):
            highest[owner] = max(highest.get(owner, 0.0), float(cells["prominence"]))
    if len(highest) < len(words) - 1 or max(highest.values()) < PROMINENT:
        return None
    least = max(PROMINENT, max(highest.values()) - MARGIN)
    return tuple(word for i, word in enumerate(words) if highest.get(i, 0.0) >= least)


def _owners(words: Sequence[str], syllables: Sequence[str]) -> list[int | None]:
    """The word that most letters of each syllable belong to: `la pen` is Lappen, whose spelling doubles a letter."""
    of_letter = [i for i, word in enumerate(words) for _ in word]
    of_syllable = [i for i, syllable in enumerate(syllables) for _ in syllable]
    votes = [Counter[int]() for _ in syllables]
    matcher = SequenceMatcher(None, "".join(words), "".join(syllables), autojunk=False)
    for first, second, size in matcher.get_matching_blocks():
        for k in range(size):
            votes[of_syllable[second + k]][of_letter[first + k]] += 1
    owners = [found.most_common(1)[0][0] if found else None for found in votes]
    return [owner if owner is not None else (owners[i - 1] if i else None) for i, owner in enumerate(owners)]


def _seconds(path: Path) -> float | None:
    """How long a WAV or FLAC file is, by its header; `None` where that is not known."""
    try:
        if path.suffix.lower() == ".flac":
            with path.open("rb") as file:
                header = file.read(26)
            packed = int.from_bytes(header[18:26])  # of STREAMINFO: 20 bits rate, 8 of form, 36 samples
            return (packed & (1 << 36) - 1) / (packed >> 44)
        with wave.open(str(path)) as sound:
            return float(sound.getnframes() / sound.getframerate())
    except (wave.Error, EOFError, OSError, ZeroDivisionError):
        return None
