"""How much each token counts in SFT, and batches in which it does."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from cotgen.tasks import SFTExample, Task
from cotgen.verdict import verdict_span
from policy import sequence_logprobs
from speech_records import Claim, Cue
from speechlm import SpeechBatch, SpeechLM
from trainer.dataset import AnnotatedCorpus
from trainer.perception import HeadTargets
from trainer.settings import SFTSettings

_ANSWER = re.compile("<answer>(.+?)</answer>", re.DOTALL)

Span = tuple[int, int]


class Part(IntEnum):
    """What a token belongs to."""

    PROMPT = 0
    TEXT = 1
    CLAIM = 2
    DECISION = 3


@dataclass(frozen=True, slots=True)
class Marked:
    """Where in a completion the decision and the claims about the sound are, as character spans."""

    decision: Span | None = None
    claims: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class WeightedBatch:
    """Questions, completions, and how much each token counts, `float32[N, T]`; `family` is that of all of them.

    `targets` is what the auxiliary heads learn of the clips, one in every row, where they learn in steps of text, too.
    """

    speech: SpeechBatch
    weights: Tensor
    family: str = "text"
    targets: HeadTargets | None = None

    def to(self, device: torch.device) -> WeightedBatch:
        """The same batch on another device."""
        return replace(self, speech=self.speech.to(device), weights=self.weights.to(device))

    def loss(self, model: SpeechLM, rows: int, embedded: Tensor | None = None) -> Tensor:
        """Weighted negative log-likelihood of the completions: what they add to the mean over `rows`; `embedded` as for
        `sequence_logprobs`.
        """
        return -(sequence_logprobs(model, self.speech, embedded=embedded) * self.weights).sum() / rows


def weighted_batch(
    model: SpeechLM,
    clips: list[Tensor],
    examples: Sequence[SFTExample],
    marked: Mapping[str, Marked],
    settings: SFTSettings,
) -> WeightedBatch:
    """The batch of `examples` of one family and of their `clips`, of which texts have none; `marked` as of
    `mark_reasoning`.
    """
    about = None if clips else [None] * len(examples)
    questions, targets = [e.question for e in examples], [e.target for e in examples]
    speech = model.collate(clips, questions, targets, audio_index=about)
    parts = torch.full(speech.input_ids.shape, int(Part.PROMPT))
    for row, mask, example in zip(parts, speech.completion_mask.cpu(), examples, strict=True):
        row[mask] = Part.TEXT
        if example.example_id in marked:
            row[mask] = torch.tensor(completion_parts(model.tokenizer, example.target, marked[example.example_id]))
    text_share = 1.0 - settings.decision_share - settings.claim_share
    weights = sft_loss_weights(
        parts, {Part.TEXT: text_share, Part.CLAIM: settings.claim_share, Part.DECISION: settings.decision_share}
    )
    return WeightedBatch(speech, weights.to(model.device), examples[0].task.value)


def mark_reasoning(
    corpus: AnnotatedCorpus, examples: Sequence[SFTExample], split: str
) -> tuple[dict[str, Marked], int]:
    """Decision and claims about the sound in the targets of a split's reasoning examples, by example, and how many of
    them state no verdict.
    """
    of = {e.utterance_id: e for e in examples if e.task is Task.REASONING}
    marked: dict[str, Marked] = {}
    without_verdict = 0
    for trace in corpus.traces(split):
        if trace.utterance_id in of:
            example = of[trace.utterance_id]
            decision, is_stated = decision_span(example.target, trace.think)
            without_verdict += not is_stated
            claims = claim_spans(example.target, trace.think, trace.claims)
            marked[example.example_id] = Marked(decision, tuple(claims))
    return marked, without_verdict


def completion_parts(tokenizer: PreTrainedTokenizerFast, completion: str, marked: Marked) -> list[Part]:
    """The part of every token of a completion, its end token last, which is text. A decision goes before a claim."""
    encoded = tokenizer(completion, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True)
    parts = bytearray([Part.TEXT]) * len(completion)
    decision = () if marked.decision is None else (marked.decision,)
    for kind, spans in ((Part.CLAIM, marked.claims), (Part.DECISION, decision)):
        for start, end in spans:
            parts[start:end] = bytes([kind]) * len(parts[start:end])
    return [*(Part(max(parts[start:end], default=Part.TEXT)) for start, end in encoded["offset_mapping"]), Part.TEXT]


def decision_span(target: str, think: str) -> tuple[Span | None, bool]:
    """Where `target` first says what it will answer, and whether that is in its reasoning, `think`.

    That is the verdict of the reasoning (`cotgen.verdict`), or, where a text states none, the label of its answer.
    """
    offset = target.find(think)
    verdict = verdict_span(think) if offset >= 0 else None
    if verdict is not None:
        return (verdict[0] + offset, verdict[1] + offset), True
    answer = _ANSWER.search(target)
    return (answer.span(1) if answer else None), False


def claim_spans(target: str, think: str, claims: Sequence[Claim]) -> list[Span]:
    """Where the claims of `think` about the sound stand in `target`; quoted words are no such claim."""
    offset = target.find(think)
    if offset < 0:
        return []
    return [(c.start + offset, c.end + offset) for c in claims if c.cue is not Cue.QUOTE]


def sft_loss_weights(parts: Tensor, shares: Mapping[Part, float]) -> Tensor:
    """Weights `float32[N, T]` of tokens whose parts are `int64[N, T]`; every row with a completion sums to 1.

    Rows count the same however long they are, so a four-word answer about prosody weighs as much as a page of
    reasoning. A part's share of its row is spread evenly over its tokens; shares of absent parts go to those present,
    in proportion. Without shares of their own, the decision and the few words that were heard in the sound would drown
    among the many that only make a sentence. What repeats the decision, such as the answer, is text: it costs nothing
    to learn.

    >>> parts = torch.tensor([[0, 1, 1, 2, 3], [0, 1, 0, 0, 0]])
    >>> sft_loss_weights(parts, {Part.TEXT: 0.4, Part.CLAIM: 0.3, Part.DECISION: 0.3})
    tensor([[0.0000, 0.2000, 0.2000, 0.3000, 0.3000],
            [0.0000, 1.0000, 0.0000, 0.0000, 0.0000]])
    """
    weights = torch.zeros(parts.shape)
    for part, share in shares.items():
        of_part = parts == part
        weights += share * of_part / of_part.sum(-1, keepdim=True).clamp(min=1)
    return weights / weights.sum(-1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
