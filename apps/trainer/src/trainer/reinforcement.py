"""A run of reinforcement: which clips are prompted when, what looks after the run, and what is saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch import Callback
from torch import Tensor

from rewardmodel import RewardModel
from speech_records import MeasuredUtterance
from speechlm import SpeechLM
from trainer.checkpoint import BEST, data_identity, policy_card, save_policy
from trainer.dataset import TRAIN, VALIDATION, AnnotatedCorpus, is_reasoned
from trainer.errors import ConfigError
from trainer.evaluate import held_out
from trainer.fit import fit
from trainer.grpo import GRPOModule
from trainer.modules import Batches
from trainer.resume import remove_state
from trainer.settings import GRPOSettings
from trainer.validation import Alarm, Samples, Validation


def train_grpo(
    model: SpeechLM,
    corpus: AnnotatedCorpus,
    features: Mapping[str, Tensor],
    settings: GRPOSettings,
    *,
    reward_model: RewardModel | None,
    out: Path,
) -> GRPOModule:
    """Reinforce `model` in place on the training split and save it as a policy checkpoint in `out`.

    `features` maps utterance ids to log-mel clips. GRPO-PTR needs `reward_model`.
    """
    torch.manual_seed(settings.seed)
    batches = Batches(prompt_batches(corpus.split(TRAIN), settings), list)
    module = GRPOModule(
        model,
        settings,
        label_set=corpus.label_set,
        questions=corpus.questions(corpus.split(TRAIN)),
        features=features,
        reward_model=reward_model,
    )
    name = settings.algorithm.value
    card = policy_card(corpus, stage=name, seed=settings.seed)
    callbacks: list[Callback] = [Alarm(settings.on_collapse), Samples(out)]
    if settings.validate_every:
        clips = held_out(corpus, limit=settings.validation_clips, seed=settings.seed, split=VALIDATION)
        keep = partial(save_policy, card=card, scale=corpus.scale, out=out / BEST)
        asked = corpus.questions(clips)
        validation = Validation(
            clips, features, corpus.label_set, settings, questions=asked, total=len(batches), keep=keep
        )
        callbacks.insert(0, validation)
    what, data = name.upper().replace("_", "-"), data_identity(corpus)
    fit(module, batches, settings, what=what, out=out, run_name=name, data=data, callbacks=callbacks)
    save_policy(model, card, corpus.scale, out)
    remove_state(out)
    return module


def prompt_batches(clips: Sequence[MeasuredUtterance], settings: GRPOSettings) -> list[list[MeasuredUtterance]]:
    """The prompts of every optimiser step, shuffled, those of a rollout `inner_epochs` times; every clip is drawn once
    before any is drawn again.

    Clips that SFT was shown with reasoning are none of them (`is_reasoned`).

    Dynamic sampling has `sampling_rounds` times as many to choose from, and asks only those it needs.
    """
    clips = [m for m in clips if not is_reasoned(m.utterance.utterance_id, settings.reasoning_share)]
    if not clips:
        raise ConfigError(f"reasoning_share {settings.reasoning_share} leaves no training clip to prompt: lower it")
    rng = np.random.default_rng(settings.seed)
    size = settings.prompts_per_step * settings.sampling_rounds
    needed = settings.steps * size
    order: list[int] = []
    while len(order) < needed:
        order.extend(rng.permutation(len(clips)).tolist())
    steps = ([clips[i] for i in order[n * size : (n + 1) * size]] for n in range(settings.steps))
    return [batch for batch in steps for _ in range(settings.inner_epochs)]
