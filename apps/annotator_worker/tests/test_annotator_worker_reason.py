"""Reasoning by a language model through workers: an endpoint on the loopback, a queue, a rate and a budget."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from annotator_worker.errors import UnusableInputError
from annotator_worker.records import JobSpec, Versions, Writing
from cotgen.dataset import DataSet
from cotgen.llm import prompting
from cotgen.reasoning import GeneratorName, ReasoningConfig

CLIPS = 8
KEY = "sk-test-0123456789abcdef"
MODEL = ("--generator", "openai", "--model", "made")


class Model(ThreadingHTTPServer):
    """Answers with the text of its `texts` that goes with the question, 900 + 100 tokens; keeps when it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.times: list[float] = []
        self.asked: list[str] = []
        self.keys: set[str] = set()
        self.failures = 0
        self.texts: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Model

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.server.times.append(time.monotonic())
        self.server.asked.append(body)
        self.server.keys.add(self.headers["authorization"])
        if self.server.failures:
            self.server.failures -= 1
            self.send_error(503)
            return
        question = json.loads(body)["messages"][1]["content"]
        content = json.dumps({"reasoning": self.server.texts[question]})
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
        usage = {"prompt_tokens": 900, "completion_tokens": 100}
        answer = json.dumps({"id": "c", "choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: object) -> None:
        """Silent."""


@pytest.fixture
def model() -> Iterator[Model]:
    with Model() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_message_holds_no_address_and_no_file() -> None:
    """A worker that took them from a message would send its key to whoever can write to the queue."""
    spec = JobSpec("manifest", "/corpus", "PAPER_9", "What?", 0, 2, None, Versions("1", "1", "1", "1"))
    for changed in ({"base_url": "http://elsewhere/v1"}, {"cache": "/tmp"}):
        with pytest.raises(UnusableInputError, match="OPENAI_BASE_URL"):
            Writing.of(spec, ReasoningConfig(GeneratorName.OPENAI, model="m", **changed))
    with pytest.raises(UnusableInputError, match="leave out --traces"):
        Writing.of(spec, ReasoningConfig(GeneratorName.TRACES, traces="traces.jsonl"))


@pytest.mark.service
def test_a_model_writes_through_workers_what_it_writes_locally(services, model: Model, tmp_path: Path, kit) -> None:
    """The same bytes as a local run that asks it (what rules wrote), though the endpoint fails at first, the
    first budget is used up (answers take 1 000 tokens, and each may take some 5 000 of 9 000) and the worker is
    killed in between. Nothing is paid for twice but what was in flight (8 at once), and the rate is kept: 240 a minute
    are 250 ms for each.
    """
    pytest.importorskip("openai")
    root = kit.write_corpus(tmp_path / "corpus", clips=CLIPS)
    assert services.annotator("run", "--local", str(root / "manifest.jsonl"), "-o", str(tmp_path / "rules"))[0] == 0
    rules = DataSet.open(tmp_path / "rules")
    for measured, trace in rules.rows():
        model.texts[prompting.messages(measured, rules.label_set)[1]["content"]] = trace.think
    services.start_worker(processes=1)
    assert services.annotator("submit", str(root / "manifest.jsonl"))[0] == 0
    services.wait_for("measure", "annotation")
    assert services.annotator("calibrate")[0] == 0
    (tmp_path / "key").write_text(KEY + "\n")
    asking = {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY_FILE": str(tmp_path / "key")}
    command = [*services.worker.command, "--llm"]
    environment = dict(services.worker.environment) | asking | {"ANNOTATOR_LLM_PER_MINUTE": "240"}
    environment["ANNOTATOR_VISIBILITY_S"] = "4"
    model.failures = 2
    with services.local.running(services.local.Program("llm", command, tmp_path, environment)) as worker:
        assert services.annotator("reason", *MODEL, "--max-tokens-total", "9000")[1].startswith(f"{CLIPS} items sent")
        wait_until(lambda: json.loads(services.annotator("status")[1])["cancelled"], worker)
        paid = len(model.asked)
        assert 0 < paid - 2 < CLIPS
        worker.kill()
        worker.start()
        assert services.annotator("reason", *MODEL, "--max-tokens-total", "900000")[0] == 0
        wait_until(lambda: len(model.asked) > paid + 1, worker)
        worker.kill()
        worker.start()
        assert services.wait_for("reason", "annotation")["done"] == CLIPS, services.annotator("dead-letters")[1]
        log = worker.log.read_text()
    gaps = [later - earlier for earlier, later in zip(sorted(model.times), sorted(model.times)[1:], strict=False)]
    assert sum(gaps) >= 0.25 * len(gaps) * 0.9
    assert len(model.asked) <= 2 + CLIPS + 8
    assert KEY not in log
    assert KEY not in "".join(model.asked)
    assert model.keys == {f"Bearer {KEY}"}
    collected = services.annotator("collect", "-o", str(tmp_path / "collected"))
    local = services.annotator(
        "run", "--local", str(root / "manifest.jsonl"), "-o", str(tmp_path / "local"), *MODEL, OPENAI_API_KEY=KEY,
        OPENAI_BASE_URL=model.url,
    )  # fmt: skip
    assert (collected[0], local[0]) == (0, 0), local[2]
    assert kit.contents(tmp_path / "collected") == kit.contents(tmp_path / "local")


def wait_until(condition, worker) -> None:
    end = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < end, worker.log.read_text()[-3000:]
        time.sleep(0.2)
