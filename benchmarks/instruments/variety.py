"""How much the wording of texts varies: distinct-n and self-BLEU.

- distinct-n: distinct runs of n words over all runs of n words (Li et al. 2016, *A diversity-promoting objective
  function for neural conversation models*). It falls as texts are added, so compare samples of one size.
- self-BLEU: the mean over texts of the BLEU of each against all the others (Zhu et al. 2018, *Texygen*): near 0
  when no two share a run of words, 1 when all are alike. BLEU is that of Papineni et al. (2002) with n up to 4 and
  equal weights; a run length without any match counts as `EPSILON` matches (smoothing 1 of Chen & Cherry 2014), as
  Texygen's does.

Words are compared in lower case and without punctuation, and quotes are left out: they are the transcript's variety,
not the writer's.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, log

from speech_claims.mentions import without_quotes
from speech_claims.quotes import words

MAX_N = 4
EPSILON = 0.1

Run = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variety:
    """Figures of `texts` texts, each in [0, 1]; `None` where there are too few words, or texts, to have one."""

    texts: int
    distinct_1: float | None
    distinct_2: float | None
    distinct_3: float | None
    self_bleu_4: float | None


def variety(texts: Iterable[str], *, sample: int | None = 1000, seed: int = 0) -> Variety:
    """The variety of `texts`, or of `sample` of them drawn by `seed` when there are more.

    >>> variety(["The pitch is low.", "The pitch is low."]).self_bleu_4
    1.0
    """
    listed = list(texts)
    if sample is not None and len(listed) > sample:
        listed = random.Random(f"variety:{seed}").sample(listed, k=sample)
    tokenised = [words(without_quotes(text)) for text in listed]
    one, two, three = (distinct(tokenised, n) for n in (1, 2, 3))
    return Variety(len(listed), one, two, three, self_bleu(tokenised))


def distinct(texts: Sequence[Sequence[str]], n: int) -> float | None:
    """Distinct runs of `n` words over all runs of `n` words of `texts` of words; `None` without any."""
    runs = [run for text in texts for run in _runs(text, n)]
    return len(set(runs)) / len(runs) if runs else None


def self_bleu(texts: Sequence[Sequence[str]]) -> float | None:
    """The mean BLEU-4 of each text of words against all others; `None` for fewer than two texts with words."""
    listed = [text for text in texts if text]
    if len(listed) < 2:
        return None
    counts = [[Counter(_runs(text, n)) for text in listed] for n in range(1, MAX_N + 1)]
    most = [_most(of_n) for of_n in counts]
    lengths = sorted(len(text) for text in listed)
    total = 0.0
    for i, text in enumerate(listed):
        logs = [_log_precision(counts[n][i], most[n], i) for n in range(MAX_N) if len(text) > n]
        total += _brevity(len(text), _closest(lengths, len(text))) * exp(sum(logs) / len(logs))
    return total / len(listed)


def _runs(text: Sequence[str], n: int) -> list[Run]:
    return [tuple(text[i : i + n]) for i in range(len(text) - n + 1)]


def _most(counts: Sequence[Counter[Run]]) -> dict[Run, tuple[int, int, int]]:
    """For each run the text that has it most often, how often, and how often it stands in the next best text."""
    best: dict[Run, tuple[int, int, int]] = {}
    for i, of_text in enumerate(counts):
        for run, count in of_text.items():
            owner, first, second = best.get(run, (i, 0, 0))
            best[run] = (i, count, first) if count > first else (owner, first, max(second, count))
    return best


def _log_precision(counts: Counter[Run], most: dict[Run, tuple[int, int, int]], text: int) -> float:
    matched = 0
    for run, count in counts.items():
        owner, first, second = most[run]
        matched += min(count, second if owner == text else first)
    return log((matched or EPSILON) / counts.total())


def _closest(lengths: Sequence[int], length: int) -> int:
    """The length of another text that is nearest to `length`, the shorter of two; `lengths` are sorted and hold it."""
    place = bisect_left(lengths, length)
    others = [*lengths[max(0, place - 1) : place], *lengths[place + 1 : place + 2]]
    return min(others, key=lambda other: (abs(other - length), other))


def _brevity(length: int, reference: int) -> float:
    return 1.0 if length >= reference else exp(1 - reference / length)
