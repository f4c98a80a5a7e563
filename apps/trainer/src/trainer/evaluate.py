"""Evaluating policies on speakers they never heard: answers, metrics with intervals, claims, reward-model scores.

```
OUT/NAME.answers.jsonl    one Answer per clip (text, predicted emotion, every claim with its verdict)
OUT/NAME.labels.jsonl     the same for the question that asks for the label alone
OUT/evaluation.json       metrics of every policy, other system and baseline, paired differences
OUT/perception.md         the perception test as a table, where it was asked for
```

Another system's answers are lines of JSON, one for each clip: `utterance_id`, and `text`, a response in the form of
`emotion_question`, or `answer`, a label alone; `confidence` in [0, 1] beside it where it is known.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from cotgen.tasks import Task
from rewardmodel import RewardModel
from speech_records import LabelSet, MeasuredUtterance, to_json, write_jsonl
from speechlm import FeatureSpec, SpeechLM, load_checkpoint
from trainer import metrics
from trainer.baselines import BaselineReport, run_baselines
from trainer.checkpoint import accelerator
from trainer.dataset import TEST, TRAIN, AnnotatedCorpus
from trainer.errors import ConfigError, DataSetError
from trainer.evaluators import mean_score
from trainer.features import require_features
from trainer.forgetting import Forgetting, check_forgetting
from trainer.listening import ConflictRow, FaithfulnessControls, conflicts, faithfulness_controls
from trainer.perception_scores import PerceptionReport, PerceptionTest, choose, perception_table
from trainer.predict import Answer, predict, predict_labels, score_label, score_response

RESULT = "evaluation.json"
ANSWERS = ".answers.jsonl"
LABELS = ".labels.jsonl"
PERCEPTION = "perception.md"


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """One policy's evaluation, and two reward models' mean scores of its answers in [1, 5].

    `reward_score` is that of the model that may have rewarded it, `evaluator_score` of one that never did.

    `evaluation` is of reasoned answers (`emotion_question`), `label_only` of answers by the label alone
    (`label_question`) to the same clips; `label_gain` is the second minus the first: what explaining costs.
    `controls` are faithfulness scores that need no listening, `perception` the test of what it perceives, `conflicts`
    what its answers follow where words and voice differ, `seconds_per_clip` the time of a reasoned answer in batches,
    `forgetting` what it still can besides.
    """

    name: str
    evaluation: metrics.Evaluation
    label_only: metrics.Evaluation
    label_gain: metrics.Comparison
    reward_score: float | None = None
    evaluator_score: float | None = None
    controls: FaithfulnessControls | None = None
    perception: PerceptionReport | None = None
    conflicts: tuple[ConflictRow, ...] = ()
    seconds_per_clip: float | None = None
    forgetting: Forgetting | None = None


@dataclass(frozen=True, slots=True)
class OtherSystem:
    """The evaluation of another system, by the name of its file."""

    name: str
    evaluation: metrics.Evaluation


@dataclass(frozen=True, slots=True)
class NamedComparison:
    """`second` minus `first` on the same clips; `perception` is that of the macro average of the perception test."""

    first: str
    second: str
    comparison: metrics.Comparison
    perception: metrics.Estimate | None = None


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """Policies and baselines on the same held-out clips."""

    schema_version: ClassVar[str] = "2.1"

    corpus: str
    synthetic: bool
    label_set: str
    seed: int
    policies: tuple[PolicyResult, ...]
    comparisons: tuple[NamedComparison, ...]
    baselines: BaselineReport
    other: OtherSystem | None = None


def held_out(corpus: AnnotatedCorpus, *, limit: int | None, seed: int, split: str = TEST) -> list[MeasuredUtterance]:
    """The clips to evaluate on: those of `split`, or `limit` of them drawn evenly over speakers and emotions."""
    clips = corpus.split(split)
    if limit is None or limit >= len(clips):
        return clips
    rng = np.random.default_rng(seed)
    groups: dict[tuple[str, str], list[MeasuredUtterance]] = {}
    for i in rng.permutation(len(clips)):
        utterance = clips[i].utterance
        groups.setdefault((utterance.speaker_id, str(utterance.emotion)), []).append(clips[i])
    chosen: list[MeasuredUtterance] = []
    while len(chosen) < limit:
        for key in sorted(groups):
            if groups[key] and len(chosen) < limit:
                chosen.append(groups[key].pop())
    return sorted(chosen, key=lambda m: m.utterance.utterance_id)


def as_prediction(answer: Answer) -> metrics.Prediction:
    """What the metrics need of an answer."""
    return metrics.Prediction(
        utterance_id=answer.utterance_id,
        speaker_id=answer.speaker_id,
        truth=answer.expected,
        answer=answer.predicted,
        format_ok=answer.format_ok,
        verdicts=tuple(claim.verdict for claim in answer.claims),
        sound_verdicts=metrics.sound_verdicts(answer.claims),
        faithfulness=answer.faithfulness,
        confidence=answer.confidence,
    )


def read_predictions(path: Path, clips: Sequence[MeasuredUtterance], label_set: LabelSet) -> list[Answer]:
    """Another system's answers to `clips`, in their order; lines about other clips are passed over.

    Raises `DataSetError` for a file that is not there, a line that is not valid, and clips without or with two lines.
    """
    given: dict[str, dict[str, Any]] = {}
    try:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            row = json.loads(line)
            name, confidence = row["utterance_id"], row.get("confidence")
            if name in given:
                raise DataSetError(f"{path}:{number}: {name} was answered twice")
            if not isinstance(row.get("text", row.get("answer")), str):
                raise DataSetError(f"{path}:{number}: neither text nor answer is given")
            if confidence is not None and not 0 <= confidence <= 1:
                raise DataSetError(f"{path}:{number}: confidence is {confidence}, expected a probability in [0, 1]")
            given[name] = row
    except (OSError, KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataSetError(f"{path} does not hold predictions, lines of JSON with utterance_id: {error!r}") from error
    missing = [m.utterance.utterance_id for m in clips if m.utterance.utterance_id not in given]
    if missing:
        raise DataSetError(f"{path} has no line for {len(missing)} of {len(clips)} clips, {missing[0]} among them")
    answers = []
    for m in clips:
        row = given[m.utterance.utterance_id]
        if "text" in row:
            answers.append(replace(score_response(m, row["text"], label_set), confidence=row.get("confidence")))
        else:
            answers.append(score_label(m, row["answer"], label_set, confidence=row.get("confidence")))
    return answers


def evaluate_policies(
    policies: Mapping[str, Path],
    corpus: AnnotatedCorpus,
    features: Mapping[str, Tensor],
    *,
    reward_model: RewardModel | None,
    evaluator: RewardModel | None = None,
    out: Path,
    limit: int | None = None,
    seed: int = 0,
    split: str = TEST,
    spec: FeatureSpec | None = None,
    other: Path | None = None,
    perception: int = 0,
    forgetting: int = 0,
) -> EvaluationResult:
    """Evaluate checkpoints by name, with the classical baselines and the answers in the file `other` beside them;
    writes and returns `evaluation.json`.

    `split` is what they are evaluated on: the test split for figures to report, another to choose settings with.
    `perception` clear cases of each class are asked in the perception test, and `forgetting` clips are to be
    transcribed, 0 for none. With `spec`, which says what `features` are, a policy that takes another input is refused.
    """
    out.mkdir(parents=True, exist_ok=True)
    clips = held_out(corpus, limit=limit, seed=seed, split=split)
    predictions: dict[str, list[metrics.Prediction]] = {}
    results: list[PolicyResult] = []
    test = PerceptionTest(corpus, split=split, most=perception, seed=seed) if perception else None
    perceived: dict[str, list[int]] = {}
    system = None
    if other is not None:
        if other.stem in policies:
            raise ConfigError(f"a policy is called {other.stem}, too: rename {other}")
        predictions[other.stem] = [as_prediction(a) for a in read_predictions(other, clips, corpus.label_set)]
        evaluation = metrics.evaluate(predictions[other.stem], label_set=corpus.label_set, seed=seed)
        system = OtherSystem(other.stem, evaluation)
    for name, checkpoint in policies.items():
        model = load_checkpoint(checkpoint, device=accelerator())
        if spec is not None:
            require_features(model, spec, what=f"policy {name}")
        found = None
        if test is not None:
            asked = [*test.recorded, *test.varied]
            perceived[name] = choose(model, asked, features, what=f"evaluate {name}, perception")
            found = test.report(perceived[name])
        kept = None
        if forgetting:
            said = held_out(corpus, limit=forgetting, seed=seed, split=split)
            kept = check_forgetting(model, said, features, seed=seed, what=f"evaluate {name}, transcripts")
        questions, label_questions = (corpus.questions(clips, task) for task in (Task.REASONING, Task.LABEL))
        given = _Given(
            corpus.label_set, questions, label_questions, clips, features, reward_model, evaluator, out, seed
        )
        result, predictions[name] = _evaluate_policy(name, model, given)
        results.append(replace(result, perception=found, forgetting=kept))
    comparisons = tuple(
        NamedComparison(
            first,
            second,
            metrics.compare(predictions[first], predictions[second], label_set=corpus.label_set, seed=seed),
            test.macro(perceived[second], perceived[first]) if test and {first, second} <= perceived.keys() else None,
        )
        for first, second in combinations(predictions, 2)
    )
    evaluated = EvaluationResult(
        corpus=corpus.corpus,
        synthetic=corpus.synthetic,
        label_set=corpus.label_set.name,
        seed=seed,
        policies=tuple(results),
        comparisons=comparisons,
        baselines=run_baselines(corpus.split(TRAIN), clips, label_set=corpus.label_set, seed=seed),
        other=system,
    )
    (out / RESULT).write_text(to_json(evaluated) + "\n")
    if reports := {policy.name: policy.perception for policy in results if policy.perception is not None}:
        (out / PERCEPTION).write_text(perception_table(reports))
    return evaluated


@dataclass(frozen=True, slots=True)
class _Given:
    """What every policy is evaluated on."""

    label_set: LabelSet
    questions: Mapping[str, str]
    label_questions: Mapping[str, str]
    clips: Sequence[MeasuredUtterance]
    features: Mapping[str, Tensor]
    reward_model: RewardModel | None
    evaluator: RewardModel | None
    out: Path
    seed: int


def _evaluate_policy(name: str, model: SpeechLM, given: _Given) -> tuple[PolicyResult, list[metrics.Prediction]]:
    """A policy's result, and its reasoned answers as the comparisons need them; the answers are written."""
    clips, features, labels, seed = given.clips, given.features, given.label_set, given.seed
    began = time.perf_counter()
    answers = predict(model, clips, features, labels, questions=given.questions, what=f"evaluate {name}")
    seconds = (time.perf_counter() - began) / len(clips)
    write_jsonl(given.out / f"{name}{ANSWERS}", answers)
    label_answers = predict_labels(
        model, clips, features, labels, questions=given.label_questions, what=f"evaluate {name}, label alone"
    )
    write_jsonl(given.out / f"{name}{LABELS}", label_answers)
    reasoned, alone = [as_prediction(a) for a in answers], [as_prediction(a) for a in label_answers]
    scores = [
        None if judge is None else mean_score(judge, answers, features, given.questions)
        for judge in (given.reward_model, given.evaluator)
    ]
    result = PolicyResult(
        name,
        evaluation=metrics.evaluate(reasoned, label_set=labels, seed=seed),
        label_only=metrics.evaluate(alone, label_set=labels, seed=seed),
        label_gain=metrics.compare(reasoned, alone, label_set=labels, seed=seed),
        reward_score=scores[0],
        evaluator_score=scores[1],
        controls=faithfulness_controls(clips, answers, seed=seed),
        conflicts=conflicts(clips, answers, labels),
        seconds_per_clip=seconds,
    )
    return result, reasoned
