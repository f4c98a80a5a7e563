"""The parts under both ways to annotate: keys, stores, plans, single clips, tasks that come again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from celery.app.task import Context
from typer.testing import CliRunner

import annotator_worker
from annotator_worker import comparative, job, keys, tasks
from annotator_worker.cli import cli
from annotator_worker.errors import (
    JobError,
    MissingAudioError,
    ObjectNotFoundError,
    StoreError,
    TooLittleSpeechError,
)
from annotator_worker.jobfiles import JobFiles
from annotator_worker.listing import list_corpus
from annotator_worker.pipeline import audio_file, extras_of
from annotator_worker.pipeline import measure as measure_at
from annotator_worker.records import JobSpec, MeasureConfig, Stress, Submitted, Versions, work_key
from annotator_worker.store import FolderStore, open_store
from prosody import EmptyAudioError, NoSuchChannelError
from speech_records import Emotion, Level, MeasuredUtterance, Utterance, file_sha256, to_dict

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
def request_and_store(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Submitted, FolderStore]:
    store = FolderStore(tmp_path / "store")
    sha256 = file_sha256(clip)
    item = Submitted(work_key(utterance(), sha256, SPEC), utterance(), sha256, keys.audio(sha256, ".FLAC"))
    store.upload(item.audio_key, clip)
    monkeypatch.setenv(tasks.STORE_VARIABLE, f"file://{tmp_path}/store")
    return item, store


def test_a_task_is_safe_to_run_twice(request_and_store: tuple[Submitted, FolderStore], clip: Path) -> None:
    """The same key, the same bytes, and those of the library call."""
    item, store = request_and_store
    stored = []
    for _ in range(2):
        assert tasks.measure(to_dict(item)) == item.key
        stored.append(store.get(keys.measured(item.key)))
    assert stored[0] == stored[1]
    assert json.loads(stored[0]) == to_dict(measure(utterance(), clip.parent))


def test_a_clip_that_ends_its_worker_is_given_up(request_and_store: tuple[Submitted, FolderStore]) -> None:
    """Celery marks a message that comes again. It is tried three times more, then it becomes a failed item."""
    item, store = request_and_store
    tasks.measure.request_stack.push(Context(delivery_info={"redelivered": True}))
    try:
        for _ in range(tasks.MAX_REDELIVERIES):
            tasks.measure.run(to_dict(item))
        assert not store.exists(keys.failure(item.key))
        tasks.measure.run(to_dict(item))
    finally:
        tasks.measure.request_stack.pop()
    failed = json.loads(store.get(keys.failure(item.key)))
    assert (failed["id"], failed["stage"], failed["error"]) == ("u1", "measure", "WorkerDiedError")


def test_audio_that_vanished_from_the_store_is_a_failed_item(
    request_and_store: tuple[Submitted, FolderStore],
) -> None:
    item, store = request_and_store
    store.delete(item.audio_key)
    tasks.measure(to_dict(item))
    assert json.loads(store.get(keys.failure(item.key)))["error"] == "ObjectNotFoundError"


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
    assert job.submit(files, list_corpus("manifest", root)) == 0
    (failed,) = files.rejected()
    assert (failed.id, failed.error, "changed while it was submitted" in failed.message) == (
        "made-000",
        "ClipError",
        True,
    )
    assert list(files.store.keys("audio/")) == []
