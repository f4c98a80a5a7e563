"""EmoDB, the Berlin Database of Emotional Speech: Burkhardt et al. (2005), Interspeech. German.

Layout `wav/03a01Fa.wav`: speaker, sentence, emotion, take. `root` may also be the `wav` folder itself.
Speakers 13 to 16 test, the others train.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from speech_corpora.listing import CorpusListing, below, collect, parse_age
from speech_corpora.search import audio_entries
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
_NAME = re.compile(r"(?P<speaker>\d\d)(?P<sentence>[a-z]\d\d)(?P<emotion>[A-Z])(?P<take>[a-z])")


def load(root: Path) -> CorpusListing:
    """Every clip below `root`. Raises `CorpusError` when `root` is missing or holds no usable clip."""
    pattern = "wav/*" if (root / "wav").is_dir() else "*"
    return collect("emodb", root, audio_entries(root, pattern, partial(_read, root)))


def _read(root: Path, path: Path) -> Utterance:
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
    speaker = match["speaker"]
    return Utterance(
        utterance_id=path.stem,
        corpus="emodb",
        audio_path=below(path, root),
        speaker_id=speaker,
        emotion=EMOTIONS[match["emotion"]],
        transcript=SENTENCES[match["sentence"]],
        language="de",
        split="test" if speaker in TEST_SPEAKERS else "train",
        gender=GENDERS[speaker],
        age_group=parse_age(AGES[speaker]),
    )
