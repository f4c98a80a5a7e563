"""The taxonomy against the label codes of the corpora, and the mappings of the label sets."""

import copy
import pickle

import pytest

from speech_records import (
    ALIASES,
    ALL_14,
    CREMAD_6,
    EMODB_7,
    EMOVO_7,
    IEMOCAP_4,
    LABEL_SETS,
    MELD_7,
    NEMO_6,
    PAPER_9,
    RAVDESS_8,
    SAVEE_7,
    URDU_4,
    Emotion,
    InvalidRecordError,
    LabelSet,
    UnknownEmotionError,
)

E = Emotion

# The spellings in the corpora's own files and documentation; labels that name no emotion of the union are left out.
CORPUS_LABELS = {
    "IEMOCAP": {
        "neu": E.NEUTRAL, "hap": E.HAPPY, "exc": E.EXCITED, "sad": E.SAD, "ang": E.ANGRY, "fea": E.FEAR,
        "dis": E.DISGUST, "sur": E.SURPRISE, "fru": E.FRUSTRATED,
    },
    "MELD": {
        "neutral": E.NEUTRAL, "joy": E.HAPPY, "sadness": E.SAD, "anger": E.ANGRY, "fear": E.FEAR,
        "disgust": E.DISGUST, "surprise": E.SURPRISE,
    },
    "Expresso": {
        "default": E.NEUTRAL, "confused": E.CONFUSED, "happy": E.HAPPY, "sad": E.SAD, "whisper": E.WHISPER,
        "laughing": E.HAPPY, "angry": E.ANGRY, "bored": E.BORED, "calm": E.CALM, "disgusted": E.DISGUST,
        "fearful": E.FEAR,
    },
    "MEAD": {
        "angry": E.ANGRY, "contempt": E.CONTEMPT, "disgusted": E.DISGUST, "fear": E.FEAR, "happy": E.HAPPY,
        "neutral": E.NEUTRAL, "sad": E.SAD, "surprised": E.SURPRISE,
    },
    "EARS": {
        "anger": E.ANGRY, "amusement": E.HAPPY, "confusion": E.CONFUSED, "disgust": E.DISGUST, "extasy": E.EXCITED,
        "fear": E.FEAR, "neutral": E.NEUTRAL, "sadness": E.SAD, "whisper": E.WHISPER,
    },
    "RAVDESS": {
        "neutral": E.NEUTRAL, "calm": E.CALM, "happy": E.HAPPY, "sad": E.SAD, "angry": E.ANGRY, "fearful": E.FEAR,
        "disgust": E.DISGUST, "surprised": E.SURPRISE,
    },
    "CREMA-D": {
        "ANG": E.ANGRY, "DIS": E.DISGUST, "FEA": E.FEAR, "HAP": E.HAPPY, "NEU": E.NEUTRAL, "SAD": E.SAD,
    },
    "SAVEE": {
        "anger": E.ANGRY, "disgust": E.DISGUST, "fear": E.FEAR, "happiness": E.HAPPY, "neutral": E.NEUTRAL,
        "sadness": E.SAD, "surprise": E.SURPRISE,
    },
    "EmoDB": {
        "anger": E.ANGRY, "boredom": E.BORED, "disgust": E.DISGUST, "fear": E.FEAR, "happiness": E.HAPPY,
        "sadness": E.SAD, "neutral": E.NEUTRAL,
    },
    "EmotionCoT": {
        "neutral": E.NEUTRAL, "happy": E.HAPPY, "sad": E.SAD, "angry": E.ANGRY, "contempt or disgust": E.CONTEMPT,
        "confused": E.CONFUSED, "whisper": E.WHISPER, "surprise": E.SURPRISE, "fear": E.FEAR,
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("label", "emotion"),
    [pytest.param(k, v, id=f"{corpus}-{k}") for corpus, labels in CORPUS_LABELS.items() for k, v in labels.items()],
)
def test_every_corpus_label_is_known(label: str, emotion: Emotion) -> None:
    """Expected values: the table above, read off each corpus's documentation."""
    assert Emotion.parse(label) is emotion


@pytest.mark.parametrize("label", ["xxx", "oth", "", "pride", "a", "f", "N", "05", "purple", "happy sad"])
def test_labels_that_mean_no_one_emotion_are_refused_by_name(label: str) -> None:
    """IEMOCAP's `xxx` and `oth` are no emotions; single letters and numbers differ from corpus to corpus."""
    with pytest.raises(UnknownEmotionError, match=repr(label)):
        Emotion.parse(label)


@pytest.mark.parametrize("label", ["Happy", " happy ", "HAPPINESS", "contempt_or_disgust", "Contempt-or  Disgust"])
def test_case_space_and_hyphens_do_not_matter(label: str) -> None:
    """The same word in the spellings that file names and answers use."""
    assert Emotion.parse(label) in (Emotion.HAPPY, Emotion.CONTEMPT)


def test_no_alias_is_claimed_twice_and_all_are_in_lookup_form() -> None:
    """A duplicate would silently win over the other; an alias not in lower case could never be found."""
    names = [e.value for e in Emotion] + [alias for aliases in ALIASES.values() for alias in aliases]
    assert len(set(names)) == len(names)
    assert all(name == " ".join(name.lower().split()) for name in names)
    assert set(ALIASES) == set(Emotion)


SIZES = {
    PAPER_9: 9, IEMOCAP_4: 4, MELD_7: 7, RAVDESS_8: 8, SAVEE_7: 7, EMODB_7: 7, CREMAD_6: 6,
    NEMO_6: 6, EMOVO_7: 7, URDU_4: 4, ALL_14: 14,
}  # fmt: skip


@pytest.mark.parametrize("label_set", LABEL_SETS.values(), ids=list(LABEL_SETS))
def test_label_sets_have_the_size_in_their_name_and_round_trip(label_set: LabelSet) -> None:
    """A label, written as it is offered, is read back as itself; chance is one over the size."""
    assert len(label_set.labels) == SIZES[label_set]
    assert label_set.name.endswith(str(SIZES[label_set]))
    for label in label_set.labels:
        assert label_set.map(label) is label
        assert label_set.parse(label_set.text(label)) is label


def test_the_paper_asks_for_its_nine_categories_in_the_published_words() -> None:
    """The list in the released inference prompt, in its order."""
    assert [PAPER_9.text(e) for e in PAPER_9.labels] == [
        "neutral", "happy", "sad", "angry", "contempt or disgust", "confused", "whisper", "surprise", "fear",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("label_set", "answer", "expected"),
    [
        (IEMOCAP_4, "excited", E.HAPPY),  # the four-class benchmark counts excitement as happiness
        (IEMOCAP_4, "frustrated", None),  # … and leaves frustration out
        (PAPER_9, "disgust", E.CONTEMPT),  # one category for both
        (PAPER_9, "bored", None),
        (RAVDESS_8, "calm", E.CALM),
        (SAVEE_7, "calm", E.NEUTRAL),
        (EMODB_7, "Boredom.", E.BORED),
        (EMODB_7, "surprise", None),
        (CREMAD_6, "contempt", E.DISGUST),
        (MELD_7, "joy!", E.HAPPY),
        (NEMO_6, "surprised", E.SURPRISE),
        (NEMO_6, "disgust", None),
        (EMOVO_7, "joy", E.HAPPY),
        (URDU_4, "fear", None),
        (RAVDESS_8, "purple", None),
        (RAVDESS_8, "", None),
        (RAVDESS_8, "a", None),  # the article is no answer
    ],
)
def test_answers_are_mapped_into_the_set(label_set: LabelSet, answer: str, expected: Emotion | None) -> None:
    """Each row is one line of the mappings, or one emotion that the benchmark leaves out."""
    assert label_set.parse(answer) is expected


def test_text_refuses_what_is_no_label() -> None:
    """A mapped emotion is not a label: it must be mapped before it is written."""
    with pytest.raises(UnknownEmotionError, match="excited"):
        IEMOCAP_4.text(Emotion.EXCITED)


@pytest.mark.parametrize(
    "arguments",
    [
        {"labels": ()},
        {"labels": (E.SAD, E.SAD)},
        {"labels": (E.SAD,), "mapping": {E.SAD: E.SAD}},
        {"labels": (E.SAD,), "mapping": {E.HAPPY: E.CALM}},
        {"labels": (E.SAD,), "display": {E.HAPPY: "glad"}},
    ],
)
def test_contradictory_label_sets_cannot_be_built(arguments: dict[str, object]) -> None:
    """No labels, a label twice, a mapping from inside, a mapping to outside, a display of what is no label."""
    with pytest.raises(InvalidRecordError, match="mine"):
        LabelSet("mine", **arguments)  # type: ignore[arg-type]


def test_label_sets_are_values() -> None:
    """Workers receive them pickled, configurations copy them, caches hash them; nobody can change one."""
    assert pickle.loads(pickle.dumps(PAPER_9)) == PAPER_9
    assert copy.deepcopy(PAPER_9) == PAPER_9
    assert hash(copy.deepcopy(PAPER_9)) == hash(PAPER_9)
    with pytest.raises(TypeError):
        PAPER_9.mapping[Emotion.BORED] = Emotion.SAD  # type: ignore[index]
