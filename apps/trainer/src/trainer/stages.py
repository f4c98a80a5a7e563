"""The stages by name: each takes its settings, calls one library function, and says what it wrote.

Nothing here knows Hydra or MLflow, so `python -m trainer.stages CONFIG.json` trains from a resolved configuration on
a machine that has neither.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.errors import ConfigError
from trainer.settings import (
    STAGE_SETTINGS,
    AblationStage,
    Algorithm,
    CorporaStage,
    CorpusStage,
    EvaluateStage,
    GRPOStage,
    PolicyStage,
    PredictStage,
    ReportStage,
    RewardStage,
    SFTStage,
    TrackStage,
    TrainStage,
    read_settings,
)

if TYPE_CHECKING:
    from rewardmodel import RewardModel
    from speechlm import FeatureSpec, SpeechLM
    from trainer.dataset import AnnotatedCorpus
    from trainer.features import StoredFeatures


def demo_corpus(settings: CorpusStage) -> None:
    """Speak the synthetic demo corpus."""
    from trainer.demo_corpus import build
    from trainer.progress import Meter

    with Meter("demo corpus (clips)") as meter:
        report = build(
            Path(settings.out),
            seed=settings.seed,
            voices=settings.voices,
            sentences=settings.sentences,
            workers=settings.workers,
            progress=meter.at,
        )
    _say(f"{report.clips} synthetic clips in {report.root} (manifest {report.manifest_sha256[:12]})")


def sft(settings: SFTStage) -> None:
    """Train a policy from annotated examples: prosody first, then reasoning."""
    from trainer.features import require_features
    from trainer.sft import new_model, train_sft

    corpus = _corpus(settings)
    if settings.policy:
        model = _policy(settings)
    else:
        preset, options = preset_options(settings.model)
        model = new_model(corpus, preset, vocab_size=settings.vocab_size, seed=settings.seed, **options)
        require_features(model, feature_spec(settings.model), what=f"preset {preset}")
    _prepare(model, settings)
    corpus, features = _features(corpus, settings)
    train_sft(model, corpus, features, settings, out=Path(settings.out))
    _say(f"policy checkpoint in {settings.out}")


def reward(settings: RewardStage) -> None:
    """Train the reward model on what was measured, from the SFT policy's states, and measure how well it judges."""
    from trainer.reward import train_reward_model
    from trainer.reward_report import warnings

    ratings, graded = (None if file is None else Path(file) for file in (settings.ratings, settings.graded))
    for file in (ratings, graded):
        if file is not None and not file.is_file():
            raise ConfigError(f"{file} does not exist")
    backbone = _policy(settings)
    corpus, features = _data(settings)
    report = train_reward_model(
        backbone, corpus, features, settings, out=Path(settings.out), ratings=ratings, graded=graded
    )
    for name, criterion in report.criteria.items():
        _say(f"{name}: Spearman {_shown(criterion.spearman)}, right order {_shown(criterion.pair_accuracy)}")
    for name, claims in report.claims.items():
        shuffled = report.shuffled[name].auroc
        _say(f"claims of {name} texts: AUROC {_shown(claims.auroc)}, with another clip's sound {_shown(shuffled)}")
    for warning in warnings(report):
        _say(f"WARNING: {warning}")


def grpo(settings: GRPOStage) -> None:
    """Reinforce a policy with GRPO or GRPO-PTR."""
    from trainer.reinforcement import train_grpo

    judge = _reward_model(settings.reward_model) if settings.needs_reward_model else None
    policy = _policy(settings)
    corpus, features = _data(settings)
    _prepare(policy, settings)
    module = train_grpo(policy, corpus, features, settings, reward_model=judge, out=Path(settings.out))
    opened = module.schedule_state.opened_at
    if settings.algorithm is Algorithm.GRPO_PTR:
        _say("the gate stayed shut" if opened is None else f"the gate opened at step {opened}")


def evaluate(settings: EvaluateStage) -> None:
    """Evaluate policies and baselines on speakers that were not in training."""
    from trainer.evaluate import evaluate_policies
    from trainer.evaluators import load_evaluator

    policies = {name: Path(folder) for name, folder in settings.policies.items() if folder}
    evaluator = load_evaluator(Path(settings.evaluator), policies.values()) if settings.evaluator else None
    corpus, features = _data(settings)
    result = evaluate_policies(
        policies,
        corpus,
        features,
        reward_model=_reward_model(settings.reward_model),
        evaluator=evaluator,
        out=Path(settings.out),
        limit=settings.limit,
        seed=settings.seed,
        split=settings.split,
        spec=feature_spec(settings.model),
        other=Path(settings.predictions) if settings.predictions else None,
        perception=settings.perception,
        forgetting=settings.forgetting,
    )
    rows = [("majority class", result.baselines.majority), ("logistic regression", result.baselines.prosody)]
    rows += [] if result.other is None else [(result.other.name, result.other.evaluation)]
    for policy in result.policies:
        rows += [(policy.name, policy.evaluation), (f"{policy.name}, label alone", policy.label_only)]
    for name, kept in ((p.name, p.forgetting) for p in result.policies):
        if kept is not None:
            rate = None if kept.word_error_rate is None else kept.word_error_rate.value
            _say(f"{name}: text perplexity {kept.text_perplexity:.1f}, word error rate {_shown(rate)}")
    for name, row in rows:
        _say(f"{name:>22}  accuracy {row.accuracy.value:.3f}  UAR {row.unweighted_average_recall.value:.3f}")


def predict(settings: PredictStage) -> None:
    """Write down what a policy answers, as `predictions=` of an evaluation takes it."""
    from trainer.predict import write_answers

    model = _policy(settings)
    corpus, features = _data(settings)
    clips = corpus.split(settings.split) if corpus.has(settings.split) else []
    clips = [*clips, *corpus.unlabelled(settings.split)][: settings.limit]
    if not clips:
        raise ConfigError(f"{settings.data} has no clip in split {settings.split!r}")
    path = write_answers(model, clips, features, corpus.questions(clips), out=Path(settings.out))
    _say(f"{len(clips)} answers in {path}")


def corpora(settings: CorporaStage) -> None:
    """Evaluate policies on several corpora, and put them in one table."""
    from trainer.corpora import run_corpora

    _say(run_corpora(settings, run))


def ablation(settings: AblationStage) -> None:
    """Train and evaluate the eight rows of the paper's ablation over seeds."""
    from trainer.ablation import run_ablation

    _say(run_ablation(settings, run))


def report(settings: ReportStage) -> None:
    """Put a finished pipeline run on one HTML page."""
    from trainer.report.collect import collect_report
    from trainer.report.page import write_report

    page = write_report(collect_report(Path(settings.run)), Path(settings.out))
    _say(f"report: {page}")


def track(settings: TrackStage) -> None:
    """Send to the tracking server the metrics of a training that it does not have."""
    from trainer.tracking import send

    _say(f"tracked as run {send(Path(settings.out))}")


STAGES: Mapping[str, Callable[[Any], None]] = {
    "demo_corpus": demo_corpus,
    "sft": sft,
    "reward": reward,
    "grpo": grpo,
    "evaluate": evaluate,
    "predict": predict,
    "corpora": corpora,
    "ablation": ablation,
    "report": report,
    "track": track,
}


def run(name: str, values: Mapping[str, Any]) -> None:
    """Run one stage. Raises `ConfigError` for an unknown stage and for settings that are missing, unknown or wrong."""
    if name not in STAGES:
        raise ConfigError(f"unknown stage {name!r}; there are {', '.join(STAGES)}")
    settings = read_settings(STAGE_SETTINGS[name], dict(values) | {"name": name})
    if isinstance(settings, TrainStage | EvaluateStage | PredictStage):
        from trainer.progress import silence_libraries

        silence_libraries()
    STAGES[name](settings)


def model_defaults() -> dict[str, dict[str, Any]]:
    """What `model=` may set, and its defaults, by preset: what the preset takes, and the features."""
    from speechlm import FeatureSpec, PocketSize
    from speechlm.presets import ALLOWED, PRESETS

    pocket = {"preset": "pocket", **asdict(PocketSize())}
    return {"pocket": pocket} | {
        name: {"preset": name, **dict.fromkeys(ALLOWED[name]), **asdict(FeatureSpec())}
        for name in PRESETS
        if name != "pocket"
    }


def preset_options(model: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name of a preset, and its options for `speechlm.load_preset`, of the settings of `model=`.

    Raises `ConfigError` for an unknown preset and for settings that it does not take.
    """
    from speechlm import FeatureSpec, PocketSize

    known = model_defaults()
    preset = model.get("preset", "pocket")
    if preset not in known:
        raise ConfigError(f"model.preset is {preset!r}, expected one of {', '.join(known)}")
    unknown = sorted(set(model) - set(known[preset]))
    if unknown:
        raise ConfigError(f"model={preset} has no setting {unknown[0]!r}; it has {', '.join(known[preset])}")
    if preset == "pocket":
        return preset, {"size": PocketSize(**{key: value for key, value in model.items() if key != "preset"})}
    extracted = {f.name for f in fields(FeatureSpec)}
    return preset, {key: value for key, value in model.items() if key not in extracted and key != "preset"}


def feature_spec(model: Mapping[str, Any]) -> FeatureSpec:
    """The features that the settings of `model=` extract from the sound. Raises `ConfigError` as `preset_options`."""
    from speechlm import FeatureSpec

    preset, _ = preset_options(model)
    values = model_defaults()[preset] | dict(model)
    return FeatureSpec(**{f.name: values[f.name] for f in fields(FeatureSpec) if f.name in values})


def _policy(settings: TrainStage | PredictStage) -> SpeechLM:
    """The policy that a stage trains or asks, if it takes the features that `model=` extracts; its weights are float32
    whatever the files hold, for in bfloat16 a step of 1e-6 is lost in rounding.
    """
    import torch

    from speechlm import load_checkpoint, read_record
    from trainer.features import require_features

    record = read_record(Path(settings.policy))
    if record is not None and record.provenance.stage == "reward":
        raise ConfigError(f"policy {settings.policy} is a reward model: give the policy that it was made from")
    model = load_checkpoint(Path(settings.policy), dtype=torch.float32)
    require_features(model, feature_spec(settings.model), what=f"policy {settings.policy}")
    return model


def _reward_model(folder: str | None) -> RewardModel | None:
    from rewardmodel import RewardModel
    from trainer.checkpoint import accelerator

    return RewardModel.load(Path(folder), device=accelerator()) if folder else None


def _prepare(model: SpeechLM, settings: PolicyStage) -> None:
    """Freeze all of `model` but the parts to train, with new adapters where `lora` is one and there are none."""
    from speechlm import LoraSettings, Part, add_lora, enable_gradient_checkpointing, has_lora, train_only

    if settings.train is not None:
        if Part.LORA in settings.train and not has_lora(model):
            lora = LoraSettings(rank=settings.lora_rank, alpha=2.0 * settings.lora_rank)
            add_lora(model, lora, seed=settings.seed)
        train_only(model, settings.train)
    if settings.gradient_checkpointing:
        enable_gradient_checkpointing(model)


def _data(settings: TrainStage | EvaluateStage | PredictStage) -> tuple[AnnotatedCorpus, StoredFeatures]:
    return _features(_corpus(settings), settings)


def _corpus(settings: TrainStage | EvaluateStage | PredictStage) -> AnnotatedCorpus:
    from trainer.dataset import AnnotatedCorpus

    return AnnotatedCorpus.read(Path(settings.data))


def _features(
    corpus: AnnotatedCorpus, settings: TrainStage | EvaluateStage | PredictStage
) -> tuple[AnnotatedCorpus, StoredFeatures]:
    """The data set without the clips that the model cannot take, which are named, and the features of the others."""
    from trainer.features import FOLDER, load_features, without_failed

    folder, spec = corpus.folder / FOLDER, feature_spec(settings.model)
    features, failed = load_features(corpus.audio_clips(), folder, spec=spec, workers=settings.workers)
    for item in failed:
        _say(f"left out: {item.id}: {item.message}")
    return without_failed(corpus, failed), features


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    resolved = json.loads(Path(sys.argv[1]).read_text())
    run(resolved["name"], resolved)
