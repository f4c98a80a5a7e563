"""The faithfulness score that is expected of claims each of which is true with a probability.

`speech_claims.faithfulness` scores verdicts; a model that listens has probabilities of verdicts. Claims of different
cues are taken as independent, and the distribution of credit less cost is summed up cue by cue, so that what is
expected is the score itself, cut at 0, and its standard deviation is known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import product
from math import prod, sqrt
from statistics import fmean

from speech_claims.faithfulness import named_cue, score_claims
from speech_records import Claim, Cue, Verdict

OFFERED = (
    Cue.PITCH, Cue.ENERGY, Cue.RATE, Cue.CONTOUR_SHAPE, Cue.PITCH_RANGE, Cue.VOICING, Cue.PAUSES, Cue.VOICE_QUALITY,
    Cue.STRESS,
)  # fmt: skip
"""The cues that a clip may offer (`speech_claims.faithfulness.offered_cues`), in the order of the model's outputs."""
_VERDICTS = (Verdict.SUPPORTED, Verdict.CONTRADICTED)
_MOST = 4
"""Claims of one cue whose verdicts are combined; of more, which cannot all be true, the least likely ones."""

_Said = tuple[Cue, str, bool]


def expected_faithfulness(
    claims: Sequence[Claim], obscured: Sequence[bool], probabilities: Sequence[float], offered: Mapping[Cue, float]
) -> tuple[float, float, float]:
    """Mean and standard deviation of the score in [0, 1] of `claims` that hold with these probabilities, and the
    probability that it is above 0.

    `offered` are the probabilities that the clip offers each of `OFFERED`. A claim that is made twice counts once, with
    the mean of its probabilities.

    >>> loud = Claim(0, 4, "loud", Cue.ENERGY, "high", Verdict.UNVERIFIABLE)
    >>> expected_faithfulness([loud], [False], [0.5], {Cue.ENERGY: 1.0, Cue.PITCH: 1.0})
    (0.25, 0.25, 0.5)
    """
    size = max(1.0, sum(offered.values()))
    mentions: dict[Cue, dict[_Said, list[float]]] = defaultdict(lambda: defaultdict(list))
    for claim, hidden, p in zip(claims, obscured, probabilities, strict=True):
        mentions[named_cue(claim.cue)][claim.cue, claim.value, hidden].append(p)
    totals: dict[float, float] = {0.0: 1.0}
    for cue, said in mentions.items():
        chances = sorted(((fmean(ps), key) for key, ps in said.items()))[:_MOST]
        measured = offered.get(cue, 1.0)
        outcomes = _outcomes(cue, tuple(key for _, key in chances))
        shares = [
            measured * prod(p if supported else 1.0 - p for (p, _), supported in zip(chances, world, strict=True))
            for world in product((True, False), repeat=len(chances))
        ]
        totals = _added(totals, [(0.0, 1.0 - measured), *zip(outcomes, shares, strict=True)])
    scores = [(min(1.0, max(0.0, total) / size), p) for total, p in totals.items()]
    mean = sum(score * p for score, p in scores)
    deviation = sqrt(max(0.0, sum((score - mean) ** 2 * p for score, p in scores)))
    return mean, deviation, sum(p for score, p in scores if score > 0.0)


@lru_cache(maxsize=4096)
def _outcomes(cue: Cue, said: tuple[_Said, ...]) -> tuple[float, ...]:
    """Credit less cost of one cue's claims, for every combination of verdicts."""
    results = []
    for world in product(_VERDICTS, repeat=len(said)):
        made = score_claims(
            [
                Claim(0, 1, "x", of, value, verdict)
                for (of, value, hidden), verdict in zip(said, world, strict=True)
                if not (hidden and verdict is Verdict.SUPPORTED)
            ],
            (cue,) if cue in OFFERED else (),
        )
        results.append(sum(made.earned.values()) - len(made.contradicted) - len(made.excluded))
    return tuple(results)


def _added(totals: Mapping[float, float], outcomes: Sequence[tuple[float, float]]) -> dict[float, float]:
    added: dict[float, float] = defaultdict(float)
    for total, p in totals.items():
        for value, share in outcomes:
            added[round(total + value, 1)] += p * share
    return added
