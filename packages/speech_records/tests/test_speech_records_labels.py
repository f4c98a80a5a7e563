"""Labels in a model's own words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_records import IEMOCAP_4, LABEL_SETS, PAPER_9, RAVDESS_8, Emotion, LabelSet, read_label

E = Emotion


@pytest.mark.parametrize(
    ("answer", "label_set", "label"),
    [
        ("sad", PAPER_9, E.SAD),
        (" Sad.\n", PAPER_9, E.SAD),
        ("“SAD!”", PAPER_9, E.SAD),
        ("**sad**", PAPER_9, E.SAD),
        ("`sad`", PAPER_9, E.SAD),
        ("Ｓａｄ", PAPER_9, E.SAD),  # full-width letters
        ("happiness", PAPER_9, E.HAPPY),
        ("hap", PAPER_9, E.HAPPY),
        ("Fearful", PAPER_9, E.FEAR),
        ("a surprise", PAPER_9, E.SURPRISE),
        ("The emotion is sad.", PAPER_9, E.SAD),
        ("The speaker sounds very sad", PAPER_9, E.SAD),
        ("It's anger: the speaker is angry.", PAPER_9, E.ANGRY),
        ("contempt or disgust", PAPER_9, E.CONTEMPT),
        ("Contempt/disgust", PAPER_9, E.CONTEMPT),
        ("disgust", PAPER_9, E.CONTEMPT),
        ("disgust", RAVDESS_8, E.DISGUST),
        ("excited", IEMOCAP_4, E.HAPPY),
        ("excited and happy", IEMOCAP_4, E.HAPPY),
        ("not angry but sad", PAPER_9, E.SAD),
        ("sad, not angry", PAPER_9, E.SAD),
        ("sad rather than angry", PAPER_9, E.SAD),
        ("sad instead of angry", PAPER_9, E.SAD),
        ("Not only sad", PAPER_9, E.SAD),
        ("happy-sounding", PAPER_9, E.HAPPY),
        ("not angry", PAPER_9, None),
        ("not at all angry", PAPER_9, None),
        ("isn't angry", PAPER_9, None),
        ("neither happy nor sad", PAPER_9, None),
        ("unhappy", PAPER_9, None),
        ("purple", PAPER_9, None),
        ("", PAPER_9, None),
        ("happy or sad", PAPER_9, None),
        ("not only angry but sad", PAPER_9, None),
        ("sad and bored", IEMOCAP_4, None),
        ("bored", IEMOCAP_4, None),
        ("the dis in the sur", PAPER_9, None),
        ("by default", PAPER_9, None),
    ],
)
def test_what_an_answer_means(answer: str, label_set: LabelSet, label: Emotion | None) -> None:
    """As a person reads them; the maps of the sets are those of `LabelSet`."""
    assert read_label(answer, label_set).label is label


def test_all_that_is_named_is_told() -> None:
    """Denied ones are not named; one outside the set is."""
    found = read_label("Happy, sad or bored, but not angry; happy.", IEMOCAP_4)
    assert found.named == (E.HAPPY, E.SAD, E.BORED)
    assert found.ambiguous
    assert not read_label("bored", IEMOCAP_4).ambiguous
    assert not read_label("excitement, joy", IEMOCAP_4).ambiguous


@pytest.mark.parametrize("label_set", LABEL_SETS.values(), ids=LABEL_SETS)
def test_every_label_as_it_is_asked_for_means_itself(label_set: LabelSet) -> None:
    """Bare, as a sentence, and denied."""
    for label in label_set.labels:
        text = label_set.text(label)
        for answer in (text, text.upper(), f"The emotion is {text}.", f'"{text}"'):
            assert read_label(answer, label_set).label is label
        assert read_label(f"It is not {label.value}.", label_set).label is None


@given(st.text(), st.sampled_from(list(LABEL_SETS.values())))
def test_any_text_is_read_and_agrees_with_what_rewards_take(answer: str, label_set: LabelSet) -> None:
    """Never an exception; where `LabelSet.parse` finds a label, so does the reading, and the same."""
    found = read_label(answer, label_set)
    strict = label_set.parse(answer)
    assert strict is None or found.label is strict
    assert found.label is None or found.label in label_set.labels


@given(st.sampled_from(list(Emotion)), st.sampled_from(list(LABEL_SETS.values())))
def test_what_was_read_reads_as_itself(emotion: Emotion, label_set: LabelSet) -> None:
    """Reading the label's own text again changes nothing."""
    label = read_label(emotion.value, label_set).label
    assert label is None or read_label(label_set.text(label), label_set).label is label
