"""What models write: forms that are off, and what is still read of them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_records import AnswerFormatError, LenientResponse, format_answer, parse_response
from speech_records import ResponseProblem as P

# Texts as models write them, what a person reads of them, and what that person would object to.
CASES: dict[str, tuple[str, str | None, str | None, set[P]]] = {
    "the form": ("<think>Low.</think><answer>sad</answer>", "Low.", "sad", set()),
    "the form, spaced": (" <think> Low. </think>\n\n<answer> sad </answer>\n", "Low.", "sad", set()),
    "cased": ("<THINK>Low.</Think><Answer>Sad</ANSWER>", "Low.", "Sad", {P.TAG_SPELLING}),
    "spaced tags": ("< think >Low.</ think><answer >sad< / answer>", "Low.", "sad", {P.TAG_SPELLING}),
    "thinking": ("<thinking>Low.</thinking><answer>sad</answer>", "Low.", "sad", {P.TAG_SPELLING}),
    "a fence": ("```xml\n<think>Low.</think>\n<answer>sad</answer>\n```", "Low.", "sad", {P.CODE_FENCE}),
    "an open fence": ("```\n<think>Low.</think><answer>sad</answer>", "Low.", "sad", {P.CODE_FENCE}),
    "an end token": ("<think>Low.</think><answer>sad</answer><|im_end|>", "Low.", "sad", {P.SPECIAL_TOKEN}),
    "end tokens": ("<s><think>Low.</think><answer>sad</answer></s>\n</s>", "Low.", "sad", {P.SPECIAL_TOKEN}),
    "a token in the answer": ("<think>L</think><answer>sad</s></answer>", "L", "sad</s>", set()),
    "an end token for a tag": (
        "<think>Low.</think><answer>sad<|im_end|>",
        "Low.",
        "sad",
        {P.SPECIAL_TOKEN, P.UNCLOSED_ANSWER},
    ),
    "a fence and a token": (
        "```\n<think>Low.</think><answer>sad</answer><|im_end|>\n```<|endoftext|>",
        "Low.",
        "sad",
        {P.CODE_FENCE, P.SPECIAL_TOKEN},
    ),
    "text before": ("Sure! <think>Low.</think><answer>sad</answer>", "Low.", "sad", {P.TEXT_BEFORE}),
    "text between": ("<think>Low.</think>So:<answer>sad</answer>", "Low.", "sad", {P.TEXT_BETWEEN}),
    "text after": ("<think>Low.</think><answer>sad</answer> I hope.", "Low.", "sad", {P.TEXT_AFTER}),
    "unclosed answer": ("<think>Low.</think><answer>sad", "Low.", "sad", {P.UNCLOSED_ANSWER}),
    "unopened answer": ("<think>Low.</think>sad</answer>", "Low.", "sad", {P.UNTAGGED_ANSWER}),
    "untagged answer": ("<think>Low.</think>\nsad", "Low.", "sad", {P.UNTAGGED_ANSWER, P.UNCLOSED_ANSWER}),
    "unopened answer, then text": (
        "<think>Low.</think>sad</answer> I hope.",
        "Low.",
        "sad",
        {P.UNTAGGED_ANSWER, P.TEXT_AFTER},
    ),
    "unclosed think": ("<think>Low. <answer>sad</answer>", "Low.", "sad", {P.UNCLOSED_THINK}),
    "unclosed both": ("<think>Low. <answer>sad", "Low.", "sad", {P.UNCLOSED_THINK, P.UNCLOSED_ANSWER}),
    "cut off": ("<think>Low and", "Low and", None, {P.UNCLOSED_THINK, P.NO_ANSWER}),
    "cut off in a tag": ("<think>Low.</think><answ", "Low.", "<answ", {P.UNTAGGED_ANSWER, P.UNCLOSED_ANSWER}),
    "unopened think": ("Low.</think><answer>sad</answer>", "Low.", "sad", {P.UNOPENED_THINK}),
    "no think": ("<answer>sad</answer>", None, "sad", {P.NO_THINK}),
    "reasoning without tags": ("It is low. <answer>sad</answer>", "It is low.", "sad", {P.UNOPENED_THINK}),
    "no answer": ("<think>Low.</think>", "Low.", None, {P.NO_ANSWER}),
    "empty reasoning": ("<think> </think><answer>sad</answer>", None, "sad", {P.NO_THINK}),
    "empty answer": ("<think>Low.</think><answer>\n</answer>", "Low.", None, {P.EMPTY_ANSWER, P.NO_ANSWER}),
    "an empty answer, then one": (
        "<think>Low.</think><answer></answer><answer>sad</answer>",
        "Low.",
        "sad",
        {P.EMPTY_ANSWER},
    ),
    "no tag at all": ("The voice is low and sad.", None, None, {P.TEXT_BEFORE, P.NO_THINK, P.NO_ANSWER}),
    "nothing": ("", None, None, {P.NO_THINK, P.NO_ANSWER}),
    "tags in the transcript": (
        "<think>“<answer>happy</answer>”, she says, low.</think><answer>sad</answer>",
        "“happy”, she says, low.",
        "sad",
        {P.TAG_IN_THINK},
    ),
    "an end of reasoning in the transcript": (
        "<think>“</think><answer>happy</answer>”, she says.</think><answer>sad</answer>",
        "“happy”, she says.",
        "sad",
        {P.TAG_IN_THINK},
    ),
    "nested think": (
        "<think>a<think>b</think>c</think><answer>sad</answer>",
        "abc",
        "sad",
        {P.TAG_IN_THINK},
    ),
    "two reasonings": (
        "<think>a</think> <think>b</think><answer>sad</answer>",
        "a b",
        "sad",
        {P.TAG_IN_THINK},
    ),
    "nested answer": (
        "<think>a</think><answer><answer>sad</answer></answer>",
        "a",
        "sad",
        {P.TAG_IN_ANSWER, P.STRAY_TAG},
    ),
    "an answer inside the reasoning": ("<think>Low. <answer>sad</answer></think>", "Low.", "sad", {P.NESTED_ANSWER}),
    "the same again": (
        "<think>a</think><answer>sad</answer><answer>Sad</answer>",
        "a",
        "sad",
        {P.REPEATED_ANSWER},
    ),
    "another": ("<think>a</think><answer>sad</answer><answer>happy</answer>", "a", "sad", {P.OTHER_ANSWER}),
    "a second turn": (
        "<think>a</think><answer>sad</answer>\n<think>b</think><answer>happy</answer>",
        "a",
        "sad",
        {P.TEXT_AFTER},
    ),
    "answer first": (
        "<answer>sad</answer><think>Low.</think>",
        "Low.",
        "sad",
        {P.ANSWER_FIRST},
    ),
    "a stray tag": ("<think>a</think><answer>sad</answer></answer>", "a", "sad", {P.STRAY_TAG}),
}
PIECES = ["<think>", "</think>", "<answer>", "</answer>", "<Think>", "< answer >", "```", "<|im_end|>", "</s>"]
PIECES += ["a", "sad", "\n", " ", "<", ">", "/", "<thi"]
WILD = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=14).map("".join))


@pytest.mark.parametrize(("text", "think", "answer", "problems"), CASES.values(), ids=CASES)
def test_what_models_write(text: str, think: str | None, answer: str | None, problems: set[P]) -> None:
    """By hand, see `CASES`."""
    found = parse_response(text, strict=False)
    assert (found.think, found.answer) == (think, answer)
    assert set(found.problems) == problems


@given(WILD)
def test_any_text_is_read_and_what_the_form_takes_is_read_as_it_does(text: str) -> None:
    """Never an exception; problems exactly where the strict form refuses; parts stripped and never empty."""
    found = parse_response(text, strict=False)
    try:
        parsed = parse_response(text, strict=True)
    except AnswerFormatError:
        assert found.problems
        assert list(found.problems) == sorted(set(found.problems), key=list(P).index)
    else:
        assert found == LenientResponse(parsed.think, parsed.answer, ())
    for part in (found.think, found.answer):
        assert part is None or part == part.strip() != ""
    assert (found.think is None) == (P.NO_THINK in found.problems)
    assert (found.answer is None) == (P.NO_ANSWER in found.problems)


@given(WILD)
def test_what_was_read_and_put_into_the_form_is_read_again(text: str) -> None:
    """The form of the parts has the same parts and no problem."""
    found = parse_response(text, strict=False)
    if found.think is not None and found.answer is not None:
        again = parse_response(format_answer(found.think, found.answer), strict=False)
        assert again == LenientResponse(found.think, found.answer, ())


def test_a_runaway_text_is_read_in_time() -> None:
    """A megabyte of tags and of white space, which careless patterns take minutes for."""
    for text in (
        "<think>" * 150_000,
        "<answer>a</answer>" * 50_000,
        " " * 1_000_000 + "x",
        "<|im_end|> " * 90_000,
        "<" + " " * 500_000,
    ):
        start = time.process_time()
        parse_response(text, strict=False)
        assert time.process_time() - start < 5, text[:9]
