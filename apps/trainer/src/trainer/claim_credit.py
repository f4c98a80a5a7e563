"""Credit for single claims: the tokens of a claim earn what its verdict is worth among the answers to the same clip."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from itertools import accumulate

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from grpo_ptr import claim_advantages
from speech_claims import ClaimsError, verify
from speech_records import AnswerFormatError, Claim, Cue, MeasuredUtterance, Verdict, parse_response
from trainer.rollouts import Groups
from trainer.settings import ClaimBaseline

_CHECKED = {Verdict.SUPPORTED: True, Verdict.CONTRADICTED: False}


def claim_credit(
    groups: Groups, tokenizer: PreTrainedTokenizerBase, *, baseline: ClaimBaseline
) -> tuple[Tensor, float | None]:
    """`grpo_ptr.claim_advantages` at the tokens of every claim that was measured, float [B, K, T], 0 at all others;
    and the share of these claims that the measurement supports, `None` without any.

    Claims about one clip are compared, of one cue or of all as `baseline` says. Quotes are none, nor is what stands in
    an answer without form.
    """
    unique = sorted(set(groups.tokens[groups.mask].tolist()))
    pieces = dict(zip(unique, tokenizer.batch_decode([[token] for token in unique]), strict=True))
    where, supported, members = list[tuple[int, int, slice]](), list[bool](), list[int]()
    numbers: dict[tuple[int, Cue | None], int] = {}
    for b, (clip, texts) in enumerate(zip(groups.batch, groups.texts, strict=True)):
        for k, text in enumerate(texts):
            ends: list[int] | None = None
            for start, claim in _claims(clip, text):
                if ends is None:
                    ends = _token_ends(groups.tokens[b, k][groups.mask[b, k]].tolist(), text, pieces, tokenizer)
                first, last = bisect_right(ends, start + claim.start), bisect_left(ends, start + claim.end)
                where.append((b, k, slice(first, last + 1)))
                supported.append(_CHECKED[claim.verdict])
                cue = claim.cue if baseline is ClaimBaseline.CUE else None
                members.append(numbers.setdefault((b, cue), len(numbers)))
    credit = torch.zeros(groups.mask.shape)
    if not where:
        return credit, None
    given = claim_advantages(torch.tensor(supported), torch.tensor(members))
    for (b, k, tokens), advantage in zip(where, given.tolist(), strict=True):
        credit[b, k, tokens] = advantage
    return credit, sum(supported) / len(supported)


def _claims(clip: MeasuredUtterance, text: str) -> Iterator[tuple[int, Claim]]:
    """The claims of an answer that were measured, and where in `text` the reasoning begins that they are ranges of."""
    try:
        think = parse_response(text, strict=True).think
        claims = verify(think, clip.profile, clip.levels, clip.utterance.transcript)
    except (AnswerFormatError, ClaimsError):
        return
    start = text.index(think)
    yield from ((start, claim) for claim in claims if claim.verdict in _CHECKED and claim.cue is not Cue.QUOTE)


def _token_ends(
    tokens: list[int], text: str, pieces: Mapping[int, str], tokenizer: PreTrainedTokenizerBase
) -> list[int]:
    """Where in `text` each of its tokens ends, in characters; those of letters that are several tokens are decoded with
    what is before them.
    """
    made = [pieces[token] for token in tokens]
    if "".join(made).startswith(text):
        return list(accumulate(map(len, made)))
    return [len(tokenizer.decode(tokens[: n + 1])) for n in range(len(tokens))]
