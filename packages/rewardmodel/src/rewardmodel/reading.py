"""A text as the reward model reads it: its tokens, and its claims about the sound with the tokens of their values."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from rewardmodel.errors import TraceError, TraceTooLongError
from rewardmodel.parsing import SENTENCE_BOUNDARY
from speech_claims import ClaimsError, verify
from speech_claims.faithfulness import MAX_CHARACTERS
from speech_claims.readable import Readable, readable
from speech_claims.senses import value_word
from speech_claims.verification import NOT
from speech_records import (
    AnswerFormatError,
    Claim,
    Cue,
    Emotion,
    MeasuredUtterance,
    ProsodyProfile,
    SpeechRecordsError,
    format_answer,
    parse_response,
)

AT_THE_END = " at the end"
_UNMEASURED = ProsodyProfile(duration_s=1.0, sample_rate=16_000)


@dataclass(frozen=True, slots=True)
class Reading:
    """The tokens of a text, its claims but for quotes, and the emotion that it answers (`None` where it names none).

    - `values`: the tokens, from and up to, in which a claim's value is said for the first time in the text, and the one
      behind, which ends it: *rising* is not *rising-falling*
    - `sentences`: the tokens, from and up to, of every sentence; the last one holds the answer too
    - `label`: the token with which the conclusion, or else the answer, begins to name the emotion; `labels` are those
      with which it would name each of `Emotion`
    - `obscured`: which claims earn no credit, as their sentence is not what it looks like

    Without measurements the verdict of every claim is that it cannot be verified.
    """

    ids: tuple[int, ...]
    claims: tuple[Claim, ...]
    emotion: Emotion | None
    values: tuple[tuple[int, int], ...]
    sentences: tuple[tuple[int, int], ...]
    label: int
    labels: tuple[int, ...]
    obscured: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class ParsedText:
    """A text in the form in which a policy writes: reasoning (letters that hide something replaced), answer, claims."""

    reasoning: Readable
    answer: str
    claims: tuple[Claim, ...]

    @property
    def emotion(self) -> Emotion | None:
        """The emotion that is answered, if any."""
        try:
            return Emotion.parse(self.answer)
        except SpeechRecordsError:
            return None

    @property
    def obscured(self) -> tuple[bool, ...]:
        """Which claims earn no credit, as their sentence is not what it looks like."""
        return tuple(self.reasoning.is_obscured(c.start, c.end) for c in self.claims)


def parse_text(text: str, measured: MeasuredUtterance | None = None) -> ParsedText:
    """The parts of `text`. With `measured` its claims are checked against that clip, else none can be verified.

    Raises `TraceError` for a text without form or without reasoning, `TraceTooLongError` for one longer than is scored.
    """
    try:
        parsed = parse_response(text, strict=True)
        if len(parsed.think) > MAX_CHARACTERS:
            raise TraceTooLongError(
                f"the reasoning has {len(parsed.think)} characters, at most {MAX_CHARACTERS} are scored"
            )
        transcript = None if measured is None else measured.utterance.transcript
        made = readable(parsed.think, transcript)
        profile, levels = (_UNMEASURED, None) if measured is None else (measured.profile, measured.levels)
        found = verify(made.text, profile, levels, transcript)
        format_answer(made.text, parsed.answer)  # it must be possible to write it again
    except (AnswerFormatError, ClaimsError) as error:
        raise TraceError(str(error)) from error
    claims = sorted((c for c in found if c.cue is not Cue.QUOTE), key=lambda c: c.end)
    return ParsedText(made, parsed.answer, tuple(claims))


def read(tokenizer: PreTrainedTokenizerFast, text: str, measured: MeasuredUtterance | None = None) -> Reading:
    """What `parse_text` finds in `text`, and the tokens of it. Raises what `parse_text` does."""
    parsed = parse_text(text, measured)
    think, claims = parsed.reasoning.text, parsed.claims
    whole = format_answer(think, parsed.answer)
    start = whole.index(">") + 1 - (len(think) - len(think.lstrip()))
    encoded = tokenizer(whole, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True)
    token_ends = [end for _, end in encoded["offset_mapping"]]
    said: dict[tuple[Cue, str], tuple[int, int]] = {}
    for claim in claims:
        first = bisect_right(token_ends, start + claim.start + _value_offset(claim))
        said.setdefault((claim.cue, claim.value), (first, bisect_left(token_ends, start + claim.end) + 2))
    sentences = _sentences(whole, token_ends)
    at = _label_at(whole, parsed.answer, token_ends[sentences[-1][0] - 1] if len(sentences) > 1 else 0)
    return Reading(
        ids=tuple(encoded["input_ids"]),
        claims=claims,
        emotion=parsed.emotion,
        values=tuple(said[claim.cue, claim.value] for claim in claims),
        sentences=sentences,
        label=bisect_right(token_ends, at),
        labels=_first_tokens(tokenizer, after_space=whole[at - 1].isspace()),
        obscured=parsed.obscured,
    )


def _label_at(text: str, answer: str, last: int) -> int:
    """Where `answer` is first said from `last` on, where the last sentence begins."""
    found = re.compile(rf"(?<![\w-]){re.escape(answer)}(?![\w-])", re.IGNORECASE).search(text, last)
    return text.rindex(answer) if found is None else found.start()


def _first_tokens(tokenizer: PreTrainedTokenizerFast, *, after_space: bool) -> tuple[int, ...]:
    """The first token of every emotion's name."""
    names = [f" {emotion.value}" if after_space else emotion.value for emotion in Emotion]
    encoded: list[list[int]] = tokenizer(names, add_special_tokens=False)["input_ids"]
    return tuple(ids[0] for ids in encoded)


def _sentences(text: str, token_ends: list[int]) -> tuple[tuple[int, int], ...]:
    """The tokens of each sentence; a token that two share belongs to the second."""
    last = text.rindex("</think>")
    cuts = [bisect_right(token_ends, m.start()) for m in SENTENCE_BOUNDARY.finditer(text, 0, last)]
    starts = sorted({0, *cuts})
    return tuple(zip(starts, [*starts[1:], len(token_ends)], strict=True))


def _value_offset(claim: Claim) -> int:
    """Where in the text of a claim its value begins, as far as it is said by its first word; else 0."""
    value = claim.value.removeprefix(NOT).removesuffix(AT_THE_END)
    try:
        word = value_word(claim.cue, value)
    except KeyError:  # a stressed word, which is its own value
        word = value
    return max(0, claim.text.lower().find(word))
