"""A whole text-only GRPO step of this trainer against one of TRL's `GRPOTrainer`: samples a second, memory, losses.

Both train the same small language model (random weights, 15 million, float32) on the CPU: 4 prompts of 256 tokens a
step, K = 8 answers of 96 tokens each, temperature 1, β 0.04 with a copy of the policy as reference, AdamW, no gradient
checkpointing. Ours is `trainer.fit` with `GRPOModule`, TRL's is `GRPOTrainer.train` on the model's text tower as a
Qwen2. The end token ends no answer on either side, so that all have their 96 tokens; random text earns nothing on
either side. There is no clip: embeddings are those of the prompt's tokens alone.

    pip install trl==1.16.0
    OMP_NUM_THREADS=1 python benchmarks/trl/speed.py [--json] [--rounds 2] [--steps 2]

A round runs each system in a process of its own, in turn, whose first step does not count. Time is CPU time, from step
to step; memory is what the process grows by at its peak beyond what it held once everything was imported. Losses, and
the gradients of the embeddings, are of the same answers, of a policy that has moved away from its reference, with
random advantages; TRL's KL is k3 as ours (`use_bias_correction_kl=False`).

Bars: the median of ours at least 1.5 times the samples a second of TRL's, in at most 0.8 times the memory; losses and
gradients within 1e-5. Leaves with status 1 when one is missed; without TRL it says so and measures nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

PROMPTS, K, PROMPT_TOKENS, NEW_TOKENS, BETA, LEARNING_RATE = 4, 8, 256, 96, 0.04, 1e-5
MIN_SPEEDUP, MAX_MEMORY, MAX_DIFFERENCE = 1.5, 0.8, 1e-5
SHAPE = {
    "vocab_size": 8192,
    "hidden_size": 384,
    "intermediate_size": 1152,
    "num_hidden_layers": 6,
    "num_attention_heads": 6,
    "num_key_value_heads": 6,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [8, 12, 12]},
    "layer_types": None,
}
MIB = 2**20


def tiny_model() -> Any:
    """A `SpeechLM` of `SHAPE` whose prompts are text alone."""
    from transformers import Qwen2_5OmniThinkerConfig, Qwen2_5OmniThinkerForConditionalGeneration

    from speechlm import PocketSize, SpeechLM, pocket, train_tokenizer

    class TextOnly(SpeechLM):
        def embed(self, batch: Any) -> Tensor:
            return self.embed_tokens(batch.input_ids)

    tokenizer = train_tokenizer([question(PROMPT_TOKENS), "assistant"], vocab_size=300)
    size = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)
    config = pocket(tokenizer, seed=0, size=size).thinker.config.to_dict()
    config["text_config"] |= SHAPE
    config["audio_config"] |= {"output_dim": SHAPE["hidden_size"]}
    config["vision_config"] |= {"out_hidden_size": SHAPE["hidden_size"]}
    torch.manual_seed(0)
    thinker = Qwen2_5OmniThinkerForConditionalGeneration(Qwen2_5OmniThinkerConfig(**config))
    return TextOnly(thinker, tokenizer)


def question(words: int) -> str:
    """Text of many words."""
    return " ".join(["pitch"] * words)


def prompt(model: Any) -> tuple[str, list[int]]:
    """The question that makes a prompt of `PROMPT_TOKENS` tokens, and those tokens."""
    from speechlm.prompt import prompt_ids

    for words in range(1, PROMPT_TOKENS):
        ids = prompt_ids(model.tokenizer, 1, question(words))
        if len(ids) == PROMPT_TOKENS:
            return question(words), ids
    raise RuntimeError(f"no question makes a prompt of {PROMPT_TOKENS} tokens")


def our_module(model: Any, steps: int) -> tuple[Any, list[Any]]:
    """The trainer's module, and the prompts of a step."""
    from speech_records import PAPER_9, Emotion, MeasuredUtterance, ProsodyProfile, Utterance
    from trainer.grpo import GRPOModule
    from trainer.settings import Algorithm, GRPOSettings

    settings = GRPOSettings(
        algorithm=Algorithm.GRPO, steps=steps, prompts_per_step=PROMPTS, group_size=K, max_new_tokens=NEW_TOKENS,
        kl_coefficient=BETA, learning_rate=LEARNING_RATE, warmup_steps=0, save_every=0,
    )  # fmt: skip
    names = [f"clip{i}" for i in range(PROMPTS)]
    features = dict.fromkeys(names, torch.zeros(16, 4))  # the shortest clip, one placeholder; it is not encoded
    profile = ProsodyProfile(duration_s=1.0, sample_rate=16_000)
    batch = [MeasuredUtterance(Utterance(n, "made", f"{n}.wav", "s", Emotion.SAD), profile) for n in names]
    module = GRPOModule(model, settings, label_set=PAPER_9, features=features, reward_model=None)
    module.question, _ = prompt(model)
    model.end_id = -1
    return module, batch


def train_ours(model: Any, steps: int, folder: Path) -> list[float]:
    """CPU time at the end of every step of ours."""
    from lightning.pytorch import Callback

    from trainer.fit import fit
    from trainer.modules import Batches

    ends: list[float] = []

    class Clock(Callback):
        def on_train_batch_end(self, *_: Any, **__: Any) -> None:
            ends.append(time.process_time())

    module, batch = our_module(model, steps)
    batches = Batches([batch] * steps, list)
    fit(module, batches, module.settings, what="ours", out=folder, run_name="ours", data={}, callbacks=[Clock()])
    if any(row["truncated"] < 1 for row in module.history):
        raise RuntimeError("an answer of ours has ended")
    return ends


def their_trainer(model: Any, steps: int, folder: Path) -> Any:
    """TRL's trainer of the text tower of `model`."""
    from datasets import Dataset
    from transformers import Qwen2ForCausalLM
    from trl import GRPOConfig, GRPOTrainer

    from policy.text_export import text_config, text_weights

    config = text_config(model)
    config.tie_word_embeddings = model.head_is_tied
    qwen = Qwen2ForCausalLM(config)
    qwen.load_state_dict(dict(text_weights(model)))
    qwen.save_pretrained(folder / "model")
    del qwen
    ids = prompt(model)[1]
    text = model.tokenizer.decode(ids)
    if model.tokenizer(text)["input_ids"] != ids:
        raise RuntimeError("TRL would read another prompt")
    arguments = GRPOConfig(
        output_dir=str(folder / "out"), max_steps=steps, per_device_train_batch_size=PROMPTS * K, num_generations=K,
        max_completion_length=NEW_TOKENS, beta=BETA, learning_rate=LEARNING_RATE, loss_type="grpo", use_cpu=True,
        use_bias_correction_kl=False, bf16=False, gradient_checkpointing=False, report_to="none", save_strategy="no",
        disable_tqdm=True, model_init_kwargs={"dtype": "float32"},
    )  # fmt: skip
    trainer = GRPOTrainer(
        model=str(folder / "model"),
        args=arguments,
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
        train_dataset=Dataset.from_list([{"prompt": text}] * PROMPTS * steps),
        processing_class=model.tokenizer,
    )
    trainer.eos_token_ids, trainer.generation_config.eos_token_id = [], None
    trainer.generation_kwargs["eos_token_id"] = None
    return trainer


def train_theirs(model: Any, steps: int, folder: Path) -> list[float]:
    """CPU time at the end of every step of TRL's."""
    from transformers import TrainerCallback

    ends: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append(time.process_time())

    trainer = their_trainer(model, steps, folder)
    trainer.add_callback(Clock())
    del model
    trainer.train()
    if trainer.state.log_history[0]["completions/min_length"] != NEW_TOKENS:
        raise RuntimeError("an answer of TRL's has ended")
    return ends


def same_losses(folder: Path) -> dict[str, float]:
    """How far losses and gradients of both are apart, of the same answers."""
    from trainer.packed_loss import MicroBatch, packed_loss

    model = tiny_model()
    module, batch = our_module(model, 1)
    with torch.no_grad():
        for weight in model.text_tower.parameters():
            weight.add_(0.02 * torch.randn_like(weight))  # away from the reference
    groups = module._roll_out(batch)  # noqa: SLF001 - the step's own answers
    advantages = torch.randn(PROMPTS, K)
    micro = MicroBatch(groups.clips, [module.question] * PROMPTS, groups.tokens, groups.mask, advantages)
    ours = packed_loss(model, micro, module.settings, reference=module.frozen.reference).result.loss
    ours.backward()
    trainer = their_trainer(model, 1, folder)
    trainer.ref_model.load_state_dict(_tower(module.frozen.reference.model))
    prompts = torch.tensor([prompt(model)[1]] * PROMPTS * K)
    answers, ones = groups.tokens.flatten(0, 1), torch.ones(PROMPTS * K, NEW_TOKENS, dtype=torch.long)
    ids, seen = torch.cat([prompts, answers], 1), torch.cat([torch.ones_like(prompts), ones], 1)
    given = (ids, seen, NEW_TOKENS)
    with torch.no_grad():
        reference, *_ = trainer._get_per_token_logps_and_entropies(trainer.ref_model, *given)  # noqa: SLF001
    trainer.current_gradient_accumulation_steps = 1
    inputs = {
        "prompt_ids": prompts,
        "prompt_mask": torch.ones_like(prompts),
        "completion_ids": answers,
        "completion_mask": ones,
        "advantages": advantages.flatten(),
        "ref_per_token_logps": reference,
        "num_items_in_batch": ones.sum(),
    }
    theirs = trainer._compute_loss(trainer.model, inputs)  # noqa: SLF001 - what it is compared with
    theirs.backward()
    gradients = [m.get_input_embeddings().weight.grad for m in (model.thinker, trainer.model)]
    return {
        "loss": float(theirs.detach()),
        "loss difference": abs(float(ours.detach() - theirs.detach())),
        "gradient difference": float((gradients[0] - gradients[1]).abs().max()),
    }


def _tower(model: Any) -> dict[str, Tensor]:
    from policy.text_export import text_weights

    return dict(text_weights(model))


def resident(what: str) -> int:
    """Bytes of this process, `VmRSS` now or `VmHWM` at most."""
    (kib,) = re.findall(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return 1024 * int(kib)


SYSTEMS = {"ours": train_ours, "TRL": train_theirs}


def train(name: str, steps: int) -> dict[str, Any]:
    """CPU seconds of every step but the first, and the memory that training took, in this process."""
    import trainer.fit
    import trainer.grpo  # noqa: F401 - imports are not what is measured

    if name == "TRL":
        import datasets  # noqa: F401
        import trl.trainer.grpo_trainer  # noqa: F401
    before = resident("VmRSS")
    with tempfile.TemporaryDirectory() as folder:
        ends = SYSTEMS[name](tiny_model(), steps + 1, Path(folder))
    seconds = [b - a for a, b in pairwise(ends)]
    return {"seconds": seconds, "bytes": resident("VmHWM") - before, "process_bytes": resident("VmHWM")}


def alone(*words: str) -> Any:
    """What this program prints in a process of its own, given `words`."""
    command = [sys.executable, __file__, *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(rounds: int, steps: int) -> dict[str, Any]:
    """Both systems in turn, and the bars."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in SYSTEMS}
    for number in range(rounds):
        for name, runs in found.items():
            runs.append(alone("--train", name, "--steps", str(steps)))
            print(f"round {number + 1}, {name}: {runs[-1]}", file=sys.stderr)
    seconds = {name: statistics.median(s for run in runs for s in run["seconds"]) for name, runs in found.items()}
    memory = {name: statistics.median(run["bytes"] for run in runs) for name, runs in found.items()}
    losses = alone("--losses")
    speedup, share = seconds["TRL"] / seconds["ours"], memory["ours"] / memory["TRL"]
    apart = max(losses["loss difference"], losses["gradient difference"])
    return {
        "runs": found,
        "samples_per_second": {name: PROMPTS * K / s for name, s in seconds.items()},
        "mebibytes": {name: m / MIB for name, m in memory.items()},
        "losses": losses,
        "bars": {
            f"samples a second of ours in TRL's (≥ {MIN_SPEEDUP:g})": {"value": speedup, "met": speedup >= MIN_SPEEDUP},
            f"memory of ours in TRL's (≤ {MAX_MEMORY:g})": {"value": share, "met": share <= MAX_MEMORY},
            f"loss and gradient apart (≤ {MAX_DIFFERENCE:g})": {"value": apart, "met": apart <= MAX_DIFFERENCE},
        },
    }


def main() -> int:
    """Print rates, memory and bars; status 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each system")
    parser.add_argument("--steps", type=int, default=2, help="steps of a run that count")
    parser.add_argument("--train", choices=list(SYSTEMS), help="print the steps of this system alone")
    parser.add_argument("--losses", action="store_true", help="print how far the losses are apart, alone")
    arguments = parser.parse_args()
    if find_spec("trl") is None:
        print("TRL is not installed, nothing is measured", file=sys.stderr)
        return 0
    torch.set_num_threads(1)
    if arguments.train:
        print(json.dumps(train(arguments.train, arguments.steps)))
        return 0
    if arguments.losses:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(same_losses(Path(folder))))
        return 0
    result = measure(arguments.rounds, arguments.steps)
    if arguments.json:
        from importlib.metadata import version

        print(json.dumps(result | {"versions": {name: version(name) for name in ("torch", "transformers", "trl")}}))
    else:
        for name, rate in result["samples_per_second"].items():
            print(f"{name:6}{rate:8.2f} samples per CPU second{result['mebibytes'][name]:8.0f} MiB")
        for what, bar in result["bars"].items():
            print(f"{'ok' if bar['met'] else 'MISSED':8}{what:48}{bar['value']:8.2g}")
    return 0 if all(bar["met"] for bar in result["bars"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
