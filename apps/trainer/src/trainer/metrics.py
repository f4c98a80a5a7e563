"""Evaluation of emotion answers: accuracy, recall, F1, confusion, format, claims, with intervals over speakers.

An answer that cannot be read as a label counts as wrong and has a column of its own in the confusion matrix. Clips of
one speaker resemble one another, so intervals come from a cluster bootstrap: speakers, not clips, are drawn with
replacement (Field & Welsh 2007, J. R. Statist. Soc. B 69, 369–390), and the interval lies between the 2.5th and
97.5th percentile. With few speakers such intervals are too narrow; the number of speakers is reported for that reason.

All measures are functions of confusion matrices, so that thousands of resamples (`scipy.stats.bootstrap`) are one
array; that they agree with scikit-learn is tested.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import DegenerateDataWarning, binomtest, bootstrap
from sklearn.metrics import precision_recall_fscore_support

from speech_records import Claim, Cue, Emotion, LabelSet, Verdict
from trainer.calibration import Calibration, calibrate
from trainer.errors import DataSetError

RESAMPLES = 2000
CONFIDENCE = 0.95
SPEAKERS_AT_ONCE = 20_000
"""Resampled speakers whose counts are in memory at once."""
UNPARSEABLE = "unparseable"
_VERDICTS = tuple(Verdict)
_NOT_OF_THE_SOUND = (Cue.QUOTE, Cue.GENDER, Cue.AGE)

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From counts [..., labels, labels + 1] to a measure [...]."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One clip's label and what was answered.

    `answer` is `None` when the text holds no label of the set. `format_ok` says whether the text had the think/answer
    form, `None` where there was no text. `verdicts` are those of the claims in the reasoning, `sound_verdicts` what
    the function of that name makes of them, `faithfulness` is its score. `confidence` is the probability in [0, 1] that
    the system gives its answer.
    """

    utterance_id: str
    speaker_id: str
    truth: Emotion
    answer: Emotion | None
    format_ok: bool | None = None
    verdicts: tuple[Verdict, ...] = ()
    sound_verdicts: tuple[Verdict, ...] = ()
    faithfulness: float | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure with its 95 % interval; no interval (`None`) where all clips are of one speaker."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class EmotionScores:
    """One emotion's scores in [0, 1]; `None` where nothing was there to divide by."""

    emotion: Emotion
    support: int
    recall: float | None
    precision: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts: rows are true labels, columns answered labels, the last column unparseable answers."""

    labels: tuple[Emotion, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class ClaimShares:
    """Shares of all claims made, over all clips together."""

    claims: int
    supported: Estimate
    contradicted: Estimate
    unverifiable: Estimate


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well a set of clips was answered. `dataclasses.asdict` gives its JSON form."""

    label_set: str
    clips: int
    speakers: int
    accuracy: Estimate
    unweighted_average_recall: Estimate
    macro_f1: Estimate
    valid_format: Estimate | None
    claims: ClaimShares | None
    faithfulness: Estimate | None
    per_emotion: tuple[EmotionScores, ...]
    confusion: Confusion
    calibration: Calibration | None = None
    sound_claims: ClaimShares | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Second minus first on the same clips, with intervals over the same resampled speakers.

    `mcnemar_p` is the exact two-sided p of McNemar's test, which takes clips as independent: the probability that clips
    on which one is right and the other wrong fall to both sides so unevenly by chance.
    """

    clips: int
    speakers: int
    accuracy: Estimate
    unweighted_average_recall: Estimate
    macro_f1: Estimate
    mcnemar_p: float | None = None


def evaluate(
    predictions: Sequence[Prediction], *, label_set: LabelSet, seed: int = 0, resamples: int = RESAMPLES
) -> Evaluation:
    """All measures of `predictions`. Emotions without clips are left out of the averages.

    Raises `DataSetError` when there are none, an utterance stands twice, or a true label is not in `label_set`.

    >>> from speech_records import PAPER_9
    >>> happy, sad = Emotion.HAPPY, Emotion.SAD
    >>> result = evaluate(
    ...     [
    ...         Prediction("clip1", "anna", truth=happy, answer=happy),
    ...         Prediction("clip2", "ben", truth=happy, answer=None),
    ...         Prediction("clip3", "ben", truth=sad, answer=sad),
    ...     ],
    ...     label_set=PAPER_9,
    ... )
    >>> round(result.accuracy.value, 3), result.unweighted_average_recall.value
    (0.667, 0.75)
    """
    _check(predictions, label_set)
    speakers = _speakers(predictions)
    counts = _confusions(predictions, speakers, label_set)
    total = counts.sum(axis=0)
    draws = Draws(resamples, seed)
    return Evaluation(
        label_set=label_set.name,
        clips=len(predictions),
        speakers=len(speakers),
        accuracy=draws.estimate(accuracy, counts),
        unweighted_average_recall=draws.estimate(unweighted_average_recall, counts),
        macro_f1=draws.estimate(macro_f1, counts),
        valid_format=_format_share(predictions, speakers, draws),
        claims=_claim_shares([p.verdicts for p in predictions], predictions, speakers, draws),
        sound_claims=_claim_shares([p.sound_verdicts for p in predictions], predictions, speakers, draws),
        faithfulness=_faithfulness(predictions, speakers, draws),
        per_emotion=_emotion_scores(predictions, label_set),
        confusion=Confusion(label_set.labels, tuple(tuple(int(n) for n in row) for row in total)),
        calibration=_calibration(predictions),
    )


def compare(
    first: Sequence[Prediction],
    second: Sequence[Prediction],
    *,
    label_set: LabelSet,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Comparison:
    """How much better `second` answers the clips that `first` answered too.

    Raises `DataSetError` as `evaluate` does, and when the two do not hold the same clips of the same speakers and
    labels.
    """
    _check(first, label_set)
    _check(second, label_set)
    clips, others = ({(p.utterance_id, p.speaker_id, p.truth) for p in side} for side in (first, second))
    if clips != others:
        odd = min(clips ^ others)
        raise DataSetError(f"only the same clips can be compared: {odd[0]} is on one side only or labelled otherwise")
    speakers, draws = _speakers(first), Draws(resamples, seed)
    before, after = (_confusions(side, speakers, label_set) for side in (first, second))
    both = np.stack([before, after], axis=1)  # [speakers, 2, labels, labels + 1]

    def gain(statistic: Statistic) -> Estimate:
        return draws.estimate(lambda counts: np.diff(statistic(counts), axis=-1)[..., 0], both)

    return Comparison(
        clips=len(first),
        speakers=len(speakers),
        accuracy=gain(accuracy),
        unweighted_average_recall=gain(unweighted_average_recall),
        macro_f1=gain(macro_f1),
        mcnemar_p=_mcnemar(first, second),
    )


def _calibration(predictions: Sequence[Prediction]) -> Calibration | None:
    known = [(p.confidence, p.answer is p.truth) for p in predictions if p.confidence is not None]
    return calibrate([c for c, _ in known], [right for _, right in known]) if known else None


def _mcnemar(first: Sequence[Prediction], second: Sequence[Prediction]) -> float:
    before = {p.utterance_id: p.answer is p.truth for p in first}
    changed = [p.answer is p.truth for p in second if (p.answer is p.truth) != before[p.utterance_id]]
    return float(binomtest(sum(changed), len(changed)).pvalue) if changed else 1.0


def accuracy(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of right answers; `counts` [..., labels, labels + 1] as in `Confusion`, the result [...].

    >>> float(accuracy(np.array([[3.0, 1, 0], [0, 2, 2]])))
    0.625
    """
    return np.asarray(_right(counts).sum(axis=-1) / counts.sum(axis=(-2, -1)))


def unweighted_average_recall(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean recall of the labels that have clips; `counts` and result as for `accuracy`.

    >>> float(unweighted_average_recall(np.array([[3.0, 1, 0], [0, 1, 1]])))
    0.625
    """
    support = counts.sum(axis=-1)
    return _mean_where(_right(counts) / np.maximum(support, 1), support > 0)


def macro_f1(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean F1 of the labels that have clips; `counts` and result as for `accuracy`.

    F1 is 2 TP / (2 TP + FP + FN), that is twice the right answers over clips plus answers of the label.

    >>> float(macro_f1(np.array([[2.0, 0, 0], [1, 1, 0]])))  # (4/5 + 2/3) / 2
    0.7333333333333334
    """
    support = counts.sum(axis=-1)
    answered = counts[..., :-1].sum(axis=-2)
    return _mean_where(2.0 * _right(counts) / np.maximum(support + answered, 1), support > 0)


def _right(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.diagonal(counts[..., :-1], axis1=-2, axis2=-1)


def _mean_where(values: NDArray[np.float64], there: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean over the last axis of the `values` that are `there`."""
    return np.asarray((values * there).sum(axis=-1) / there.sum(axis=-1))


def _check(predictions: Sequence[Prediction], label_set: LabelSet) -> None:
    if not predictions:
        raise DataSetError("there are no predictions to evaluate")
    seen: set[str] = set()
    for prediction in predictions:
        if prediction.utterance_id in seen:
            raise DataSetError(f"{prediction.utterance_id} was answered twice; evaluate one answer for each clip")
        seen.add(prediction.utterance_id)
        for label in (prediction.truth, prediction.answer):
            if label is not None and label not in label_set.labels:
                raise DataSetError(
                    f"{prediction.utterance_id}: {label.value} is not a label of {label_set.name}; map it first"
                )


def _speakers(predictions: Sequence[Prediction]) -> tuple[str, ...]:
    return tuple(sorted({p.speaker_id for p in predictions}))


def _confusions(
    predictions: Sequence[Prediction], speakers: tuple[str, ...], label_set: LabelSet
) -> NDArray[np.float64]:
    """Confusion counts of each speaker, [speakers, labels, labels + 1]."""
    numbers = {label: number for number, label in enumerate((*label_set.labels, None))}
    places = {speaker: number for number, speaker in enumerate(speakers)}
    counts = np.zeros((len(speakers), len(label_set.labels), len(numbers)))
    for p in predictions:
        counts[places[p.speaker_id], numbers[p.truth], numbers[p.answer]] += 1
    return counts


def _named(predictions: Sequence[Prediction]) -> tuple[list[str], list[str]]:
    """True and answered labels as scikit-learn takes them."""
    return [p.truth for p in predictions], [p.answer or UNPARSEABLE for p in predictions]


@dataclass(frozen=True, slots=True)
class Draws:
    """Bootstrap over speakers: the same seed draws the same speakers for every measure."""

    resamples: int
    seed: int

    def estimate(self, statistic: Statistic, counts: NDArray[np.float64]) -> Estimate:
        """`statistic` of the `counts` [speakers, ...] of all speakers, and its interval over the resamples."""
        value = float(statistic(counts.sum(axis=0)))
        if len(counts) == 1:
            return Estimate(value, None, None)
        with warnings.catch_warnings():  # a resample without anything to count is NaN, and left out below
            warnings.simplefilter("ignore", DegenerateDataWarning)
            drawn = bootstrap(
                (np.arange(len(counts)),),
                lambda speakers, axis: statistic(counts[speakers].sum(axis=speakers.ndim + axis)),
                n_resamples=self.resamples,
                batch=SPEAKERS_AT_ONCE // len(counts) + 1,
                method="percentile",
                rng=np.random.default_rng(self.seed),
            )
        low, high = np.nanquantile(drawn.bootstrap_distribution, (0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2))
        return Estimate(value, float(low), float(high))


def share(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """First of two counts [..., (part, whole)] over the second; NaN where a resample drew nothing to count."""
    shares = np.full(counts.shape[:-1], np.nan)
    np.divide(counts[..., 0], counts[..., 1], out=shares, where=counts[..., 1] > 0)
    return shares


def _format_share(predictions: Sequence[Prediction], speakers: tuple[str, ...], draws: Draws) -> Estimate | None:
    counts = np.zeros((len(speakers), 2))
    for p in predictions:
        if p.format_ok is not None:
            counts[speakers.index(p.speaker_id)] += (p.format_ok, 1)
    return draws.estimate(share, counts) if counts.any() else None


def _faithfulness(predictions: Sequence[Prediction], speakers: tuple[str, ...], draws: Draws) -> Estimate | None:
    """Mean faithfulness score of the clips that have one."""
    sums = np.zeros((len(speakers), 2))
    for p in predictions:
        if p.faithfulness is not None:
            sums[speakers.index(p.speaker_id)] += (p.faithfulness, 1)
    return draws.estimate(share, sums) if sums.any() else None


def sound_verdicts(claims: Iterable[Claim]) -> tuple[Verdict, ...]:
    """The verdicts of claims about the sound, each cue and value once.

    Quotes, gender and age are left out, and what a text repeats: neither words that are known by heart nor more of the
    same raise their shares.
    """
    once = {(c.cue, c.value): c.verdict for c in claims if c.cue not in _NOT_OF_THE_SOUND}
    return tuple(once.values())


def _claim_shares(
    verdicts: Sequence[tuple[Verdict, ...]],
    predictions: Sequence[Prediction],
    speakers: tuple[str, ...],
    draws: Draws,
) -> ClaimShares | None:
    counts = np.zeros((len(speakers), len(_VERDICTS)))
    for found, p in zip(verdicts, predictions, strict=True):
        for verdict in found:
            counts[speakers.index(p.speaker_id), _VERDICTS.index(verdict)] += 1
    claims = counts.sum(axis=1)
    if not claims.any():
        return None

    def of_all(verdict: Verdict) -> Estimate:
        return draws.estimate(share, np.stack([counts[:, _VERDICTS.index(verdict)], claims], axis=1))

    return ClaimShares(
        int(claims.sum()), of_all(Verdict.SUPPORTED), of_all(Verdict.CONTRADICTED), of_all(Verdict.UNVERIFIABLE)
    )


def _emotion_scores(predictions: Sequence[Prediction], label_set: LabelSet) -> tuple[EmotionScores, ...]:
    scores = precision_recall_fscore_support(
        *_named(predictions), labels=list(label_set.labels), average=None, zero_division=np.nan
    )
    return tuple(
        EmotionScores(label, int(support), *(None if np.isnan(x) else float(x) for x in (recall, precision, f1)))
        for label, precision, recall, f1, support in zip(label_set.labels, *scores, strict=True)
    )
