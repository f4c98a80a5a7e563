"""EMOVO: Costantini et al. (2014), LREC. Six Italian actors, 588 clips, research use.

Layout `EMOVO/{f1,f2,f3,m1,m2,m3}/dis-f1-b1.wav`: emotion, speaker, sentence. `root` may also be the `EMOVO` folder
itself. Some of the sentences make no sense on purpose. No official split.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from speech_corpora.listing import CorpusListing, below, collect
from speech_corpora.search import audio_entries
from speech_records import Emotion, Gender, InvalidRecordError, Utterance

EMOTIONS: Mapping[str, Emotion] = MappingProxyType(
    {
        "dis": Emotion.DISGUST,  # disgusto
        "gio": Emotion.HAPPY,  # gioia
        "neu": Emotion.NEUTRAL,
        "pau": Emotion.FEAR,  # paura
        "rab": Emotion.ANGRY,  # rabbia
        "sor": Emotion.SURPRISE,  # sorpresa
        "tri": Emotion.SAD,  # tristezza
    }
)
SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "b1": "Gli operai si alzano presto.",
        "b2": "I vigili sono muniti di pistola.",
        "b3": "La cascata fa molto rumore.",
        "l1": "L'autunno prossimo Tony partirà per la Spagna nella prima metà di ottobre.",
        "l2": "Ora prendo la felpa di là ed esco per fare una passeggiata.",
        "l3": "Un attimo dopo s'è incamminato ... ed è inciampato.",
        "l4": "Vorrei il numero telefonico del Signor Piatti.",
        "n1": "La casa forte vuole col pane.",
        "n2": "La forza trova il passo e l'aglio rosso.",
        "n3": "Il gatto sta scorrendo nella pera.",
        "n4": "Insalata pastasciutta coscia d'agnello limoncello.",
        "n5": "Uno quarantatré dieci mille cinquantasette venti.",
        "d1": "Sabato sera cosa farà?",
        "d2": "Porti con te quella cosa?",
    }
)
_NAME = re.compile(r"(?P<emotion>[a-z]{3})-(?P<speaker>[fm][1-3])-(?P<sentence>[a-z]\d)")


def load(root: Path) -> CorpusListing:
    """Every clip below `root`. Raises `CorpusError` when `root` is missing or holds no usable clip."""
    pattern = "EMOVO/[fm][1-3]/*" if (root / "EMOVO").is_dir() else "[fm][1-3]/*"
    return collect("emovo", root, audio_entries(root, pattern, partial(_read, root)))


def _read(root: Path, path: Path) -> Utterance:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        raise InvalidRecordError(f"file name {path.name!r} is not EMOTION-SPEAKER-SENTENCE (dis-f1-b1)")
    for part, table in (("emotion", EMOTIONS), ("sentence", SENTENCES)):
        if match[part] not in table:
            raise InvalidRecordError(f"file {path.name!r} has {part} {match[part]!r}; known are {', '.join(table)}")
    speaker = match["speaker"]
    if path.parent.name != speaker:
        raise InvalidRecordError(f"file {path.name!r} names speaker {speaker} but is in {path.parent.name!r}")
    return Utterance(
        utterance_id=path.stem,
        corpus="emovo",
        audio_path=below(path, root),
        speaker_id=speaker,
        emotion=EMOTIONS[match["emotion"]],
        transcript=SENTENCES[match["sentence"]],
        language="it",
        gender=Gender.FEMALE if speaker.startswith("f") else Gender.MALE,
    )
