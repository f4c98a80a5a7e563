"""Emotion corpora on disk, as lists of utterances.

- `registry`: every corpus by its name: `load`, `label_set`, `check`, `folds`
- `manifest`: a plain JSON Lines manifest, and the demo corpus, which is one
- `ravdess`, `emodb`, `savee`, `cremad`, `mead`, `ears`, `expresso`, `emovo`, `urdu`: labels from file names and folders
- `iemocap`, `meld`, `msp_podcast`, `nemo`: labels, or what is known of the speakers, from tables
- `stress17k`: stressed words, no emotions
- `emotioncot`: the published EmotionCoT JSON Lines, in and out
- `listing`: what reading a corpus gives, with what was rejected and why
- `search`, `tables`: audio files below a root, and tables in any encoding, for the loaders
- `checking`: a copy checked against recorded counts; label maps with what they drop; folds of speakers
- `cli`: the command `speech-corpora`
"""

from speech_corpora import emotioncot
from speech_corpora.checking import Fold
from speech_corpora.errors import CorpusError
from speech_corpora.listing import CorpusListing
from speech_corpora.registry import CORPORA, Corpus, check, folds, label_set, load

__all__ = [
    "CORPORA",
    "Corpus",
    "CorpusError",
    "CorpusListing",
    "Fold",
    "check",
    "emotioncot",
    "folds",
    "label_set",
    "load",
]
