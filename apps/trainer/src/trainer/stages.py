"""The stages by name: each reads a plain resolved configuration, calls one library function, and says what it wrote.

Nothing here knows Hydra or MLflow, so `python -m trainer.stages CONFIG.json` trains from a resolved configuration on
a machine that has neither.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from trainer.errors import ConfigError

Settings = Mapping[str, Any]


def demo_corpus(settings: Settings) -> None:
    """Speak the synthetic demo corpus."""
    from trainer.demo_corpus import build
    from trainer.progress import Meter

    meter: Meter | None = None

    def show(done: int, total: int) -> None:
        nonlocal meter
        meter = meter or Meter("demo corpus (clips)", total=total).__enter__()
        meter.advance(done - meter.done)

    report = build(
        Path(settings["out"]),
        seed=settings["seed"],
        voices=settings["voices"],
        sentences=settings["sentences"],
        workers=settings["workers"],
        progress=show,
    )
    if meter is not None:
        meter.__exit__(None, None, None)
    _say(f"{report.clips} synthetic clips in {report.root} (manifest {report.manifest_sha256[:12]})")


def sft(settings: Settings) -> None:
    """Train a policy from annotated examples: prosody first, then reasoning."""
    from cotgen.tasks import Task
    from speechlm import FeatureSpec, enable_gradient_checkpointing
    from trainer.curriculum import Phase
    from trainer.features import require_features
    from trainer.parts import choose_parts
    from trainer.sft import SFTSettings, new_model, train_sft

    phases = tuple(
        Phase(p["name"], p["steps"], p["batch_size"], {Task(task): w for task, w in p["weights"].items()})
        for p in settings["phases"]
    )
    chosen = _build(SFTSettings, settings, phases=phases)
    corpus = _corpus(settings)
    if settings.get("policy"):
        model = _policy(settings)
    else:
        preset, options = _preset(settings["model"])
        model = new_model(corpus, preset, vocab_size=chosen.vocab_size, seed=chosen.seed, **options)
        require_features(model, _build(FeatureSpec, settings["model"]), what=f"preset {preset}")
    choose_parts(model, settings.get("train"), lora_rank=settings.get("lora_rank", 16))
    if settings.get("gradient_checkpointing"):
        enable_gradient_checkpointing(model)
    train_sft(model, corpus, _features(corpus, settings), chosen, out=Path(settings["out"]))
    _say(f"policy checkpoint in {settings['out']}")


def reward(settings: Settings) -> None:
    """Train the reward model on graded traces, from the SFT policy's weights."""
    from trainer.reward import RewardSettings, train_reward_model

    backbone = _policy(settings)
    corpus, features = _data(settings)
    measured = train_reward_model(
        backbone, corpus, features, _build(RewardSettings, settings), out=Path(settings["out"])
    )
    for name, criterion in measured.items():
        _say(f"{name}: Spearman {_shown(criterion.spearman)}, right order {_shown(criterion.pair_accuracy)}")


def grpo(settings: Settings) -> None:
    """Reinforce a policy with GRPO or GRPO-PTR."""
    from grpo_ptr import ProgressiveSchedule
    from rewardmodel import RewardModel
    from trainer.grpo import Algorithm, GRPOSettings, train_grpo

    corpus, features = _data(settings)
    algorithm = Algorithm(settings["algorithm"])
    schedule = _build(ProgressiveSchedule, settings["schedule"])
    chosen = _build(GRPOSettings, settings, algorithm=algorithm, schedule=schedule)
    judge = RewardModel.load(Path(settings["reward_model"])) if algorithm is Algorithm.GRPO_PTR else None
    module = train_grpo(
        _policy(settings),
        corpus,
        features,
        chosen,
        reward_model=judge,
        out=Path(settings["out"]),
    )
    opened = module.schedule_state.opened_at
    if algorithm is Algorithm.GRPO_PTR:
        _say("the gate stayed shut" if opened is None else f"the gate opened at step {opened}")


def evaluate(settings: Settings) -> None:
    """Evaluate policies and baselines on speakers that training never heard."""
    from rewardmodel import RewardModel
    from speechlm import FeatureSpec
    from trainer.evaluate import evaluate_policies

    corpus, features = _data(settings)
    judge = RewardModel.load(Path(settings["reward_model"])) if settings.get("reward_model") else None
    result = evaluate_policies(
        {name: Path(folder) for name, folder in settings["policies"].items() if folder},
        corpus,
        features,
        reward_model=judge,
        out=Path(settings["out"]),
        limit=settings["limit"],
        seed=settings["seed"],
        split=settings["split"],
        spec=_build(FeatureSpec, settings["model"]),
    )
    rows = [("majority class", result.baselines.majority), ("logistic regression", result.baselines.prosody)]
    for name, row in rows + [(p.name, p.evaluation) for p in result.policies]:
        _say(f"{name:>20}  accuracy {row.accuracy.value:.3f}  UAR {row.unweighted_average_recall.value:.3f}")


def report(settings: Settings) -> None:
    """Put a finished pipeline run on one HTML page."""
    from trainer.report import write_report
    from trainer.report_files import collect_report

    page = write_report(collect_report(Path(settings["run"])), Path(settings["out"]))
    _say(f"report: {page}")


STAGES: Mapping[str, Callable[[Settings], None]] = {
    "demo_corpus": demo_corpus,
    "sft": sft,
    "reward": reward,
    "grpo": grpo,
    "evaluate": evaluate,
    "report": report,
}


def run(name: str, settings: Settings) -> None:
    """Run one stage. Raises `ConfigError` for an unknown stage or a missing setting."""
    if name not in STAGES:
        raise ConfigError(f"unknown stage {name!r}; there are {', '.join(STAGES)}")
    missing = [key for key, value in settings.items() if value == "???"]
    if missing:
        raise ConfigError(f"stage {name} needs {', '.join(f'{key}=…' for key in missing)}")
    STAGES[name](settings)


def _preset(model: Settings) -> tuple[str, dict[str, Any]]:
    """The name of a preset, and its options for `speechlm.load_preset`, of the settings of `model=`."""
    from speechlm import FeatureSpec, PocketSize

    preset = model.get("preset", "pocket")
    if preset == "pocket":
        return preset, {"size": _build(PocketSize, model)}
    heard = {f.name for f in fields(FeatureSpec)}
    return preset, {key: value for key, value in model.items() if key not in heard and key != "preset"}


def _policy(settings: Settings) -> Any:
    """The policy that a stage starts from, if it hears what `model=` extracts."""
    from speechlm import FeatureSpec, load_checkpoint
    from trainer.features import require_features

    model = load_checkpoint(Path(settings["policy"]))
    require_features(model, _build(FeatureSpec, settings["model"]), what=f"policy {settings['policy']}")
    return model


def _data(settings: Settings) -> tuple[Any, Any]:
    corpus = _corpus(settings)
    return corpus, _features(corpus, settings)


def _corpus(settings: Settings) -> Any:
    from trainer.dataset import AnnotatedCorpus
    from trainer.progress import silence_libraries

    silence_libraries()
    return AnnotatedCorpus.read(Path(settings["data"]))


def _features(corpus: Any, settings: Settings) -> Any:
    from speechlm import FeatureSpec
    from trainer.checkpoint import sha256_of
    from trainer.dataset import DESCRIPTION
    from trainer.features import load_features

    return load_features(
        corpus.audio_clips(),
        corpus.folder / "features.safetensors",
        identity=sha256_of(corpus.folder / DESCRIPTION),
        spec=_build(FeatureSpec, settings["model"]),
        workers=settings["workers"],
    )


def _build(kind: type[Any], settings: Settings, **given: Any) -> Any:
    """A settings dataclass from the keys of `settings` that it has."""
    names = {f.name for f in fields(kind)}
    return kind(**{key: value for key, value in settings.items() if key in names and key not in given}, **given)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    resolved = json.loads(Path(sys.argv[1]).read_text())
    run(resolved["name"], resolved)
