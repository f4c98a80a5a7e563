"""The strict think/answer form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_records import AnswerFormatError, StrictResponse, format_answer, parse_response

TAGS = ("<think>", "</think>", "<answer>", "</answer>")
PARTS = st.text().filter(lambda s: s.strip() and not any(tag in s for tag in TAGS))
SPACE = st.text(alphabet=" \t\r\n", max_size=4)


@given(PARTS, PARTS)
def test_what_is_formatted_parses_back(think: str, answer: str) -> None:
    """Both directions are inverse up to white space at the ends, for any text without tags."""
    assert parse_response(format_answer(think, answer), strict=True) == StrictResponse(think.strip(), answer.strip())


@given(PARTS, PARTS, SPACE, SPACE, SPACE)
def test_white_space_around_the_parts_changes_nothing(think: str, answer: str, a: str, b: str, c: str) -> None:
    """White space is allowed in the three places outside the tags and nowhere read."""
    text = f"{a}<think>{think}</think>{b}<answer>{answer}</answer>{c}"
    assert parse_response(text, strict=True) == StrictResponse(think.strip(), answer.strip())


@given(PARTS, PARTS, st.text().filter(str.strip), st.sampled_from(["before", "between", "after"]))
def test_any_other_text_outside_the_tags_is_refused(think: str, answer: str, extra: str, place: str) -> None:
    """Nothing but white space may stand around or between the two parts."""
    texts = {
        "before": f"{extra}<think>{think}</think><answer>{answer}</answer>",
        "between": f"<think>{think}</think>{extra}<answer>{answer}</answer>",
        "after": f"<think>{think}</think><answer>{answer}</answer>{extra}",
    }
    with pytest.raises(AnswerFormatError):
        parse_response(texts[place], strict=True)


@given(st.lists(st.one_of(st.sampled_from(TAGS), st.sampled_from(["a", " ", "\n", "<", ">"])), max_size=9))
def test_text_is_accepted_exactly_when_its_tags_stand_in_order(pieces: list[str]) -> None:
    """The slow reference: each tag once, in order, text inside both parts and none outside."""
    text = "".join(pieces)
    positions = [text.find(tag) for tag in TAGS]
    well_formed = all(text.count(tag) == 1 for tag in TAGS) and positions == sorted(positions)
    if well_formed:
        open_think, close_think, open_answer, close_answer = positions
        outside = (
            text[:open_think]
            + text[close_think + len("</think>") : open_answer]
            + text[close_answer + len("</answer>") :]
        )
        think = text[open_think + len("<think>") : close_think]
        answer = text[open_answer + len("<answer>") : close_answer]
        well_formed = not outside.strip() and bool(think.strip()) and bool(answer.strip())
    if well_formed:
        assert parse_response(text, strict=True) == StrictResponse(think.strip(), answer.strip())
    else:
        with pytest.raises(AnswerFormatError):
            parse_response(text, strict=True)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "is not <think>"),
        ("angry", "is not <think>"),
        ("<answer>angry</answer><think>loud</think>", "is not <think>"),
        ("<think>loud</think>", "is not <think>"),
        ("<THINK>loud</THINK><answer>angry</answer>", "is not <think>"),
        ("<think> </think><answer>angry</answer>", "think part is empty"),
        ("<think>loud</think><answer>\n</answer>", "answer part is empty"),
        ("<think>a</think><think>b</think><answer>sad</answer>", "repeated inside the think part"),
        ("<think>a</think><answer>sad</answer><answer>sad</answer>", "repeated inside"),
    ],
)
def test_the_error_says_which_rule_is_broken(text: str, rule: str) -> None:
    """One case for every rule of the form, by hand."""
    with pytest.raises(AnswerFormatError, match=rule):
        parse_response(text, strict=True)


def test_the_error_quotes_no_more_than_the_start_of_a_long_text() -> None:
    """A runaway generation of 100 kB must not fill the log."""
    with pytest.raises(AnswerFormatError) as caught:
        parse_response("x" * 100_000, strict=True)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("think", ["", "say <answer> aloud"])
def test_what_would_not_parse_back_is_not_formatted(think: str) -> None:
    """`format_answer` refuses what `parse_response` would refuse."""
    with pytest.raises(AnswerFormatError):
        format_answer(think, "sad")
