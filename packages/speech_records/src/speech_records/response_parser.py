"""One parser for what a model wrote, with two strictnesses: its reasoning, its answer, and what is wrong with the form.

Strict, it takes the think/answer form and nothing else: rewards and metrics rest on that. Lenient, it never raises,
takes what can be told apart, and says in which ways the text was off.
"""

from __future__ import annotations

import re
from bisect import bisect
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, overload

from speech_records.errors import AnswerFormatError


class ResponseProblem(StrEnum):
    """A way in which a text is off the think/answer form; the value says it in words."""

    CODE_FENCE = "it stands in a code fence"
    SPECIAL_TOKEN = "special tokens are spelled out around it"  # noqa: S105 - no password
    TAG_SPELLING = "tags are not spelled in plain lower case"
    TEXT_BEFORE = "text stands before the reasoning"
    UNOPENED_THINK = "the reasoning has no opening tag"
    UNCLOSED_THINK = "the reasoning has no closing tag"
    TAG_IN_THINK = "tags stand inside the reasoning"
    NO_THINK = "there is no reasoning"
    ANSWER_FIRST = "the answer stands before the reasoning"
    NESTED_ANSWER = "the answer stands inside the reasoning"
    TEXT_BETWEEN = "text stands between reasoning and answer"
    UNTAGGED_ANSWER = "the answer has no opening tag"
    UNCLOSED_ANSWER = "the answer has no closing tag"
    TAG_IN_ANSWER = "tags stand inside the answer"
    NO_ANSWER = "there is no answer"
    EMPTY_ANSWER = "an answer is empty"
    REPEATED_ANSWER = "the answer is given again"
    OTHER_ANSWER = "another answer follows"
    TEXT_AFTER = "text stands after the answer"
    STRAY_TAG = "tags stand outside both parts"


@dataclass(frozen=True, slots=True)
class StrictResponse:
    """Reasoning and answer, both stripped and never empty."""

    think: str
    answer: str


@dataclass(frozen=True, slots=True)
class LenientResponse:
    """Reasoning and answer as far as they can be told, stripped, `None` where there is none.

    `problems` are all ways in which the text is off the form, each once, in the order of `ResponseProblem`; none
    exactly when the strict parser takes the text.
    """

    think: str | None
    answer: str | None
    problems: tuple[ResponseProblem, ...]


@dataclass(frozen=True, slots=True)
class _Tag:
    name: str
    closing: bool
    start: int
    end: int
    plain: bool


_FORM = re.compile(r"\s*<think>(?P<think>.*)</think>\s*<answer>(?P<answer>.*)</answer>\s*", re.DOTALL)
_STRICT_TAG = re.compile(r"</?(?:think|answer)>")
_TAG = re.compile(r"<\s*(?:(?P<slash>/)\s*)?(?P<name>think|answer)(?:ing)?\s*>", re.IGNORECASE)
_FENCE = re.compile(r"(?P<marks>`{3,}|~{3,})[^\n`~]*\n")
_SPECIAL = re.compile(r"<\|[\w ]{1,40}\|>|</?s>|<pad>|\[/?INST\]")
_PLAIN_TAGS = {"<think>", "</think>", "<answer>", "</answer>"}
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

    Not strict: any text, with all that is wrong with its form. Never raises.

    1. What the strict parser takes is read as it does. Otherwise tags may be spelled `< Think >` or `<THINKING>`, and a
       code fence and special tokens (`<|im_end|>`, `</s>`) around the text or the answer are taken off.
    2. A second turn, a `<think>` behind a finished first answer, is text after the answer.
    3. The reasoning ends at the last `</think>` that has an `<answer>` behind it, so tags that it quotes, from a
       transcript for example, stay in it. Unclosed, it ends at the last `<answer>`; where there is a `</think>` but no
       answer behind it, what follows it is the answer, or else the last one inside it.
    4. The answer is the first behind the reasoning that is not empty; unclosed, it ends at the next tag or with the
       text. Tags inside either part are taken out. A text without any tag has neither reasoning nor answer.

    >>> parse_response('<think>"Say <answer>happy</answer>", low.</think> So: <Answer>Sad', strict=False)
    LenientResponse(think='"Say happy", low.', answer='Sad', problems=(<ResponseProblem.TAG_SPELLING: \
'tags are not spelled in plain lower case'>, <ResponseProblem.TAG_IN_THINK: 'tags stand inside the reasoning'>, \
<ResponseProblem.TEXT_BETWEEN: 'text stands between reasoning and answer'>, <ResponseProblem.UNCLOSED_ANSWER: \
'the answer has no closing tag'>))
    """
    if strict:
        return _parse_strictly(text)
    try:
        parsed = _parse_strictly(text)
    except AnswerFormatError:
        return _Reader(text).read()
    return LenientResponse(parsed.think, parsed.answer, ())


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


class _Reader:
    """Reads one text; `found` collects what is wrong with it."""

    def __init__(self, text: str) -> None:
        self.found: set[ResponseProblem] = set()
        self.text = self._unwrapped(text)

    def read(self) -> LenientResponse:
        tags = _tags(self.text)
        if not all(tag.plain for tag in tags):
            self.found.add(ResponseProblem.TAG_SPELLING)
        tags = self._first_turn(tags)
        think, answer = self._parts(tags)
        self._note(ResponseProblem.NO_THINK, think is None)
        self._note(ResponseProblem.NO_ANSWER, answer is None)
        return LenientResponse(think, answer, tuple(p for p in ResponseProblem if p in self.found))

    def _note(self, problem: ResponseProblem, there: object) -> None:
        if there:
            self.found.add(problem)

    def _unwrapped(self, text: str) -> str:
        """The text without what is wrapped around it: special tokens, then a code fence, then special tokens in it."""
        for _ in range(2):
            bare = _without_special(text.strip(), first=True)
            self._note(ResponseProblem.SPECIAL_TOKEN, bare != text.strip())
            fence = _FENCE.match(bare)
            self._note(ResponseProblem.CODE_FENCE, fence)
            text = bare[fence.end() :].removesuffix(fence["marks"]) if fence else bare
        return text

    def _first_turn(self, tags: list[_Tag]) -> list[_Tag]:
        """The tags before a `<think>` that follows a closed reasoning and a closed answer."""
        closed: list[str] = []
        for i, tag in enumerate(tags):
            if tag.name == "think" and not tag.closing and closed[:1] == ["think"] and "answer" in closed:
                self.text = self.text[: tag.start]
                self.found.add(ResponseProblem.TEXT_AFTER)
                return tags[:i]
            if tag.closing and (closed or tag.name == "think"):
                closed.append(tag.name)
        return tags

    def _parts(self, tags: list[_Tag]) -> tuple[str | None, str | None]:
        opens = [t for t in tags if t.name == "answer" and not t.closing]
        ends = [t for t in tags if t.name == "think" and t.closing]
        followed = [t for t in ends if opens and opens[-1].start >= t.end]
        if followed:
            end = followed[-1]
            return self._think(tags, end.start), self._answer([t for t in tags if t.start >= end.end], end.end)
        if ends:
            return self._ended(tags, opens, ends[-1])
        started = bool(tags) and tags[0].name == "think"
        self._note(ResponseProblem.UNCLOSED_THINK, started)
        if not opens:
            if started:
                return self._think(tags, len(self.text)), None
            self._note(ResponseProblem.TEXT_BEFORE, self.text.strip())
            return None, None
        first = opens[-1] if started else opens[0]
        think = self._think(tags, first.start)
        return think, self._answer([t for t in tags if t.start >= first.start], first.start)

    def _ended(self, tags: list[_Tag], opens: list[_Tag], end: _Tag) -> tuple[str | None, str | None]:
        """A closed reasoning without an `<answer>` behind it."""
        rest = [t for t in tags if t.start >= end.end]
        behind = self._bare(self.text[end.end :])
        if behind:
            self.found.add(ResponseProblem.UNTAGGED_ANSWER)
            self._note(ResponseProblem.UNCLOSED_ANSWER, not rest)
            tagged = self._bare(self.text[end.end : rest[0].start]) if rest else None
            if tagged:
                self._outside(rest[0].end, len(self.text), ResponseProblem.TEXT_AFTER)
            return self._think(tags, end.start), tagged or behind
        if not opens:
            return self._think(tags, end.start), None
        thinks = [t for t in tags if t.name == "think" and not t.closing]
        if thinks and any(opens[0].start < t.start < thinks[0].start for t in tags if t.closing):
            self.found.add(ResponseProblem.ANSWER_FIRST)
            first = [t for t in tags if t.start < thinks[0].start]
            answer = self._answer(first, 0, stop=thinks[0].start)
            return self._bare(self.text[thinks[0].end : end.start]), answer
        self.found.add(ResponseProblem.NESTED_ANSWER)
        inner = [t for t in tags if opens[-1].start <= t.start < end.start]
        return self._think(tags, opens[-1].start), self._answer(inner, opens[-1].start, stop=end.start)

    def _think(self, tags: list[_Tag], end: int) -> str | None:
        """The reasoning that ends at `end`."""
        before = [t for t in tags if t.start < end]
        start = 0
        if before and before[0].name == "think" and not before[0].closing:
            start = before[0].end
            self._note(ResponseProblem.TEXT_BEFORE, self.text[: before[0].start].strip())
            before = before[1:]
        else:
            self._note(ResponseProblem.UNOPENED_THINK, self.text[:end].strip())
        self._note(ResponseProblem.TAG_IN_THINK, before)
        return self._bare(self.text[start:end])

    def _answer(self, tags: list[_Tag], start: int, *, stop: int | None = None) -> str | None:
        """The first answer of `self.text[start:stop]`, whose tags are `tags`, that is not empty."""
        stop = len(self.text) if stop is None else stop
        closings = [i for i, t in enumerate(tags) if t.closing and t.name == "answer"]
        chosen: str | None = None
        at = start  # what lies before it has been read
        for i, tag in enumerate(tags):
            if tag.start < at or tag.closing or tag.name != "answer":
                continue
            self._outside(at, tag.start, ResponseProblem.TEXT_BETWEEN if chosen is None else ResponseProblem.TEXT_AFTER)
            end = bisect(closings, i)
            if end < len(closings):
                self._note(ResponseProblem.TAG_IN_ANSWER, closings[end] > i + 1)
                until, at = tags[closings[end]].start, tags[closings[end]].end
            else:
                self.found.add(ResponseProblem.UNCLOSED_ANSWER)
                until = at = tags[i + 1].start if i + 1 < len(tags) else stop
            answer = self._bare(self.text[tag.end : until])
            if chosen is not None:
                same = answer is None or answer.casefold() == chosen.casefold()
                self.found.add(ResponseProblem.REPEATED_ANSWER if same else ResponseProblem.OTHER_ANSWER)
            elif answer is None:
                self.found.add(ResponseProblem.EMPTY_ANSWER)
            chosen = answer if chosen is None else chosen
        self._outside(at, stop, ResponseProblem.TEXT_AFTER)
        return chosen

    def _outside(self, start: int, end: int, problem: ResponseProblem) -> None:
        """Note `problem` where there is text, or else that there are tags."""
        if self.text[start:end].strip():
            self.found.add(problem if self._bare(self.text[start:end]) else ResponseProblem.STRAY_TAG)

    def _bare(self, part: str) -> str | None:
        """A part without tags and the special tokens at its end; `None` when nothing is left."""
        ended = _without_special(part.strip())
        self._note(ResponseProblem.SPECIAL_TOKEN, ended != part.strip())
        while (bare := _TAG.sub("", ended)) != ended:
            ended = bare
        return ended.strip() or None


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


def _tags(text: str) -> list[_Tag]:
    return [
        _Tag(m["name"].lower(), bool(m["slash"]), m.start(), m.end(), m[0] in _PLAIN_TAGS) for m in _TAG.finditer(text)
    ]


def _shorten(text: str, limit: int = 80) -> str:
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")
