"""Annotation in this process and a few more: from a corpus on disk to the finished data set, nothing to start.

The result does not depend on the number of workers, nor on whether the run was stopped in between: measurements are
kept in a work file under keys of their content, and everything after them is a function of the sorted whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from annotator_worker import comparative
from annotator_worker.errors import MissingAudioError
from annotator_worker.listing import Listing
from annotator_worker.pipeline import (
    attempt,
    audio_file,
    audio_sha256,
    calibrate,
    extras_of,
    load_kept_models,
    read_levels,
    try_measure,
)
from annotator_worker.records import ComparativePlan, JobSpec, MeasureConfig, Stage, work_key
from annotator_worker.workfile import WorkFile
from cotgen.dataset import BuildConfig, DataSet, Source, build
from cotgen.dataset.building import one_by_one
from cotgen.generation import Generator
from cotgen.reasoning import open_generator
from cotgen.tasks import TaskConfig
from prosody import LevelScale
from prosody.batch import Extras
from prosody.parallel import DEFAULT_TIMEOUT_S, map_isolated
from speech_records import (
    LABEL_SETS,
    FailedItem,
    MeasuredUtterance,
    Utterance,
    atomic_path,
    to_dict,
    write_jsonl,
)

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
Report = Callable[[str, int, int], None]
"""Called with a stage, how many of its items are finished, and how many there are."""

WORK = Path(".work")
WORK_FILE = WORK / "measured.jsonl"
LEVELLED = WORK / "levelled.jsonl"


def silent(stage: str, done: int, total: int) -> None:
    """A report that goes nowhere."""


def quiet(text: str) -> None:
    """Words that nobody wants to read."""


def run(
    listing: Listing,
    out: Path,
    *,
    workers: int = 1,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    report: Report = silent,
    say: Callable[[str], None] = quiet,
) -> DataSet:
    """Annotate `listing` into the folder `out`, continuing what an earlier run left there.

    A clip that fails, takes longer than `timeout_s` or kills the process that measures it is a failed item. Raises
    `UnusableInputError` when no level scale can be fitted, `CotgenError` when the reasoning cannot be written.
    """
    spec = listing.spec
    (out / WORK).mkdir(parents=True, exist_ok=True)
    with WorkFile(out / WORK_FILE) as work:
        keys, failed = _measure(listing, work, workers=workers, timeout_s=timeout_s, report=report)

        def measured() -> Iterator[MeasuredUtterance]:
            return map(work.get, keys)

        scale = calibrate(measured, name=spec.corpus)
        plans, unmade = make_clips(
            comparative.plan(measured(), spec), listing.root, out, workers=workers, timeout_s=timeout_s, report=report
        )
        everything = (*listing.rejected, *failed, *unmade)
        with open_generator(spec.reasoning, LABEL_SETS[spec.label_set], seed=spec.seed, out=out, say=say) as generator:
            return finish(
                spec, measured(), scale, out,
                plans=plans, failed=everything, generator=generator, workers=workers, timeout_s=timeout_s,
                report=report,
            )  # fmt: skip


def finish(
    spec: JobSpec,
    measured: Iterable[MeasuredUtterance],
    scale: LevelScale,
    out: Path,
    *,
    plans: Sequence[ComparativePlan],
    failed: Iterable[FailedItem],
    generator: Generator,
    workers: int = 1,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    report: Report = silent,
) -> DataSet:
    """From measurements, sorted by utterance id, to the data set: where a local run and `collect` meet.

    `plans` name clips that lie in `out` already; `generator` writes the reasoning, or has it from workers that did;
    more than one of `workers` verify it in processes of their own, and what they cannot verify within `timeout_s` is a
    failed item.
    """
    (out / WORK).mkdir(parents=True, exist_ok=True)
    write_jsonl(out / LEVELLED, (read_levels(m, scale) for m in measured))
    scale.save(out / WORK / "scale.json")
    source = Source(
        out / LEVELLED,
        corpus=spec.corpus,
        audio_root=spec.audio_root,
        scale=out / WORK / "scale.json",
        clips=tuple(plan.clip for plan in plans),
        clips_folder=out,
        failed=tuple(failed),
        measuring=_described(spec),
    )
    config = BuildConfig(TaskConfig(LABEL_SETS[spec.label_set], spec.question, spec.seed))
    each = partial(map_isolated, workers=workers, timeout_s=timeout_s) if workers > 1 else one_by_one
    made = build(source, out, config, generator=generator, report=partial(report, Stage.REASON), each=each)
    (out / LEVELLED).unlink()
    return made


def make_clips(
    plans: Sequence[ComparativePlan], root: Path, out: Path, *, workers: int, timeout_s: float, report: Report
) -> tuple[list[ComparativePlan], list[FailedItem]]:
    """The plans whose clips lie in `out/comparative` now, sorted by name, and what went wrong with the others."""
    if not plans:
        return [], []
    (out / "comparative").mkdir(parents=True, exist_ok=True)
    # A clip's name holds everything that decides its samples, so one that is there already is kept.
    made = [plan for plan in plans if (out / plan.clip.audio_path).exists()]
    todo = [plan for plan in plans if not (out / plan.clip.audio_path).exists()]
    failed: list[FailedItem] = []
    report(Stage.COMPARE, len(made), len(plans))
    function = partial(_make_clip, root=root, out=out)
    for plan, result in _each(function, todo, workers=workers, timeout_s=timeout_s):
        if isinstance(result, FailedItem):
            failed.append(result)
        elif isinstance(result, Exception):
            failed.append(FailedItem.of(plan.utterance.utterance_id, Stage.COMPARE, result))
        else:
            made.append(plan)
        report(Stage.COMPARE, len(made) + len(failed), len(plans))
    return sorted(made, key=lambda plan: plan.clip_id), failed


def _measure(
    listing: Listing, work: WorkFile, *, workers: int, timeout_s: float, report: Report
) -> tuple[list[str], list[FailedItem]]:
    """Measure what is not in the work file; the keys of what is measured, in the order of the listing."""
    spec, total = listing.spec, len(listing.utterances)
    keys: dict[str, str] = {}
    todo: list[Utterance] = []
    failed: list[FailedItem] = []
    for utterance in listing.utterances:
        key = _earlier_key(utterance, listing) if utterance.utterance_id in work.utterance_ids else None
        if key is not None and key in work:
            keys[utterance.utterance_id] = key
        else:
            todo.append(utterance)
    report(Stage.MEASURE, total - len(todo), total)
    function = partial(_measure_one, root=listing.root, config=spec.measuring)
    models = {extras_of(utterance, spec.measuring) for utterance in todo}
    _warm_up(e for e in models if e.stress_model or e.speaker_model)  # a wrong folder is one error, not one a clip
    results = _each(
        function, todo, workers=workers, timeout_s=timeout_s, initializer=_warm_up, initargs=(tuple(models),)
    )
    for done, (utterance, result) in enumerate(results, start=1):
        if isinstance(result, MeasuredUtterance):
            keys[utterance.utterance_id] = work_key(utterance, result.audio_sha256 or "", spec)
            work.add(keys[utterance.utterance_id], result)
        elif isinstance(result, FailedItem):
            failed.append(result)
        else:
            failed.append(FailedItem.of(utterance.utterance_id, Stage.MEASURE, result))
        report(Stage.MEASURE, total - len(todo) + done, total)
    return [keys[u.utterance_id] for u in listing.utterances if u.utterance_id in keys], failed


def _each(
    function: Callable[[ItemT], ResultT], items: Sequence[ItemT], *, workers: int, **more: object
) -> Iterator[tuple[ItemT, ResultT | Exception]]:
    """`map_isolated`, without any process where there is nothing to do."""
    if not items:
        return iter(())
    return map_isolated(function, items, workers=min(workers, len(items)), **more)  # type: ignore[arg-type]


def _earlier_key(utterance: Utterance, listing: Listing) -> str | None:
    """The key that a measurement of the audio as it is now has; `None` where there is none."""
    try:
        return work_key(utterance, audio_sha256(audio_file(utterance, listing.root)), listing.spec)
    except (MissingAudioError, OSError):
        return None


def _measure_one(utterance: Utterance, *, root: Path, config: MeasureConfig) -> MeasuredUtterance | FailedItem:
    return try_measure(utterance, audio_file(utterance, root), config)


def _warm_up(models: Iterable[Extras]) -> None:
    """Load what clips are measured with, before the first one's clock starts."""
    import prosody.files  # noqa: F401

    for extras in models:
        load_kept_models(extras)


def _make_clip(plan: ComparativePlan, *, root: Path, out: Path) -> FailedItem | None:
    def make() -> None:
        clip = comparative.render(plan, audio_file(plan.utterance, root))
        with atomic_path(out / plan.clip.audio_path) as temporary:
            temporary.write_bytes(clip)

    return attempt(make, name=plan.utterance.utterance_id, stage=Stage.COMPARE)


def _described(spec: JobSpec) -> dict[str, object]:
    """What decided the measurements, as `dataset.json` has it."""
    kept = ("comparative", "limit", "language", "dropped", "versions")
    described: dict[str, object] = {name: value for name, value in to_dict(spec).items() if name in kept}
    return described | to_dict(spec.measuring)
