"""One parser for what a model wrote, with two strictnesses: its reasoning, its answer, and what is wrong with the form.

Strict, it takes the think/answer form and nothing else: rewards and metrics rest on that. Lenient, it never raises,
takes what can be told apart, and says what the strict one objects to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, overload

from speech_records.errors import AnswerFormatError


@dataclass(frozen=True, slots=True)
class StrictResponse:
    """Reasoning and answer, both stripped and never empty."""

    think: str
    answer: str


@dataclass(frozen=True, slots=True)
class LenientResponse:
    """Reasoning and answer as far as they can be told, stripped, `None` where there is none.

    `problem` is what the strict parser objects to, `None` exactly where it takes the text.
    """

    think: str | None
    answer: str | None
    problem: str | None = None


_FORM = re.compile(r"\s*<think>(?P<think>.*)</think>\s*<answer>(?P<answer>.*)</answer>\s*", re.DOTALL)
_STRICT_TAG = re.compile(r"</?(?:think|answer)>")
_ANSWER = re.compile(r"<answer>(.*?)(?=</?answer>|$)", re.DOTALL)
_TAG = re.compile(r"<\s*(?:(?P<slash>/)\s*)?(?P<name>think|answer)(?:ing)?\s*>", re.IGNORECASE)
_FENCE = re.compile(r"(?P<marks>`{3,}|~{3,})[^\n`~]*\n")
_SPECIAL = re.compile(r"<\|[\w ]{1,40}\|>|</?s>|<pad>|\[/?INST\]")
_LONGEST_SPECIAL = 44  # characters


@overload
def parse_response(text: str, *, strict: Literal[True]) -> StrictResponse: ...
@overload
def parse_response(text: str, *, strict: Literal[False]) -> LenientResponse: ...
def parse_response(text: str, *, strict: bool) -> StrictResponse | LenientResponse:
    """Split `<think>…</think><answer>…</answer>` into its two parts.

    `strict`: each tag once and in this order, both parts non-empty, nothing but white space around or between them.
    Raises `AnswerFormatError` that says which rule is broken.

    >>> parse_response("<think>Loud and fast.</think> <answer>angry</answer>", strict=True)
    StrictResponse(think='Loud and fast.', answer='angry')

    Not strict: any text. Never raises.

    1. What the strict parser takes is read as it does. Otherwise tags may be spelled `< Think >` or `<THINKING>`, and a
       code fence and special tokens (`<|im_end|>`, `</s>`) around the text or the answer are taken off.
    2. A second turn, a `<think>` after a finished first answer, is left out.
    3. The reasoning ends at the last `</think>` that has an `<answer>` after it, so tags that it quotes, from a
       transcript for example, stay in it. Unclosed, it ends at the last `<answer>`; where there is a `</think>` but no
       answer after it, what follows it is the answer, or else the last one inside it.
    4. The answer is the first after the reasoning that is not empty; unclosed, it ends with the text. Tags inside
       either part are taken out. A text without any tag has neither reasoning nor answer.

    >>> found = parse_response('<think>"Say <answer>happy</answer>", low.</think> So: <Answer>Sad', strict=False)
    >>> found.think, found.answer
    ('"Say happy", low.', 'Sad')
    """
    if strict:
        return _parse_strictly(text)
    try:
        parsed = _parse_strictly(text)
    except AnswerFormatError as error:
        think, answer = _read_leniently(_unwrapped(text))
        return LenientResponse(think, answer, str(error))
    return LenientResponse(parsed.think, parsed.answer)


def _parse_strictly(text: str) -> StrictResponse:
    match = _FORM.fullmatch(text)
    if match is None:
        raise AnswerFormatError(f"text is not <think>…</think><answer>…</answer>: {_shorten(text)}")
    think, answer = match["think"].strip(), match["answer"].strip()
    for name, part in (("think", think), ("answer", answer)):
        if not part:
            raise AnswerFormatError(f"the {name} part is empty: {_shorten(text)}")
        if _STRICT_TAG.search(part):
            raise AnswerFormatError(f"a tag is repeated inside the {name} part: {_shorten(text)}")
    return StrictResponse(think, answer)


def _unwrapped(text: str) -> str:
    """The text with its tags in plain spelling, without special tokens and a code fence around it."""
    for _ in range(2):
        text = _without_special(text.strip(), first=True)
        if fence := _FENCE.match(text):
            text = text[fence.end() :].removesuffix(fence["marks"])
    return _TAG.sub(lambda tag: f"<{tag['slash'] or ''}{tag['name'].lower()}>", text)


def _read_leniently(text: str) -> tuple[str | None, str | None]:
    text = _first_turn(text)
    last_answer = text.rfind("<answer>")
    end = text.rfind("</think>", 0, max(0, last_answer))
    if end >= 0:
        return _think(text[:end]), _answer(text[end:])
    end = text.rfind("</think>")
    if end >= 0:
        return _ended(text[:end], text[end + len("</think>") :], last_answer)
    if last_answer < 0:
        return (_think(text) if text.startswith("<think>") else None), None
    start = last_answer if text.startswith("<think>") else text.find("<answer>")
    return _think(text[:start]), _answer(text[start:])


def _first_turn(text: str) -> str:
    """The text up to a `<think>` that follows a closed reasoning and a closed answer."""
    place = 0
    for tag in ("</think>", "</answer>", "<think>"):
        place = text.find(tag, place)
        if place < 0:
            return text
    return text[:place]


def _ended(before: str, behind: str, last_answer: int) -> tuple[str | None, str | None]:
    """A closed reasoning without an `<answer>` after it."""
    if untagged := _bare(_STRICT_TAG.split(behind, maxsplit=1)[0]) or _bare(behind):
        return _think(before), untagged
    opened = before.find("<think>")
    if 0 <= before.find("<answer>") < opened:
        return _bare(before[opened:]), _answer(before[:opened])
    if last_answer >= 0:
        return _think(before[:last_answer]), _answer(before[last_answer:])
    return _think(before), None


def _think(part: str) -> str | None:
    """The reasoning, which starts after the first tag if that opens it."""
    first = _STRICT_TAG.search(part)
    return _bare(part[first.end() :] if first is not None and first[0] == "<think>" else part)


def _answer(part: str) -> str | None:
    """The first answer that is not empty."""
    return next(filter(None, map(_bare, _ANSWER.findall(part))), None)


def _bare(part: str) -> str | None:
    """A part without tags and the special tokens at its end; `None` when nothing is left."""
    bare = _without_special(part.strip())
    while (shorter := _TAG.sub("", bare)) != bare:
        bare = shorter
    return bare.strip() or None


def _without_special(text: str, *, first: bool = False) -> str:
    """`text` without the special tokens at its end, and with `first` at its beginning, and without space there."""
    start, end = 0, len(text)
    while first and (token := _SPECIAL.match(text, start)):
        start = token.end()
        while start < end and text[start].isspace():
            start += 1
    while True:
        tail = max(start, end - _LONGEST_SPECIAL)
        last = next((m for m in _SPECIAL.finditer(text[tail:end]) if tail + m.end() == end), None)
        if last is None:
            return text[start:end]
        end = tail + last.start()
        while end > start and text[end - 1].isspace():
            end -= 1


def _shorten(text: str, limit: int = 80) -> str:
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")
