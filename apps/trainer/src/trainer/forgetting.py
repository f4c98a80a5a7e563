"""What a model still can that SFT on prosody does not teach: to go on in plain text, and to write down what is said."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cotgen.tasks.scoring import word_errors
from policy import Sampler, sequence_logprobs
from speech_records import MeasuredUtterance
from speechlm import SpeechBatch, SpeechLM
from speechlm.tokenizer import text_ids
from trainer.families import ASR_QUESTION
from trainer.features import as_float
from trainer.metrics import RESAMPLES, Draws, Estimate, share
from trainer.progress import track

TEXTS = (
    "The river is low in August, and children walk across it on the stones.",
    "To make bread you need flour, water, salt, yeast and a warm place where the dough can rise for an hour.",
    "Light takes about eight minutes to travel from the sun to the earth.",
    "He put the letter back into the drawer, locked it, and said nothing about it to anyone.",
    "The committee will meet again on Thursday to decide whether the old bridge should be repaired or replaced.",
    "If the price of wheat rises, bakers usually wait a few weeks before they raise the price of bread.",
    "A triangle with three equal sides also has three equal angles.",
    "My grandmother kept bees behind the house and gave a jar of honey to every neighbour at Christmas.",
    "The train to the coast leaves from platform four at half past nine and stops in every village.",
    "Doctors advise people to drink more water on hot days and to avoid hard work in the middle of the day.",
    "She learned to play the violin at the age of six, but she stopped when the family moved to the city.",
    "Iron rusts faster near the sea because salt water carries electric charge well.",
    "In the last match of the season the team lost by a single goal in the final minute.",
    "The museum is closed on Mondays; on all other days visitors may come from ten in the morning until six.",
    "Nobody knew who had planted the apple trees along the road, but everyone ate the apples.",
    "A good knife should be washed by hand, dried at once, and sharpened from time to time.",
    "The law says that a contract is valid only if both sides have agreed to it freely.",
    "When the storm was over, the fishermen went down to the harbour to look for their boats.",
    "Computers store numbers as rows of zeros and ones, which is why powers of two appear so often.",
    "He asked the librarian for a book about volcanoes, and she brought him five.",
)
"""Ordinary sentences, written for this check, that no data set of ours holds."""
ANSWER_TOKENS = 64
"""Most tokens of a transcript."""


@dataclass(frozen=True, slots=True)
class Forgetting:
    """Perplexity of `TEXTS`, over a model's own tokens, and the word error rate of transcripts that it was asked for.

    Perplexities compare only between policies of one tokenizer. `word_error_rate` is over all `words` together, with
    its interval over speakers, `None` where no clip has a transcript.
    """

    text_perplexity: float
    text_tokens: int
    word_error_rate: Estimate | None
    words: int


def check_forgetting(
    model: SpeechLM, clips: Sequence[MeasuredUtterance], features: Mapping[str, Tensor], *, seed: int, what: str
) -> Forgetting:
    """Read `TEXTS` and transcribe `clips`, greedily."""
    perplexity, tokens = text_perplexity(model, TEXTS)
    spoken = [m for m in clips if (m.utterance.transcript or "").strip()]
    errors, words = _transcribe(model, spoken, features, what=what)
    speakers = sorted({m.utterance.speaker_id for m in spoken})
    counts = np.zeros((len(speakers), 2))
    for m, wrong, count in zip(spoken, errors, words, strict=True):
        counts[speakers.index(m.utterance.speaker_id)] += (wrong, count)
    rate = Draws(RESAMPLES, seed).estimate(share, counts) if sum(words) else None
    return Forgetting(perplexity, tokens, rate, sum(words))


@torch.no_grad()
def text_perplexity(model: SpeechLM, texts: Sequence[str]) -> tuple[float, int]:
    """Exponential of the mean negative log-likelihood of all tokens but the first of each text, and how many they are.

    A text is read as it is, without a turn of dialogue around it.
    """
    rows = [text_ids(model.tokenizer, text) for text in texts]
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    real = torch.zeros_like(ids, dtype=torch.bool)
    for i, row in enumerate(rows):
        ids[i, : len(row)], real[i, : len(row)] = torch.tensor(row), True
    nothing = torch.zeros(0, dtype=torch.long)
    batch = SpeechBatch(ids, real.long(), real, torch.zeros(0, 0, 0), nothing, nothing)
    total = float(sequence_logprobs(model, batch.to(model.device)).sum(dtype=torch.float64))
    count = int(real.sum()) - len(rows)
    return math.exp(-total / count), count


def _transcribe(
    model: SpeechLM, clips: Sequence[MeasuredUtterance], features: Mapping[str, Tensor], *, what: str, size: int = 32
) -> tuple[list[int], list[int]]:
    """Of every clip the wrong words of its transcript and the words that were said."""
    sampler, errors, words = Sampler(model), list[int](), list[int]()
    starts = range(0, len(clips), size)
    for start in track(starts, total=len(starts), what=what):
        batch = clips[start : start + size]
        heard = as_float(features[m.utterance.utterance_id] for m in batch)
        asked = [ASR_QUESTION] * len(batch)
        rollout = sampler.sample(heard, asked, temperature=0.0, max_new_tokens=ANSWER_TOKENS)
        for m, (text,) in zip(batch, rollout.texts, strict=True):
            wrong, count = word_errors(m.utterance.transcript or "", text)
            errors.append(wrong)
            words.append(count)
    return errors, words
