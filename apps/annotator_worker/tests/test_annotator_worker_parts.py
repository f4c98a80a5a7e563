"""The parts under both ways to annotate: keys, stores, plans, single clips, tasks that come again."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from kombu import serialization
from kombu.exceptions import ContentDisallowed
from typer.testing import CliRunner

import annotator_worker
from annotator_worker import comparative, job, keys, work
from annotator_worker.batching import Item, batches, store_batches
from annotator_worker.celery import TASK, app
from annotator_worker.cli import cli
from annotator_worker.errors import (
    JobError,
    MissingAudioError,
    ObjectNotFoundError,
    StoreError,
    StoreUnavailableError,
    TooLittleSpeechError,
    UnusableInputError,
)
from annotator_worker.jobfiles import JobFiles
from annotator_worker.listing import CorpusRequest
from annotator_worker.logs import JsonFormatter
from annotator_worker.pipeline import audio_file, extras_of
from annotator_worker.pipeline import measure as measure_at
from annotator_worker.records import (
    Batch,
    BatchTask,
    JobSpec,
    MeasureConfig,
    Outcome,
    Stage,
    Stress,
    Submitted,
    Versions,
    work_key,
)
from annotator_worker.results import Range, done_ranges, missing
from annotator_worker.settings import setting
from annotator_worker.store import FolderStore, open_store
from prosody import EmptyAudioError, NoSuchChannelError
from speech_records import (
    Emotion,
    Level,
    MeasuredUtterance,
    RecordFormatError,
    Utterance,
    file_sha256,
    from_dict,
    to_dict,
    to_json,
)

VERSIONS = Versions("1", "1", "1", "1")
SPEC = JobSpec("manifest", "/corpus", "PAPER_9", "What?", 0, 2, None, VERSIONS)


def utterance(**fields: object) -> Utterance:
    return replace(Utterance("u1", "made", "clip.flac", "s1", emotion=Emotion.SAD, split="train"), **fields)


@pytest.fixture
def clip(tmp_path: Path, kit) -> Path:
    soundfile.write(tmp_path / "clip.flac", kit.speechlike(200.0, syllables=6, rate_sps=4.0, peak=0.3), 16_000)
    return tmp_path / "clip.flac"


def test_public_names() -> None:
    """What the package promises at its root; a name that goes or comes is a release note."""
    assert annotator_worker.__all__ == sorted(annotator_worker.__all__)
    assert {"run", "list_corpus", "open_store", "ObjectStore"} <= set(annotator_worker.__all__)
    assert all(hasattr(annotator_worker, name) for name in annotator_worker.__all__)


@pytest.mark.parametrize(
    "changed",
    [
        (utterance(transcript="Hello"), "aa", SPEC),
        (utterance(), "bb", SPEC),
        (utterance(), "aa", replace(SPEC, versions=replace(VERSIONS, prosody="2"))),
        (utterance(), "aa", replace(SPEC, measuring=MeasureConfig(Stress.NONE))),
    ],
    ids=["utterance", "audio", "code", "what is measured"],
)
def test_work_key_changes_with_everything_measured(changed: tuple[Utterance, str, JobSpec]) -> None:
    same = replace(SPEC, versions=replace(VERSIONS, cotgen="2"))
    assert work_key(utterance(), "aa", SPEC) == work_key(utterance(), "aa", same)
    assert work_key(*changed) != work_key(utterance(), "aa", SPEC)


def measure(item: Utterance, root: Path) -> MeasuredUtterance:
    return measure_at(item, audio_file(item, root), SPEC.measuring)


def test_measure_reads_the_part_that_is_named(clip: Path) -> None:
    """1.8 s of clip: the whole, and the second from 0.5 to 1.5."""
    whole = measure(utterance(), clip.parent)
    part = measure(utterance(start_s=0.5, end_s=1.5), clip.parent)
    assert whole.profile.duration_s == pytest.approx(1.8)
    assert part.profile.duration_s == pytest.approx(1.0)
    assert whole.audio_sha256 == part.audio_sha256 == file_sha256(clip)


def test_measure_hears_the_channel_that_is_named(tmp_path: Path, kit) -> None:
    """A talk of two, left from 220 Hz and right from 110 Hz, each falling 2 semitones: an octave apart; no third."""
    voices = [kit.speechlike(f0_hz, syllables=6, rate_sps=4.0, peak=0.3) for f0_hz in (220.0, 110.0)]
    soundfile.write(tmp_path / "clip.flac", np.stack(voices, axis=1), 16_000)
    left, right = (measure(utterance(channel=c), tmp_path) for c in (0, 1))
    assert left.audio_sha256 == right.audio_sha256
    assert work_key(left.utterance, "aa", SPEC) != work_key(right.utterance, "aa", SPEC)
    pitches = [m.profile.f0_median_hz or 0.0 for m in (left, right)]
    assert pitches == pytest.approx([220.0 * 2 ** (-1 / 12), 110.0 * 2 ** (-1 / 12)], rel=0.02)
    with pytest.raises(NoSuchChannelError, match="no channel 2, its 2 are counted from 0"):
        measure(utterance(channel=2), tmp_path)
    with pytest.raises(EmptyAudioError, match="holds no sample from 9 s to the end"):
        measure(utterance(start_s=9.0), tmp_path)


def test_a_file_of_many_parts_that_is_written_anew_is_read_anew(clip: Path, kit) -> None:
    """What is kept of the last file is of its bytes: an octave lower, the second time."""
    one, two = utterance(end_s=1.0), utterance(start_s=0.5)
    before = [measure(u, clip.parent) for u in (one, two)]
    soundfile.write(clip, kit.speechlike(100.0, syllables=6, rate_sps=4.0, peak=0.3), 16_000)
    after = [measure(u, clip.parent) for u in (one, two)]
    for old, new in zip(before, after, strict=True):
        assert old.audio_sha256 != new.audio_sha256 == file_sha256(clip)
        assert (old.profile.f0_median_hz or 0.0) / (new.profile.f0_median_hz or 1.0) == pytest.approx(2.0, rel=0.03)


def test_measure_refuses_what_cannot_be_reasoned_about(clip: Path) -> None:
    """The first 0.1 s are the made clip's silent edge; the link leads to a file that exists, out of the root."""
    with pytest.raises(TooLittleSpeechError, match=r"u1: too little speech in 0\.100 s"):
        measure(utterance(end_s=0.1), clip.parent)
    (clip.parent / "root").mkdir()
    (clip.parent / "root" / "clip.flac").symlink_to(clip)
    with pytest.raises(MissingAudioError, match="out of the corpus root"):
        measure(utterance(), clip.parent / "root")


def test_a_folder_of_the_corpus_may_be_a_link(clip: Path, tmp_path: Path) -> None:
    """A speaker's folder on another disk, as the corpus loaders list it."""
    root = tmp_path / "corpus"
    root.mkdir()
    (root / "Actor_01").symlink_to(clip.parent)
    assert measure(utterance(audio_path=f"Actor_01/{clip.name}"), root).audio_sha256 == file_sha256(clip)


@pytest.mark.parametrize(
    ("fields", "stress", "expected"),
    [
        ({"language": "en", "transcript": "Hello there"}, Stress.AUTO, True),
        ({"language": "en-GB", "transcript": "Hello there"}, Stress.AUTO, True),
        ({"language": "de", "transcript": "Guten Tag"}, Stress.MEASURED, False),
        ({"transcript": "Hello there"}, Stress.MEASURED, False),
        ({"language": "en"}, Stress.MEASURED, False),
        ({"language": "en", "transcript": "Hello there", "stressed_words": ("there",)}, Stress.AUTO, False),
        ({"language": "en", "transcript": "Hello there", "stressed_words": ("there",)}, Stress.MEASURED, True),
        ({"language": "en", "transcript": "Hello there"}, Stress.NONE, False),
    ],
)
def test_stress_is_measured_of_english_that_is_not_marked(
    *, fields: dict[str, object], stress: Stress, expected: bool
) -> None:
    """As the option says: pocketsphinx aligns English, and `auto` leaves corpora alone that mark stress themselves."""
    assert (extras_of(utterance(**fields), MeasureConfig(stress)).align == "pocketsphinx") is expected


@pytest.fixture
def measured(clip: Path) -> list[MeasuredUtterance]:
    """Seven utterances of one clip in two splits, one of them whispered as far as the profile knows."""
    one = measure(utterance(), clip.parent)
    items = [
        replace(one, utterance=utterance(utterance_id=f"u{i}", split="test" if i > 4 else "train")) for i in range(7)
    ]
    items[0] = replace(items[0], profile=replace(one.profile, f0_median_hz=None, f0_p05_hz=None, f0_p95_hz=None))
    return items


def test_plans_keep_to_their_split_and_to_voiced_speech(measured: list[MeasuredUtterance]) -> None:
    """Two for each split, attributes in turn, every order complete, no offset zero."""
    plans = comparative.plan(measured, SPEC)
    assert sorted(p.utterance.split or "" for p in plans) == ["test", "test", "train", "train"]
    assert "u0" not in {p.utterance.utterance_id for p in comparative.plan(measured, replace(SPEC, comparative=9))}
    assert sorted(p.attribute for p in plans) == ["energy", "energy", "pitch", "pitch"]
    assert all(sorted(p.order) == sorted(Level) and p.offset_centi for p in plans)
    assert comparative.plan(reversed(measured), SPEC) == plans
    assert comparative.plan(measured, replace(SPEC, seed=1)) != plans
    assert comparative.plan(measured, replace(SPEC, comparative=0)) == []


def test_render_refuses_audio_that_changed(measured: list[MeasuredUtterance], clip: Path) -> None:
    plan = comparative.plan(measured, SPEC)[0]
    soundfile.write(clip, np.zeros(16_000), 16_000)
    with pytest.raises(MissingAudioError, match="changed since it was measured"):
        comparative.render(plan, clip)


def test_folder_store_keeps_the_protocol(tmp_path: Path) -> None:
    """The same assertions as for S3 in the service test."""
    objects = open_store(f"file://{tmp_path}/store")
    objects.put("a/b/one", b"1")
    objects.put("a/two", b"2")
    objects.put("a/two", b"22")
    assert sorted(objects.keys("a/")) == ["a/b/one", "a/two"]
    assert objects.get("a/two") == b"22"
    objects.delete("a/b/one")
    objects.delete("a/b/one")
    assert list(objects.keys("a/")) == ["a/two"]
    assert (objects.exists("a/two"), objects.exists("a/b/one")) == (True, False)
    (tmp_path / "file").write_bytes(b"file")
    objects.upload("c", tmp_path / "file")
    objects.download("c", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"file"
    with pytest.raises(ObjectNotFoundError):
        objects.get("a/b/one")


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../up", "a/../b", "a//b", "a/", "a\\b", "a b", "a/.", "ä"])
def test_strange_keys_are_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(StoreError, match="not an object key"):
        FolderStore(tmp_path).put(key, b"")


@pytest.mark.parametrize("uri", ["", "folder", "file://host/x", "s3://", "s3://key:secret@bucket", "http://bucket"])
def test_strange_stores_are_refused_without_repeating_them(uri: str) -> None:
    """The address may hold a secret that should not be there; so it is not in the message."""
    with pytest.raises(StoreError) as refused:
        open_store(uri, environ={})
    assert "secret@" not in str(refused.value)


@pytest.mark.parametrize("name", ["", "../up", "a/b", "-a", "a" * 65])
def test_strange_job_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(JobError, match="not a job name"):
        JobFiles(FolderStore(tmp_path), name)


def test_submit_without_a_broker_is_one_line_and_status_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kit) -> None:
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)
    root = kit.write_corpus(tmp_path / "corpus", clips=1)
    arguments = ["submit", "--corpus", "manifest", "--root", str(root), "--job", "j", "--store", f"file://{tmp_path}/s"]
    result = CliRunner().invoke(cli, arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: CELERY_BROKER_URL does not name the broker\n"


@pytest.fixture
def stored(clip: Path, tmp_path: Path) -> tuple[BatchTask, FolderStore]:
    """A batch of one utterance, its audio in a store."""
    store = FolderStore(tmp_path / "store")
    sha256 = file_sha256(clip)
    store.upload(keys.audio(sha256, clip.name), clip)
    ((batch,),) = store_batches(store, [Item("u1", to_json(Submitted(utterance(), sha256)), 1.0)], ["measure"])
    return BatchTask("j", Stage.MEASURE, batch, 0, 1, VERSIONS), store


def only_outcome(task: BatchTask, store: FolderStore) -> Outcome:
    (item,) = work.items_of(store, task)
    with work.Audio(store, task.in_place) as audio:
        return work.outcome_of(task, 0, item, audio=audio, attempts=1, limit_s=None)


def test_an_item_is_safe_to_do_twice(stored: tuple[BatchTask, FolderStore], clip: Path) -> None:
    """The same outcome, and that of the library call."""
    task, store = stored
    outcomes = [only_outcome(task, store) for _ in range(2)]
    assert outcomes[0] == outcomes[1] == Outcome(measured=measure(utterance(), clip.parent))


def test_audio_that_vanished_from_the_store_is_a_dead_letter(stored: tuple[BatchTask, FolderStore]) -> None:
    task, store = stored
    for key in list(store.keys("audio/")):
        store.delete(key)
    dead = only_outcome(task, store).dead
    assert dead is not None
    assert (dead.id, dead.error, dead.batch, dead.index, dead.attempt) == (
        "u1", "ObjectNotFoundError", task.batch.key, 0, 1,
    )  # fmt: skip


def test_audio_that_arrives_damaged_is_the_fault_of_the_store(stored: tuple[BatchTask, FolderStore]) -> None:
    """It is tried again, as everything that is not the clip's own fault; so it must not become a dead letter."""
    task, store = stored
    (key,) = store.keys("audio/")
    store.put(key, b"something else")
    with pytest.raises(StoreUnavailableError, match="SHA-256"):
        only_outcome(task, store)


def test_audio_in_place_is_read_below_the_workers_own_root(
    stored: tuple[BatchTask, FolderStore], clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other bytes than those that were submitted are a dead letter; so is a path that a link leads out of the root."""
    task, store = stored
    task = replace(task, in_place=True)
    monkeypatch.delenv("ANNOTATOR_AUDIO_ROOT", raising=False)
    with pytest.raises(StoreUnavailableError, match="ANNOTATOR_AUDIO_ROOT"):
        only_outcome(task, store)
    monkeypatch.setenv("ANNOTATOR_AUDIO_ROOT", str(clip.parent))
    assert only_outcome(task, store).measured == measure(utterance(), clip.parent)
    soundfile.write(clip, soundfile.read(clip)[0] / 2, 16_000)
    dead = only_outcome(task, store).dead
    assert dead is not None
    assert "changed since it was submitted" in dead.message
    (clip.parent / "root").mkdir()
    (clip.parent / "root" / "clip.flac").symlink_to(clip)
    monkeypatch.setenv("ANNOTATOR_AUDIO_ROOT", str(clip.parent / "root"))
    dead = only_outcome(task, store).dead
    assert dead is not None
    assert (dead.error, "out of the corpus root" in dead.message) == ("MissingAudioError", True)


@pytest.mark.parametrize(
    "part", ["audio/aa.flac", "batches/aa.flac", "jobs/other/spec.json", "../batches/x", "batches/../jobs/x"]
)
def test_a_message_cannot_lead_out_of_its_prefix(stored: tuple[BatchTask, FolderStore], part: str) -> None:
    task, store = stored
    with pytest.raises(JobError, match="is no batch"):
        work.items_of(store, replace(task, batch=replace(task.batch, part=part)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": "2.0"}, r"schema_version 2\.0 cannot be read here, this release reads 1\.1"),
        ({"schema_version": "1.2", "priority": 3}, "has no field 'priority'.*update"),
        ({"start": 1}, "items 1 to 1 are not a part of 1"),
    ],
)
def test_a_newer_message_is_refused_by_name(
    stored: tuple[BatchTask, FolderStore], change: dict[str, object], message: str
) -> None:
    """Versions as `speech_records` has them: another major, or a field that an older minor does not know."""
    with pytest.raises(RecordFormatError, match=message):
        from_dict(BatchTask, to_dict(stored[0]) | change)
    assert from_dict(BatchTask, to_dict(stored[0]) | {"schema_version": "1.2", "priority": None}) == stored[0]


def test_a_message_that_is_not_json_is_not_opened() -> None:
    """A pickle could run anything. As the consumer of a worker opens messages: by the content that the app accepts."""

    def opened(serializer: str) -> object:
        kind, encoding, body = serialization.dumps({"task": TASK}, serializer=serializer)
        return serialization.loads(body, kind, encoding, accept=accepted)

    accepted = serialization.prepare_accept_content(app.conf.accept_content)
    with pytest.raises(ContentDisallowed, match="pickle"):
        opened("pickle")
    assert opened("json") == {"task": TASK}


def test_audio_that_changes_while_it_is_submitted_is_a_failed_item(tmp_path: Path, kit) -> None:
    """An upload ends meanwhile: what is stored would have another file's hash. Nothing is left under it."""
    root = kit.write_corpus(tmp_path / "corpus", clips=1)

    class Slow(FolderStore):
        def upload(self, key: str, path: Path) -> None:
            if key.startswith("audio/"):
                (root / "new.flac").write_bytes(b"another sound")
                (root / "new.flac").replace(path)
            super().upload(key, path)

    files = JobFiles(Slow(tmp_path / "store"), "j")
    assert job.submit(files, CorpusRequest("manifest", root)) == (0, 0)
    (failed,) = files.rejected()
    assert (failed.id, failed.error, "changed while it was submitted" in failed.message) == (
        "made-000",
        "ClipError",
        True,
    )
    assert list(files.store.keys("audio/")) == []


def test_many_items_become_batches_that_a_new_item_does_not_shift(tmp_path: Path) -> None:
    """Ten thousand items, one of them new in the middle: the batch that it is in has a new key, every other its old
    one. No batch is longer than 30 s of estimated work, and items keep their order."""
    items = [Item(f"u{i}", json.dumps({"n": i}), 0.1) for i in range(10_000)]
    store = FolderStore(tmp_path)

    def made(items: list[Item]) -> list[Batch]:
        return [batch for part in store_batches(store, items, ["measure", "1"]) for batch in part]

    before, after = made(items), made([*items[:5000], Item("new", "{}", 0.1), *items[5000:]])
    assert sum(batch.items for batch in before) == 10_000
    assert max(batch.items for batch in before) <= 300
    assert len({b.key for b in after} - {b.key for b in before}) <= 2
    assert [line for batch in batches(items) for line in batch] == items
    first = before[0]
    assert store.get(first.part, offset=first.offset, length=first.length).decode().count("\n") == first.items


def test_ranges_of_a_batch_are_counted_once(tmp_path: Path) -> None:
    """Done as a whole by one worker and in parts by another: the whole. What is between two parts is missing."""
    store = FolderStore(tmp_path)
    for name in ("a/0-8-1", "a/0-4-0", "a/4-5-1", "a/5-8-0", "b/0-2-0", "b/5-8-0"):
        store.put(f"shards/{name}.jsonl", b"")
    store.put("shards/a/other.txt", b"")
    done = done_ranges(store)
    assert done == {"a": [Range(0, 8, 1)], "b": [Range(0, 2), Range(5, 8)]}
    assert missing(Batch("b", "batches/p.jsonl", 0, 1, 9), done["b"]) == [Range(2, 5), Range(8, 9)]


def test_a_log_line_is_an_object_with_what_it_is_about() -> None:
    """What is given as `extra` stands beside the message; a traceback stays on the line that it belongs to."""
    try:
        raise ValueError("zwölf\nlines")
    except ValueError:
        error = sys.exc_info()
    record = logging.makeLogRecord(
        {"name": "a", "levelno": 40, "levelname": "ERROR", "msg": "%s failed", "args": ("u1",)}
    )
    record.exc_info = error
    record.utterance_id = "u1"
    line = JsonFormatter().format(record)
    assert "\n" not in line
    found = json.loads(line)
    assert (found["message"], found["level"], found["utterance_id"]) == ("u1 failed", "error", "u1")
    assert "zwölf\nlines" in found["traceback"]


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    """The variable itself comes first; a file that is not there is said by name; an empty one is no value."""
    (tmp_path / "secret").write_text("s3cret\n")
    (tmp_path / "empty").write_text("\n")
    assert setting("KEY", {"KEY_FILE": str(tmp_path / "secret")}) == "s3cret"
    assert setting("KEY", {"KEY": "given", "KEY_FILE": str(tmp_path / "secret")}) == "given"
    assert setting("KEY", {"KEY_FILE": str(tmp_path / "empty")}) is setting("KEY", {}) is None
    with pytest.raises(UnusableInputError, match=r"KEY_FILE names .*absent, which cannot be read"):
        setting("KEY", {"KEY_FILE": str(tmp_path / "absent")})
