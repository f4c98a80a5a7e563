"""What a model is asked, and the strict think/answer form in which it reasons and answers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from speech_records.emotions import LabelSet
from speech_records.errors import AnswerFormatError

_FORM = re.compile(r"\s*<think>(?P<think>.*)</think>\s*<answer>(?P<answer>.*)</answer>\s*", re.DOTALL)
_TAG = re.compile(r"</?(?:think|answer)>")


def emotion_question(label_set: LabelSet) -> str:
    """The question that training data and policies share, with every label as it must be spelled in the answer.

    >>> from speech_records import IEMOCAP_4
    >>> emotion_question(IEMOCAP_4)
    'Which emotion do you hear: neutral, happy, sad, angry? Reason from the sound, then answer.'
    """
    labels = ", ".join(label_set.text(label) for label in label_set.labels)
    return f"Which emotion do you hear: {labels}? Reason from the sound, then answer."


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """Reasoning and answer, both stripped and never empty."""

    think: str
    answer: str


def parse_answer(text: str) -> ParsedAnswer:
    """Split `<think>…</think><answer>…</answer>` into its two parts.

    Strict: each tag once and in this order, both parts non-empty, nothing but white space around or between them.
    Raises `AnswerFormatError` that says which rule is broken.

    >>> parse_answer("<think>Loud and fast.</think> <answer>angry</answer>")
    ParsedAnswer(think='Loud and fast.', answer='angry')
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise AnswerFormatError(f"text is not <think>…</think><answer>…</answer>: {_shorten(text)}")
    think, answer = match["think"].strip(), match["answer"].strip()
    for name, part in (("think", think), ("answer", answer)):
        if not part:
            raise AnswerFormatError(f"the {name} part is empty: {_shorten(text)}")
        if _TAG.search(part):
            raise AnswerFormatError(f"a tag is repeated inside the {name} part: {_shorten(text)}")
    return ParsedAnswer(think, answer)


def format_answer(think: str, answer: str) -> str:
    """The text that `parse_answer` splits back into the same (stripped) parts.

    >>> format_answer("Loud and fast.", "angry")
    '<think>Loud and fast.</think><answer>angry</answer>'
    """
    text = f"<think>{think.strip()}</think><answer>{answer.strip()}</answer>"
    parse_answer(text)
    return text


def _shorten(text: str, limit: int = 80) -> str:
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")
