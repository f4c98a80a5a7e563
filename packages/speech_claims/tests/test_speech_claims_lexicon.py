"""The lexicon as its notation writes it out."""

from __future__ import annotations

import random
import re
import tracemalloc

import pytest

from speech_claims.lexicon import kinds
from speech_claims.notation import expand, listed
from speech_claims.reader import find
from speech_claims.senses import SENSES, _stems, is_comparative, word_set
from speech_records import Cue

VERBS = {"drift": "drifts", "glide": "glides", "inch": "inches", "go": "goes", "swoop": "swoops", "slide": "slides"}

NOUNS = {
    "pitch": "pitch", "energy": "loudness", "rate": "tempo", "range": "pitch range", "contour": "melody",
    "voice": "voice", "delivery": "delivery", "pauses": "pauses", "swing": "loudness variation",
}  # fmt: skip
FRAMES = (
    "The {noun} is {value}.", "The {noun} {value}.", "Her {noun} is very {value} here.", "{noun}: {value}",
    "We hear a {value} {noun}.", "There are {value} {noun}.", "The speaker {value} the {noun}.",
)  # fmt: skip


def test_what_is_listed_is_read_of_its_noun() -> None:
    """Of values drawn from every list, nearly all are read in one frame at least as the list says: the others are
    inflected for another noun, or overlap with a longer phrase.
    """
    left_out = word_set("only_denied")
    pairs = [(group, value) for group in NOUNS for value in SENSES[group] if value not in left_out]
    drawn = random.Random(0).sample(pairs, 1_500)
    unread = [pair for pair in drawn if not any(_reads(frame, *pair) for frame in FRAMES)]
    assert len(unread) <= 0.01 * len(drawn), unread


def _reads(frame: str, group: str, value: str) -> bool:
    findings = find(frame.format(noun=NOUNS[group], value=value))
    return any((f.cue, f.value.removesuffix(" at the end")) == SENSES[group][value] for f in findings)


@pytest.mark.parametrize("verb", VERBS)
def test_verbs_of_movement_take_every_particle(verb: str) -> None:
    """Third persons and directions as a dictionary of English has them."""
    for form in (verb, VERBS[verb]):
        for ending in ("", "ward", "wards"):
            for particle, value in ((f"up{ending}", "rising"), (f"down{ending}", "falling")):
                (finding,) = find(f"We hear the pitch {form} {particle} here.")
                assert (finding.cue, finding.value) == (Cue.CONTOUR_SHAPE, value), (form, particle)


def test_no_phrase_keeps_marks_of_the_notation() -> None:
    """English words, apostrophes, one ampersand and single blanks: anything else is a slip of the notation."""
    assert [phrase for phrase in kinds() if not re.fullmatch(r"[a-z0-9']+( [a-z0-9']+)*|&", phrase)] == []


def test_alternatives_come_in_order_and_once() -> None:
    """2 x 2 texts by hand, the first choice changing slowest; a text that two ways lead to is there once."""
    assert expand("(a/b)(c/d)") == ("ac", "ad", "bc", "bd")
    assert expand("(x(/s)/x) y") == ("x y", "xs y")
    assert expand("(glide(/s)/went) up") == ("glide up", "glides up", "went up")
    assert listed("{own} norm, the norm", {"own": "the, her"}) == ("the norm", "her norm")


def test_alternatives_within_alternatives_take_no_more_than_their_texts() -> None:
    """8 verbs of 4 forms and 2 particles are 64 texts, of 60 bytes each. Choosing a form of every verb before one of
    the verbs is chosen would make 4^8 x 8 x 2, a million.
    """
    verbs = "/".join(
        f"{verb}(/s/ed/ing)" for verb in ("pour", "spill", "rush", "stream", "flood", "shoot", "gush", "jump")
    )
    tracemalloc.start()
    try:
        texts = expand(f"({verbs}) (out/forth)")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(texts) == 64
    assert texts[:3] == ("pour out", "pour forth", "pours out")
    assert peak < 64 * 1024


def test_what_is_kept_of_words_outside_the_lexicon_is_bounded() -> None:
    """Names and numbers of a corpus have no end: of 3 000 at most 1 024 are kept."""
    for number in range(3_000):
        find(f"Clip {number}er is loud.")
    assert is_comparative.cache_info().currsize <= 1024
    assert _stems.cache_info().currsize <= 1024
