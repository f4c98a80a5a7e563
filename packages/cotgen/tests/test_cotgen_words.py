"""One table says which words stand for which value: the lexicon of `speech_claims`. Here all other wording is checked
against it, phrase by phrase."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from cotgen.rules import plain_wording
from cotgen.rules.marking import capitalised, mark, unmark
from cotgen.rules.phrases import POSSESSIVE, SUBJECT, with_degree
from cotgen.rules.varied_facts import FACTS
from cotgen.tasks.phrasing import ATTRIBUTES, UNVOICED, VALUES
from speech_claims.finding import Finding
from speech_claims.reader import find
from speech_claims.senses import SENSES, value_word
from speech_records import ContourDynamics, ContourShape, Cue, Emotion, Gender, Level

LEVELS = tuple(level.value for level in Level)
SHAPES = tuple(s.value for s in ContourShape if s not in (ContourShape.UNCERTAIN, ContourShape.TOO_SHORT))
MEASURED = {
    Cue.PITCH: LEVELS, Cue.ENERGY: LEVELS, Cue.RATE: LEVELS, Cue.PITCH_RANGE: LEVELS, Cue.CONTOUR_SHAPE: SHAPES,
    Cue.CONTOUR_DYNAMICS: tuple(d.value for d in ContourDynamics), Cue.VOICING: ("whispered", "voiced"),
    Cue.PAUSES: ("none", "few", "many", "short", "long"), Cue.VOICE_QUALITY: ("rough", "clear"),
    Cue.GENDER: tuple(g.value for g in Gender),
    Cue.AGE: ("child", "teenager", "young adult", "middle-aged", "elderly"),
}  # fmt: skip
"""The values of the docstring of `cue_values` that a measurement can decide."""


def said(findings: list[Finding]) -> Counter[tuple[Cue, str, bool]]:
    return Counter((f.cue, f.value, f.negated) for f in findings)


@pytest.mark.parametrize("key", FACTS, ids=lambda key: f"{key[0].value} {key[1]}")
def test_every_phrase_of_the_varied_style_is_in_the_lexicon_under_its_value(key: tuple[Cue, str]) -> None:
    """What the lexicon finds in a phrase, alone in its sentence, is what the phrase is marked to claim."""
    fact = FACTS[key]
    nouns = [form for noun in fact.nouns for form in (noun.indefinite, noun.definite)]
    for phrase in (*fact.clauses, *(f"one hears {noun}" for noun in nouns)):
        for adverbs in ((), (("very", "strong"),), (("slightly", "slight"),)):
            filled = with_degree(phrase, adverbs, random.Random(0)).replace(SUBJECT, "the speaker")
            text, claims = unmark(capitalised(filled.replace(POSSESSIVE, "the")) + ".")
            assert said(find(text)) == said(claims), text


@pytest.mark.parametrize("cue", sorted({*plain_wording.SENTENCES, *plain_wording.NOUNS} - {Cue.STRESS, Cue.VOICING}))
def test_every_sentence_of_the_plain_style_is_in_the_lexicon_under_its_value(cue: Cue) -> None:
    for value in MEASURED[cue]:
        noun = plain_wording.NOUNS[cue].replace("the ", "We hear the ", 1) + "."
        for template in (*plain_wording.SENTENCES[cue], noun):
            text, claims = unmark(mark(template, cue, value, value=value_word(cue, value)))
            assert said(find(text)) == said(claims), text


def test_whispering_and_pauses_of_the_plain_style_are_in_the_lexicon() -> None:
    phrases = [(Cue.VOICING, "whispered", text) for text in plain_wording.WHISPERED]
    phrases += [(Cue.PAUSES, value, text) for value, texts in plain_wording.PAUSES.items() for text in texts]
    for cue, value, template in phrases:
        text, claims = unmark(mark(template, cue, value))
        assert said(find(text)) == said(claims), text


@pytest.mark.parametrize("cue", MEASURED, ids=str)
def test_every_value_that_is_measured_has_a_word_that_means_it(cue: Cue) -> None:
    """And no two values have the same word."""
    words = [value_word(cue, value) for value in MEASURED[cue]]
    assert len(set(words)) == len(words)
    spoken = {word: group[plain] for word in words for group in SENSES.values()
              if (plain := word.replace("-", " ")) in group and group[plain][0] is cue}  # fmt: skip
    assert [spoken[word] for word in words] == [(cue, value) for value in MEASURED[cue]]


def test_the_lexicon_says_nothing_that_no_measurement_can_mean() -> None:
    """Beside the measured values: adult, which three ages are, voice qualities that only listeners tell apart, that
    there are pauses, and change over time, which no generated text speaks of.
    """
    unmeasured = {(Cue.AGE, "adult")} | {
        (Cue.VOICE_QUALITY, value) for value in ("breathy", "creaky", "tense", "trembling")
    }
    in_time = {(cue, value) for cue in (Cue.ENERGY, Cue.RATE) for value in ("steady", "varying", "rising", "falling")}
    unmeasured |= in_time | {(Cue.PAUSES, "present")}
    meant = {sense for group in SENSES.values() for sense in group.values()}
    assert meant == {(cue, value) for cue, values in MEASURED.items() for value in values} | unmeasured


def test_answers_use_the_words_of_the_lexicon() -> None:
    """All but *unvoiced*, which says that there is no pitch."""
    for name, cue in ATTRIBUTES.items():
        answered = set(VALUES[name]) - {UNVOICED}
        assert answered == {value_word(cue, value) for value in MEASURED[cue]}
        for word in answered:
            (finding,) = find(f"The {name} is {word}.")
            assert value_word(finding.cue, finding.value) == word
            assert finding.cue is cue


def test_every_emotion_has_a_portrait() -> None:
    assert set(plain_wording.PORTRAITS) == set(Emotion)
