"""From a language model that misbehaves to a policy: `cotgen build`, `annotator run` and `trainer` share one data set.

The server is that of cotgen's own tests. What it answers depends on the prompt alone: some clips are refused, cut off
or answered with what is not JSON, the others get a text that is true of every clip; each prompt first meets a 429.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from zlib import crc32

import pytest

from cotgen.dataset import DataSet
from speech_records import file_sha256
from trainer.tracking import HISTORY, read_history

BIN = Path(sys.executable).parent
SERVER = Path(__file__).parents[1] / "packages" / "cotgen" / "tests" / "conftest.py"
TINY = ["model.audio_width=32", "model.audio_layers=1", "model.text_width=32", "model.text_layers=1"]
STEPS = "phases=[{name:all,steps:3,batch_size:4,weights:{attribute:1,reasoning:2,stress:1,comparative:1}}]"
TRUE_TEXT = (
    "The speaker says “{said}”, and nothing in these words decides anything by itself. {measured}What counts is how "
    "the sentence was delivered from its beginning to its end, and every part of that delivery points the same way. "
    "Another reading could be imagined, but no part of the sound asks for it, so the first impression stays."
)
"""57 words and, for each level that the prompt names, a sentence that claims it: true of the clip."""
LEVEL = re.compile(r"^- (pitch|energy|speaking rate): [^\n]*?\b(low|normal|high|slow|fast)\b", re.MULTILINE)
CLIPS = 36


@pytest.fixture(scope="module")
def model_server() -> ModuleType:
    spec = importlib.util.spec_from_file_location("model_server", SERVER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def url(model_server: ModuleType) -> Iterator[str]:
    """A server whose answers are a function of the prompt, after one 429 for each."""
    server = model_server.ModelServer()
    seen: set[str] = set()

    def behave(handler: Any) -> None:
        prompt = handler.request_body["messages"][1]["content"]
        if prompt not in seen:
            seen.add(prompt)
            model_server.fail(429, retry_after="0")(handler)
            return
        said = prompt.partition("<transcript>")[2].partition("</transcript>")[0]
        misbehaviour = {
            0: model_server.say(None, refusal="No."),
            1: model_server.say('{"reasoning": "The pi', finish_reason="length"),
            2: model_server.say("no JSON"),
        }
        measured = "".join(f"The {cue} is {level}. " for cue, level in LEVEL.findall(prompt))
        answer = model_server.answer(TRUE_TEXT.format(said=said.strip(), measured=measured))
        misbehaviour.get(crc32(prompt.encode()) % 8, answer)(handler)

    server.otherwise = behave
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server.url
    server.shutdown()
    server.server_close()


def command(*words: object, expect: int = 0, cwd: Path) -> str:
    """Run one of our commands in `cwd`, with a key in its environment; what it says on stderr."""
    program, *arguments = (str(word) for word in words)
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    environment |= {"OPENAI_API_KEY": "sk-test-0123456789abcdef"}
    done = subprocess.run(
        [str(BIN / program), *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == expect, done.stderr[-2000:]
    return done.stderr


def contents(folder: Path) -> dict[str, bytes]:
    found = (p for p in folder.rglob("*") if p.is_file() and ".work" not in p.parts)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, url: str, run_stage: Callable[..., str]) -> Path:
    """A corpus of 36 clips, annotated by rules; then by the model, from its measurements and from its audio."""
    folder = tmp_path_factory.mktemp("written")
    run_stage("stage=demo_corpus", "out=corpus", "voices=4", "sentences=1", cwd=folder)
    annotate = ["annotator", "run", "--local", "--corpus=demo", "--root=corpus", "--comparative=2", "--workers=2"]
    command(*annotate, "--out=rules", cwd=folder)
    model = ["--generator=openai", "--model=m", f"--base-url={url}", "--candidates=2"]
    build = ["cotgen", "build", "--profiles=rules/measured.jsonl", "--out=written", "--concurrency=3"]
    command(*build, *model, expect=1, cwd=folder)
    command(*annotate, *model, "--out=direct", expect=1, cwd=folder)
    return folder


def test_measurements_and_audio_give_the_same_data_set(home: Path) -> None:
    """Every file, `dataset.json`, clips and failures included; both were asked for the same."""
    assert contents(home / "written") == contents(home / "direct")
    written = DataSet.open(home / "written")
    counts = written.description["counts"]
    assert counts["utterances"] + counts["failed"] == CLIPS
    assert 0 < counts["failed"] < CLIPS
    assert counts["failed_by_error"] == {"GenerationError": counts["failed"]}
    assert len(list(written.clips())) == counts["sft_examples"]["comparative"] > 0
    assert {trace.generator for _, trace in written.rows()} == {"openai:m:cot/2"}


def test_a_model_trains_on_what_the_language_model_wrote(home: Path, run_stage: Callable[..., str]) -> None:
    """Three steps; the checkpoint vouches for this very data set."""
    run_stage("stage=sft", "data=written", "out=sft", *TINY, STEPS, cwd=home)
    assert len(read_history(home / "sft" / HISTORY)) == 3
    card = json.loads((home / "sft" / "policy.json").read_text())
    assert card["data_sha256"] == file_sha256(home / "written" / "dataset.json")
    examples = DataSet.open(home / "written").examples("train")
    assert any("nothing in these words decides" in e.target for e in examples)
