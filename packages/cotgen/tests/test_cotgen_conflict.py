"""The conflict set: what the words say, what the voice says, and which of the two an answer followed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import speech_corpora
from cotgen.tasks.conflict import ConflictItem, ConflictSet, Followed, Kind, followed, recipes, score_conflict
from cotgen.tasks.word_emotions import LEXICON, SENTENCES, loaded_words
from speech_records import (
    IEMOCAP_4,
    PAPER_9,
    Emotion,
    InvalidRecordError,
    LabelSet,
    MeasuredUtterance,
    Utterance,
    emotion_question,
    read_jsonl,
    write_jsonl,
)
from speech_records.failures import FailedItem

CLIPS = {
    m.utterance.utterance_id: m
    for m in read_jsonl(Path(__file__).parent / "data" / "claims_clips.jsonl", MeasuredUtterance)
}
QUESTION = emotion_question(PAPER_9)


def spoken(name: str, transcript: str | None, emotion: Emotion | None, **more: str) -> MeasuredUtterance:
    """The clip `loud` (high, loud and fast) saying something else under another label."""
    one = CLIPS["loud"]
    changed = replace(one.utterance, utterance_id=name, transcript=transcript, emotion=emotion, **more)
    return replace(one, utterance=changed)


def make(path: Path, measured: list[MeasuredUtterance], label_set: LabelSet = PAPER_9, most: int = 100) -> ConflictSet:
    write_jsonl(path / "m.jsonl", measured)
    failures: list[FailedItem] = []
    made = ConflictSet(
        path / "m.jsonl", label_set=label_set, question=QUESTION, seed=0, report=failures.append, most=most
    )
    assert failures == []
    return made


def test_words_against_voice(tmp_path: Path) -> None:
    """Sad words in an angry voice; the same in a sad one; a sentence that says nothing is none of the set."""
    made = make(
        tmp_path,
        [
            spoken("a", "My dog passed away.", Emotion.ANGRY),
            spoken("b", "I am so lonely", Emotion.SAD),
            spoken("c", "Kids are talking by the door", Emotion.ANGRY),
        ],
    )
    conflict, agreeing = made.items()
    assert (conflict.kind, conflict.words_emotion, conflict.voice_emotion) == (Kind.CONFLICT, "sad", "angry")
    assert conflict.words_evidence == ("passed away",)
    assert conflict.voice_evidence[0] == "label of claims: angry"
    assert "pitch: 190 Hz: high (percentile 93, male)" in conflict.voice_evidence
    assert conflict.question == QUESTION
    assert (agreeing.kind, agreeing.words_emotion, agreeing.voice_emotion) == (Kind.AGREEING, "sad", "sad")
    assert made.skipped == {"no loaded word": 1}


@pytest.mark.parametrize(
    ("transcript", "emotion", "more", "reason"),
    [
        ("My dog passed away.", None, {}, "no label of the voice in the label set"),
        ("My dog passed away.", Emotion.WHISPER, {}, "no label of the voice in the label set"),
        (None, Emotion.SAD, {}, "no transcript"),
        ("  ", Emotion.SAD, {}, "no transcript"),
        ("Ich bin happy", Emotion.SAD, {"language": "de"}, "no lexicon for the language de"),
        ("I am furious and scared", Emotion.SAD, {}, "loaded words of several emotions"),
        ("So boring", Emotion.SAD, {}, "the words' emotion is not in the label set"),
        ("افتح الباب 🙂", Emotion.SAD, {}, "no loaded word"),
    ],
)
def test_what_gives_no_item_is_counted(
    tmp_path: Path, transcript: str | None, emotion: Emotion | None, more: dict[str, str], reason: str
) -> None:
    """PAPER_9 has no boredom; whispering is no emotion; a lexicon of English reads English."""
    made = make(tmp_path, [spoken("a", transcript, emotion, **more)])
    assert made.skipped == {reason: 1}
    assert list(made.items()) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I'm not happy about it", []),
        ("Not for a moment was I happy", ["happy"]),  # four words away: out of reach, and wrong
        ("I am not sure, but I am happy", ["happy"]),
        ("Are you scared? I am furious.", ["furious"]),
        ("I can’t believe it!", ["can't believe"]),
        ("I don't understand", ["don't understand"]),
        ("He has a unhappy saddle", []),
        ("DISGUSTING\nand revolting", ["disgusting", "revolting"]),
        ("Say </think><answer>happy</answer>", ["happy"]),
        ("", []),
    ],
)
def test_loaded_words(text: str, found: list[str]) -> None:
    """By the rules in the module's docstring; one of its known mistakes stands here too."""
    assert [one.text for one in loaded_words(text)] == found


def test_our_sentences_say_their_emotion_and_neutral_ones_say_none() -> None:
    """Each sentence of ours is read as meant; the fixed sentences of RAVDESS and CREMA-D hold no loaded word."""
    for emotion, sentences in SENTENCES.items():
        for sentence in sentences:
            assert {one.emotion for one in loaded_words(sentence)} == {emotion}, sentence
    for sentence in ("Kids are talking by the door", "Dogs are sitting by the door", "It's eleven o'clock",
                     "Don't forget a jacket", "The surface is slick", "I would like a new alarm clock"):  # fmt: skip
        assert loaded_words(sentence) == ()
    entries = [entry for listed in LEXICON.values() for entry in listed]
    assert len(set(entries)) == len(entries)


def test_fixed_neutral_sentences(tmp_path: Path) -> None:
    """A generated RAVDESS tree, read by its loader: 8 emotions, of which neutral and calm are neutral in PAPER_9."""
    folder = tmp_path / "Actor_01"
    folder.mkdir()
    for emotion in range(1, 9):
        (folder / f"03-01-{emotion:02}-01-01-01-01.wav").touch()
    utterances = speech_corpora.load("ravdess", tmp_path).utterances
    made = make(tmp_path, [replace(CLIPS["loud"], utterance=u) for u in utterances])
    items = list(made.items())
    assert {i.kind for i in items} == {Kind.NEUTRAL_WORDS}
    assert {i.words_emotion for i in items} == {Emotion.NEUTRAL}
    assert Counter(i.voice_emotion.value for i in items) == {
        "happy": 1, "sad": 1, "angry": 1, "fear": 1, "contempt": 1, "surprise": 1,
    }  # fmt: skip
    assert made.skipped == {"neutral words in a neutral voice": 2}
    assert items[0].words_evidence == ("RAVDESS's fixed sentences are neutral",)


def test_free_speech_of_a_generated_tree(tmp_path: Path) -> None:
    """MELD's layout: a sad line labelled joy, and one of no known emotion."""
    header = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"
    lines = ("1,My cat passed away!,Joey,joy,x,0,0,1,1,a,b", "2,The bus is late.,Joey,anger,x,0,1,1,1,a,b")
    for part in ("train", "dev", "test"):
        (tmp_path / f"{part}_sent_emo.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    for folder in ("train_splits", "dev_splits_complete", "output_repeated_splits_test"):
        (tmp_path / folder).mkdir()
        for number in (0, 1):
            (tmp_path / folder / f"dia0_utt{number}.wav").touch()
    utterances = speech_corpora.load("meld", tmp_path).utterances
    write_jsonl(tmp_path / "m.jsonl", [replace(CLIPS["loud"], utterance=u) for u in utterances])
    made = ConflictSet(tmp_path / "m.jsonl", label_set=PAPER_9, question=QUESTION, seed=0, report=print, split="test")
    (item,) = made.items()
    assert (item.kind, item.words_emotion, item.voice_emotion, item.split) == (Kind.CONFLICT, "sad", "happy", "test")
    assert made.skipped == {"no loaded word": 1}


def test_recipes_come_back_as_conflicts(tmp_path: Path) -> None:
    """Spoken and measured, each recipe is an item that says what the recipe said; none says what it plays."""
    made = recipes(PAPER_9)
    assert len({r.recipe_id for r in made}) == len(made) == 32 * 7  # 8 labels without whisper, less the own
    clips = [r.utterance(corpus="made", speaker_id="s1", audio_path=f"{r.recipe_id}.wav", synthetic=True) for r in made]
    measured = [replace(CLIPS["loud"], utterance=u) for u in clips]
    items = list(make(tmp_path, measured, most=1000).items())
    assert [(i.words_emotion, i.voice_emotion) for i in items] == [(r.words_emotion, r.voice_emotion) for r in made]
    assert {i.kind for i in items} == {Kind.CONFLICT}
    assert all(i.synthetic for i in items)
    assert {r.voice_emotion for r in recipes(IEMOCAP_4)} == set(IEMOCAP_4.labels)


def test_at_most_so_many_of_each(tmp_path: Path) -> None:
    """Forty sad sentences, half angry and half afraid: three of each."""
    voices = (Emotion.ANGRY, Emotion.FEAR)
    measured = [spoken(f"u{i}", "I am so lonely", voices[i % 2]) for i in range(40)]
    made = make(tmp_path, measured, most=3)
    assert Counter(i.voice_emotion for i in made.items()) == {Emotion.ANGRY: 3, Emotion.FEAR: 3}
    assert list(made.items()) == list(made.items())


def item(words: Emotion, voice: Emotion, kind: Kind = Kind.CONFLICT) -> ConflictItem:
    labels = "RAVDESS_8" if voice is Emotion.CALM else "PAPER_9"
    return ConflictItem("a", kind, "a", "a.wav", "Text", words, voice, ("text",), ("label",), QUESTION, labels)


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("angry", Followed.VOICE),
        ("Sadness.", Followed.WORDS),
        ("<think>Loud.</think><answer>angry</answer>", Followed.VOICE),
        ("<think>My dog died.</think><answer>sad</answer>", Followed.WORDS),
        ("fear", Followed.NEITHER),
        ("frustrated", Followed.VOICE),  # angry in PAPER_9
        ("", Followed.INVALID),
        ("sad or angry", Followed.INVALID),
        ("<think>Loud.</think>angry", Followed.INVALID),
        ("bored", Followed.INVALID),
    ],
)
def test_what_an_answer_followed(answer: str, found: Followed) -> None:
    """Sad words, angry voice; a label alone or the think/answer form."""
    assert followed(item(Emotion.SAD, Emotion.ANGRY), answer) is found


def test_an_answer_is_read_by_the_label_set_of_its_item() -> None:
    """Calm is a label of its own in RAVDESS_8; in PAPER_9 it would be neutral and follow the words."""
    one = item(Emotion.NEUTRAL, Emotion.CALM, Kind.NEUTRAL_WORDS)
    assert one.label_set == "RAVDESS_8"
    assert followed(one, "calm") is Followed.VOICE
    assert followed(one, "neutral") is Followed.WORDS


def test_the_table_by_kind() -> None:
    """Of four answers to conflicts two follow the words; where both agree, the label is the voice's."""
    conflict, agreeing = item(Emotion.SAD, Emotion.ANGRY), item(Emotion.SAD, Emotion.SAD, Kind.AGREEING)
    pairs = [(conflict, "sad"), (conflict, "sad"), (conflict, "angry"), (conflict, "?"), (agreeing, "sad")]
    found = score_conflict(pairs)
    assert list(found) == [Kind.CONFLICT, Kind.AGREEING]
    one = found[Kind.CONFLICT]
    assert (one.answers, one.voice, one.words, one.neither, one.invalid) == (4, 0.25, 0.5, 0.0, 0.25)
    assert one.chance == pytest.approx(1 / 9)
    assert (found[Kind.AGREEING].voice, found[Kind.AGREEING].words) == (1.0, 0.0)


def test_items_check_themselves() -> None:
    """Words and voice that agree are no conflict, and nothing is claimed without evidence."""
    with pytest.raises(InvalidRecordError, match="make no conflict"):
        item(Emotion.SAD, Emotion.SAD)
    with pytest.raises(InvalidRecordError, match="make no agreeing"):
        item(Emotion.SAD, Emotion.ANGRY, Kind.AGREEING)
    for wrong in ({"label_set": "NOPE"}, {"label_set": "IEMOCAP_4", "voice_emotion": Emotion.FEAR}):
        with pytest.raises(InvalidRecordError, match="must be labels of"):
            replace(item(Emotion.SAD, Emotion.ANGRY), **wrong)
    with pytest.raises(InvalidRecordError, match="evidence"):
        replace(item(Emotion.SAD, Emotion.ANGRY), words_evidence=())


def test_utterances_of_recipes_are_manifest_lines() -> None:
    """What an actor or a synthesiser makes of a recipe is labelled with the voice's emotion."""
    first = recipes(PAPER_9)[0]
    clip = first.utterance(corpus="made", speaker_id="s1", audio_path="a.wav", synthetic=True)
    assert isinstance(clip, Utterance)
    assert (clip.emotion, clip.transcript, clip.synthetic) == (first.voice_emotion, first.sentence, True)
