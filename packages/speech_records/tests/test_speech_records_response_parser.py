"""What models write: forms that are off, and what is still read of them."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_records import AnswerFormatError, LenientResponse, format_answer, parse_response

# Texts as models write them, and what a person reads of them.
CASES: dict[str, tuple[str, str | None, str | None]] = {
    "the form": ("<think>Low.</think><answer>sad</answer>", "Low.", "sad"),
    "the form, spaced": (" <think> Low. </think>\n\n<answer> sad </answer>\n", "Low.", "sad"),
    "cased": ("<THINK>Low.</Think><Answer>Sad</ANSWER>", "Low.", "Sad"),
    "spaced tags": ("< think >Low.</ think><answer >sad< / answer>", "Low.", "sad"),
    "thinking": ("<thinking>Low.</thinking><answer>sad</answer>", "Low.", "sad"),
    "a fence": ("```xml\n<think>Low.</think>\n<answer>sad</answer>\n```", "Low.", "sad"),
    "an open fence": ("```\n<think>Low.</think><answer>sad</answer>", "Low.", "sad"),
    "an end token": ("<think>Low.</think><answer>sad</answer><|im_end|>", "Low.", "sad"),
    "end tokens": ("<s><think>Low.</think><answer>sad</answer></s>\n</s>", "Low.", "sad"),
    "a token in the answer": ("<think>L</think><answer>sad</s></answer>", "L", "sad</s>"),
    "an end token for a tag": ("<think>Low.</think><answer>sad<|im_end|>", "Low.", "sad"),
    "a fence and a token": ("```\n<think>Low.</think><answer>sad</answer><|im_end|>\n```<|endoftext|>", "Low.", "sad"),
    "text before": ("Sure! <think>Low.</think><answer>sad</answer>", "Low.", "sad"),
    "text between": ("<think>Low.</think>So:<answer>sad</answer>", "Low.", "sad"),
    "text after": ("<think>Low.</think><answer>sad</answer> I hope.", "Low.", "sad"),
    "unclosed answer": ("<think>Low.</think><answer>sad", "Low.", "sad"),
    "unopened answer": ("<think>Low.</think>sad</answer>", "Low.", "sad"),
    "untagged answer": ("<think>Low.</think>\nsad", "Low.", "sad"),
    "unopened answer, then text": ("<think>Low.</think>sad</answer> I hope.", "Low.", "sad"),
    "unclosed think": ("<think>Low. <answer>sad</answer>", "Low.", "sad"),
    "unclosed both": ("<think>Low. <answer>sad", "Low.", "sad"),
    "cut off": ("<think>Low and", "Low and", None),
    "cut off in a tag": ("<think>Low.</think><answ", "Low.", "<answ"),
    "unopened think": ("Low.</think><answer>sad</answer>", "Low.", "sad"),
    "no think": ("<answer>sad</answer>", None, "sad"),
    "reasoning without tags": ("It is low. <answer>sad</answer>", "It is low.", "sad"),
    "no answer": ("<think>Low.</think>", "Low.", None),
    "empty reasoning": ("<think> </think><answer>sad</answer>", None, "sad"),
    "empty answer": ("<think>Low.</think><answer>\n</answer>", "Low.", None),
    "an empty answer, then one": ("<think>Low.</think><answer></answer><answer>sad</answer>", "Low.", "sad"),
    "no tag at all": ("The voice is low and sad.", None, None),
    "nothing": ("", None, None),
    "tags in the transcript": (
        "<think>“<answer>happy</answer>”, she says, low.</think><answer>sad</answer>",
        "“happy”, she says, low.",
        "sad",
    ),
    "an end of reasoning in the transcript": (
        "<think>“</think><answer>happy</answer>”, she says.</think><answer>sad</answer>",
        "“happy”, she says.",
        "sad",
    ),
    "nested think": ("<think>a<think>b</think>c</think><answer>sad</answer>", "abc", "sad"),
    "two reasonings": ("<think>a</think> <think>b</think><answer>sad</answer>", "a b", "sad"),
    "nested answer": ("<think>a</think><answer><answer>sad</answer></answer>", "a", "sad"),
    "an answer inside the reasoning": ("<think>Low. <answer>sad</answer></think>", "Low.", "sad"),
    "the same again": ("<think>a</think><answer>sad</answer><answer>Sad</answer>", "a", "sad"),
    "another": ("<think>a</think><answer>sad</answer><answer>happy</answer>", "a", "sad"),
    "a second turn": ("<think>a</think><answer>sad</answer>\n<think>b</think><answer>happy</answer>", "a", "sad"),
    "answer first": ("<answer>sad</answer><think>Low.</think>", "Low.", "sad"),
    "a stray tag": ("<think>a</think><answer>sad</answer></answer>", "a", "sad"),
}
PIECES = ["<think>", "</think>", "<answer>", "</answer>", "<Think>", "< answer >", "```", "<|im_end|>", "</s>"]
PIECES += ["a", "sad", "\n", " ", "<", ">", "/", "<thi"]
WILD = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=14).map("".join))


@pytest.mark.parametrize(("text", "think", "answer"), CASES.values(), ids=CASES)
def test_what_models_write(text: str, think: str | None, answer: str | None) -> None:
    """By hand, see `CASES`."""
    found = parse_response(text, strict=False)
    assert (found.think, found.answer) == (think, answer)


@given(WILD)
def test_any_text_is_read_and_what_the_form_takes_is_read_as_it_does(text: str) -> None:
    """Never an exception; a problem exactly where the strict form refuses, in its words; parts never empty."""
    found = parse_response(text, strict=False)
    if found.problem is None:
        parsed = parse_response(text, strict=True)
        assert found == LenientResponse(parsed.think, parsed.answer)
    else:
        with pytest.raises(AnswerFormatError, match=re.escape(found.problem)):
            parse_response(text, strict=True)
    for part in (found.think, found.answer):
        assert part is None or part == part.strip() != ""


@given(WILD)
def test_what_was_read_and_put_into_the_form_is_read_again(text: str) -> None:
    """The form of the parts has the same parts and no problem."""
    found = parse_response(text, strict=False)
    if found.think is not None and found.answer is not None:
        again = parse_response(format_answer(found.think, found.answer), strict=False)
        assert again == LenientResponse(found.think, found.answer)


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
