"""The same annotation through real servers: one Celery worker, Valkey, an S3 gateway, each with a random secret."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
import soundfile

from annotator_worker import jobfiles, keys, store
from annotator_worker.celery import TASK, app
from annotator_worker.errors import ObjectNotFoundError, StoreAccessError, StoreError, StoreUnavailableError
from annotator_worker.ledger import Ledger
from annotator_worker.records import Batch, BatchTask, Stage, Submitted, Versions
from speech_records import Utterance, to_dict, to_json

pytestmark = pytest.mark.service

CLIPS = 8
CORPUS = ("--corpus", "manifest", "--seed", "5", "--comparative", "1")


@pytest.fixture(scope="module")
def servers(services):
    """With one worker of one child process."""
    services.start_worker()
    return services


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, kit) -> Path:
    """Eight good clips, a missing one, a damaged one and a line that is rejected."""
    root = kit.write_corpus(tmp_path_factory.mktemp("service") / "corpus", clips=CLIPS)
    (root / "text.wav").write_text("no sound")
    bad = [kit.line("missing", "missing.wav"), kit.line("text", "text.wav"), kit.line("up", "../up.wav")]
    with (root / "manifest.jsonl").open("a") as manifest:
        manifest.writelines(bad)
    return root


def test_collected_equals_local(servers, corpus: Path, tmp_path: Path, kit) -> None:
    """Byte for byte, failed items, comparative clips and `dataset.json` included."""
    annotate = [*CORPUS, "--root", str(corpus)]
    local = servers.annotator("run", "--local", *annotate, "-o", str(tmp_path / "local"))
    assert local[0] == 1

    submitted = servers.annotator("submit", *annotate, "--job", "made")
    assert (submitted[0], submitted[1].split(" in ")[0]) == (0, f"{CLIPS + 1} items sent")
    assert servers.wait_for("measure") == {"total": CLIPS + 1, "done": CLIPS, "failed": 1, "pending": 0}
    early = servers.annotator("collect", "--job", "made", "-o", str(tmp_path / "early"))
    assert (early[0], "run calibrate" in early[2]) == (2, True)
    calibrated = servers.annotator("calibrate", "--job", "made")
    assert (calibrated[0], calibrated[2].split(" in ")[0]) == (0, "2 items sent")
    servers.wait_for("compare")
    unwritten = servers.annotator("collect", "--job", "made", "-o", str(tmp_path / "early"))
    assert (unwritten[0], "annotator reason" in unwritten[2]) == (2, True)
    assert servers.annotator("reason", "--job", "made")[1].startswith(f"{CLIPS} items sent")
    assert servers.wait_for("reason") == {"total": CLIPS, "done": CLIPS, "failed": 0, "pending": 0}
    verified = servers.annotator("verify", "--job", "made")
    assert (verified[0], "claims supported" in verified[1]) == (0, True)
    collected = servers.annotator("collect", "--job", "made", "-o", str(tmp_path / "collected"))

    assert collected[0] == 1
    assert collected[1].splitlines()[1:] == local[1].splitlines()[1:]
    assert kit.contents(tmp_path / "collected") == kit.contents(tmp_path / "local")
    assert len((tmp_path / "local" / "errors.jsonl").read_text().splitlines()) == 3


def letter(servers, tmp_path: Path) -> dict[str, object]:
    """The one dead letter of what was sent; before it there are two of what was rejected before."""
    status, out, _ = servers.annotator("dead-letters", "--job", "made", "-o", str(tmp_path / "dead-letters.jsonl"))
    assert (status, "3 dead letters" in out) == (0, True)
    *rejected, dead = map(json.loads, (tmp_path / "dead-letters.jsonl").read_text().splitlines())
    assert [(item["stage"], item["worker"]) for item in rejected] == [("list", "submit"), ("measure", "submit")]
    return dead


def test_asking_again_sends_only_what_failed(servers, corpus: Path, tmp_path: Path) -> None:
    """Everything was done above, so submitting it again sends nothing; `retry` sends what failed, until it is right.

    The damaged clip that was mended is another content: only its batch is new.
    """
    annotate = [*CORPUS, "--root", str(corpus), "--job", "made"]
    assert servers.annotator("submit", *annotate)[1] == "0 items sent in 0 messages\n"
    dead = letter(servers, tmp_path)
    assert (dead["id"], dead["error"], dead["attempt"], dead["retries"]) == ("text", "UnreadableAudioError", 1, 0)
    assert servers.annotator("retry", "--job", "made")[1] == "1 items sent in 1 messages\n"
    assert servers.wait_for("measure")["failed"] == 1
    assert letter(servers, tmp_path)["retries"] == 1
    soundfile.write(corpus / "text.wav", soundfile.read(corpus / "audio" / "000.flac")[0], 16_000)
    assert int(servers.annotator("submit", *annotate)[1].split()[0]) in range(1, CLIPS + 2)
    assert servers.wait_for("measure") == {"total": 9, "done": 9, "failed": 0, "pending": 0}


def test_status_is_live(servers) -> None:
    """The one worker has done every item that was ever sent, and says how fast."""
    status = json.loads(servers.annotator("status", "--job", "made")[1])
    assert (status["submitted"], status["cancelled"], status["rejected"]) == (True, False, 2)
    assert status["measure"]["rate"] > 0
    assert status["measure"]["eta_s"] == 0
    (worker,) = status["workers"].values()
    assert worker["items"] >= 2 * CLIPS + 4
    assert worker["rate"] >= status["measure"]["rate"]


def test_prometheus_is_served(servers, tmp_path: Path) -> None:
    """The numbers of the ledger, over HTTP; and 0 for `annotator_up` where the queue is not there (port 9: discard)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    for url, up in ((servers.environment["CELERY_BROKER_URL"], 1), ("redis://127.0.0.1:9/0", 0)):
        command = [sys.executable, "-m", "annotator_worker", "metrics", "--port", str(port)]
        exporter = servers.local.Program(f"metrics {up}", command, tmp_path, {"CELERY_BROKER_URL": url}, port=port)
        with servers.local.running(exporter), urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        assert f"annotator_up {up}.0" in text
    totals = Ledger(servers.environment["CELERY_BROKER_URL"]).totals()
    assert totals["items"] >= CLIPS + 4


def test_a_cancelled_job_stops_and_is_taken_up_again(servers, tmp_path: Path, kit) -> None:
    """Sent while no worker is there, cancelled, dropped by the worker that comes; `retry` has all of it done, also what
    is claimed by a message that does not come back."""
    servers.worker.stop()
    root = kit.write_corpus(tmp_path / "corpus", clips=10)
    (root / "manifest.jsonl").write_text(
        "".join(kit.line(f"later-{i}", f"audio/{i:03}.flac") for i in range(10))
    )  # the same sounds under other names are other work
    assert servers.annotator("submit", "--corpus", "manifest", "--root", str(root), "--job", "stopped")[0] == 0
    assert servers.annotator("cancel", "--job", "stopped")[0] == 0
    servers.start_worker()
    ledger = Ledger(servers.environment["CELERY_BROKER_URL"])
    end = time.monotonic() + 120
    while ledger.queued("annotator"):
        assert time.monotonic() < end
        time.sleep(0.2)
    status = json.loads(servers.annotator("status", "--job", "stopped")[1])
    assert (status["cancelled"], status["measure"]["pending"]) == (True, 10)
    objects = store.open_store(servers.environment["ANNOTATOR_STORE"], environ=servers.environment)
    (sent,) = jobfiles.JobFiles(objects, "stopped").rounds(Stage.MEASURE)
    assert all(ledger.claim(f"{batch.key}/0-{batch.items}", "another", 5.0) for batch in sent)
    assert servers.annotator("retry", "--job", "stopped")[1].startswith("10 items sent")
    assert servers.wait_for("measure", "stopped") == {"total": 10, "done": 10, "failed": 0, "pending": 0}


def test_a_worker_that_is_asked_to_stop_ends_its_batch(servers, tmp_path: Path, kit) -> None:
    """SIGTERM to its main process, as containers send it, while it is at work: nothing is lost, and no process died."""
    root = kit.write_corpus(tmp_path / "corpus", clips=10)
    names = [kit.line(f"last-{i}", f"audio/{i % 10:03}.flac") for i in range(60)]
    (root / "manifest.jsonl").write_text("".join(names))
    ledger = Ledger(servers.environment["CELERY_BROKER_URL"])
    deaths, before = ledger.totals().get("deaths"), servers.worker.log.read_text().count("received")
    assert servers.annotator("submit", "--corpus", "manifest", "--root", str(root), "--job", "last")[0] == 0
    end = time.monotonic() + 120
    while servers.worker.log.read_text().count("received") == before:
        assert time.monotonic() < end
        time.sleep(0.02)
    os.kill(servers.worker.pid, signal.SIGTERM)
    while Path(f"/proc/{servers.worker.pid}/stat").read_text().rpartition(") ")[2][0] != "Z":
        assert time.monotonic() < end
        time.sleep(0.1)
    assert json.loads(servers.annotator("status", "--job", "last")[1])["measure"]["done"] > 0
    servers.start_worker()
    assert servers.wait_for("measure", "last")["done"] == 60
    assert ledger.totals().get("deaths") == deaths


def test_a_message_of_a_newer_release_is_refused_and_kept(servers, tmp_path: Path, monkeypatch) -> None:
    """The worker's log says why; the message is not acknowledged as done: it is sent again, for later."""
    monkeypatch.setenv("CELERY_BROKER_URL", servers.environment["CELERY_BROKER_URL"])
    batch = Batch("0" * 32, "batches/none.jsonl", 0, 1, 1)
    task = to_dict(BatchTask("newer", Stage.MEASURE, batch, 0, 1, Versions.installed()))
    with app.connection_for_write(servers.environment["CELERY_BROKER_URL"]) as connection:
        app.send_task(TASK, (task | {"schema_version": "2.0"},), producer=app.amqp.Producer(connection))
    end = time.monotonic() + 120
    while "schema_version 2.0 cannot be read here" not in servers.worker.log.read_text():
        assert time.monotonic() < end
        time.sleep(0.2)
    while "retry: Retry in" not in servers.worker.log.read_text():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_a_damaged_batch_is_done_once_it_is_repaired(servers, monkeypatch) -> None:
    """Half of a batch object, as after an upload that was cut: the worker names it and keeps its message. With the
    whole object there it does the range: one dead letter, since the audio is no sound."""
    monkeypatch.setenv("CELERY_BROKER_URL", servers.environment["CELERY_BROKER_URL"])
    objects = store.open_store(servers.environment["ANNOTATOR_STORE"], environ=servers.environment)
    sound = b"no sound"
    item = Submitted(Utterance("cut", "manifest", "cut.wav", "ann"), hashlib.sha256(sound).hexdigest())
    objects.put(keys.audio(item.audio_sha256, item.utterance.audio_path), sound)
    whole, key, items = f"{to_json(item)}\n".encode(), "f" * 32, 1
    part = f"{keys.BATCHES}{key}.jsonl"
    objects.put(part, whole[: len(whole) // 2])
    task = BatchTask("damaged", Stage.MEASURE, Batch(key, part, 0, len(whole), items), 0, items, Versions.installed())
    with app.connection_for_write(servers.environment["CELERY_BROKER_URL"]) as connection:
        app.send_task(TASK, (to_dict(task),), producer=app.amqp.Producer(connection))
    end = time.monotonic() + 120
    while f"items where {items} should be" not in servers.worker.log.read_text():
        assert time.monotonic() < end
        time.sleep(0.2)
    objects.put(part, whole)
    while not any(objects.keys(f"{keys.SHARDS}{key}/")):
        assert time.monotonic() < end
        time.sleep(0.2)


def test_secrets_are_in_no_log_message_or_result(servers) -> None:
    """Neither the S3 secret nor the broker's password: in a log that shows the worker at work, in the append-only file
    of the queue, which holds every message that was ever sent, and in every object of the store but audio."""
    log = servers.worker.log.read_bytes()
    assert b"annotator_worker.tasks.annotate" in log
    messages = b"".join(p.read_bytes() for p in (servers.folder / "valkey" / "appendonlydir").iterdir())
    assert messages.count(b"annotator_worker.tasks.annotate") > CLIPS
    objects = store.open_store(servers.environment["ANNOTATOR_STORE"], environ=servers.environment)
    found = {prefix: [objects.get(key) for key in objects.keys(prefix)] for prefix in ("batches/", "jobs/", "shards/")}
    assert all(found.values())
    texts = [text for part in found.values() for text in part]
    password = servers.environment["CELERY_BROKER_URL"].split("@")[0].removeprefix("redis://:")
    for secret in (servers.environment["AWS_SECRET_ACCESS_KEY"], password):
        assert not any(secret.encode() in text for text in (log, messages, *texts))


def test_a_wrong_secret_is_refused(servers) -> None:
    status, out, err = servers.annotator("status", "--job", "made", AWS_SECRET_ACCESS_KEY="not-the-secret")
    assert (status, out) == (2, "")
    assert "refused (SignatureDoesNotMatch)" in err
    assert "not-the-secret" not in err


def test_a_killed_child_costs_nothing(servers, tmp_path: Path, kit) -> None:
    """Killed over eight minutes of audio: the message comes again, and the clip is measured."""
    (tmp_path / "manifest.jsonl").write_text(kit.line("long", "long.flac"))
    speech = kit.speechlike(150.0, syllables=80, rate_sps=4.0, peak=0.4)
    soundfile.write(tmp_path / "long.flac", np.tile(speech, 24), 16_000)
    before = servers.worker.log.read_text().count("received")
    assert servers.annotator("submit", "--corpus", "manifest", "--root", str(tmp_path), "--job", "long")[0] == 0
    end = time.monotonic() + 120
    while servers.worker.log.read_text().count("received") == before:
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(0.3)
    for child in subprocess.run(
        ["pgrep", "-P", str(servers.worker.pid)], check=True, capture_output=True, text=True
    ).stdout.split():
        os.kill(int(child), signal.SIGKILL)
    assert servers.wait_for("measure", "long")["done"] == 1
    assert Ledger(servers.environment["CELERY_BROKER_URL"]).totals()["deaths"] >= 1


def test_a_wrong_broker_password_is_refused(servers, tmp_path: Path, kit) -> None:
    corpus = kit.write_corpus(tmp_path / "corpus", clips=9)  # the ninth clip is not measured yet
    address = servers.environment["CELERY_BROKER_URL"].split("@")[1]
    broker = f"redis://:not-the-password@{address}"
    status, _, err = servers.annotator(
        "submit", *CORPUS, "--root", str(corpus), "--job", "other", CELERY_BROKER_URL=broker
    )
    assert status == 2
    assert "CELERY_BROKER_URL" in err
    assert "not-the-password" not in err


def test_s3_store_keeps_the_protocol(servers, tmp_path: Path) -> None:
    """Put, get, list, delete, files, and what is missing; listings do not show folders that deletes left empty."""
    objects = store.open_store("s3://annotation/protocol", environ=servers.environment)
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
    with pytest.raises(StoreError, match="bucket 'elsewhere' does not exist"):
        store.open_store("s3://elsewhere", environ=servers.environment).put("a", b"")
    with pytest.raises(StoreAccessError, match="AWS_SECRET_ACCESS_KEY"):
        store.open_store("s3://annotation", environ=servers.environment | {"AWS_SECRET_ACCESS_KEY": ""})


def test_a_store_that_is_away_is_worth_another_try(servers) -> None:
    """Port 9 (discard) of the loopback interface has no listener: the error is the one that tasks retry."""
    away = store.open_store("s3://annotation", environ=servers.environment | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    with pytest.raises(StoreUnavailableError):
        jobfiles.JobFiles(away, "made").spec()
