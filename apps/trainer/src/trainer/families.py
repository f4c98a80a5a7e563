"""What SFT is asked to learn: examples of a data set, of transcripts and of texts, without those that cannot be right.

Besides the families that a data set holds there are two that keep a pretrained model from forgetting: `asr`, made of
the transcripts of the training clips, and `text`, lines of JSON with `question` and `answer` in a file.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from torch import Tensor

from cotgen.tasks import SFTExample, Task
from speech_claims.quotes import sanitize, words
from speech_records import AnswerFormatError, FailedItem, LabelSet, MeasuredUtterance, parse_response
from speechlm import SpeechLM
from speechlm.features import SAMPLE_RATE, audio_token_count
from trainer.curriculum import Phase
from trainer.dataset import TRAIN, AnnotatedCorpus, feature_key
from trainer.errors import ConfigError, DataSetError

ASR_QUESTION = "What does the speaker say?"
MAX_WORDS_PER_S = 8.0
"""A transcript that says more than this belongs to another clip, or to one that was cut; fast readers reach six."""


def split_examples(
    corpus: AnnotatedCorpus, split: str, phases: Sequence[Phase], texts: Path | None
) -> tuple[list[SFTExample], list[FailedItem]]:
    """A split's examples of every family that a phase gives a weight, and those that cannot be right.

    Raises `ConfigError` where `texts` is not a file of texts.
    """
    asked = {task for phase in phases for task, weight in phase.weights.items() if weight > 0}
    clips = {m.utterance.utterance_id: m for m in (*corpus.split(split), *corpus.unlabelled(split))}
    found: list[SFTExample] = []
    failed: list[FailedItem] = []
    written = (e for e in corpus.examples(split) if e.task in asked or not asked)
    spoken = _asr_examples(clips) if Task.ASR in asked else iter(())
    for example in chain(written, spoken):
        problem = _problem(example, clips.get(example.utterance_id), corpus.label_set)
        if problem is None:
            found.append(example)
        else:
            failed.append(FailedItem(example.example_id, "sft", DataSetError.__name__, problem))
    if Task.TEXT in asked and texts is not None:
        found += read_texts(texts)
    return found, failed


def without_data(examples: Sequence[SFTExample], phases: Sequence[Phase]) -> list[Task]:
    """The families that have a weight in a phase and no example, whose weight goes to the others."""
    known = {e.task for e in examples}
    asked = {task: None for phase in phases for task, weight in phase.weights.items() if weight > 0}
    return [task for task in asked if task not in known]


def read_texts(path: Path) -> list[SFTExample]:
    """The text examples of a file. Raises `ConfigError` naming the line that is not one."""
    found = []
    try:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            row = json.loads(line)
            if not (isinstance(row, dict) and all(isinstance(row.get(n), str) for n in ("question", "answer"))):
                raise ConfigError(f"{path}:{number}: expected an object with the texts question and answer")
            if not (row["question"].strip() and row["answer"].strip()):
                raise ConfigError(f"{path}:{number}: question and answer must not be empty")
            found.append(SFTExample(f"text/{number}", Task.TEXT, "", "", row["question"], row["answer"], TRAIN))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"texts={path} does not hold texts, lines of JSON: {error}") from error
    return found


def described(
    plan: Sequence[Sequence[SFTExample]], features: Mapping[str, Tensor], model: SpeechLM, *, steps: int
) -> str:
    """What a run will learn from: clips, hours of audio, steps, and of each family examples, draws and tokens.

    Tokens are those of questions, answers and audio that the model will read, drawn as often as they are.
    """
    drawn = Counter(e.example_id for batch in plan for e in batch)
    examples = {e.example_id: e for batch in plan for e in batch}
    frames = {feature_key(e): 0 for e in examples.values() if e.task is not Task.TEXT}
    for key in frames:
        frames[key] = int(features[key].shape[-1])
    lengths = dict(zip(examples, _text_tokens(model, list(examples.values())), strict=True))
    hours = sum(frames.values()) * model.features.hop_samples / SAMPLE_RATE / 3600
    lines = [f"{steps} steps, {len(plan)} of them on texts; {len(frames)} clips, {hours:.3f} hours of audio"]
    for task in Task:
        of = [e for e in examples.values() if e.task is task]
        if of:
            heard = {e.example_id: 0 if task is Task.TEXT else audio_token_count(frames[feature_key(e)]) for e in of}
            times = sum(drawn[e.example_id] for e in of)
            tokens = sum(drawn[e.example_id] * (lengths[e.example_id] + heard[e.example_id]) for e in of)
            lines.append(f"  {task:<12} {len(of):>8} examples  {times:>8} drawn  {tokens:>10} tokens")
    return "\n".join(lines)


def _text_tokens(model: SpeechLM, examples: Sequence[SFTExample]) -> list[int]:
    if not examples:
        return []
    encoded = model.tokenizer([f"{e.question}{e.target}" for e in examples], add_special_tokens=False)["input_ids"]
    return [len(ids) for ids in encoded]


def _asr_examples(clips: Mapping[str, MeasuredUtterance]) -> Iterator[SFTExample]:
    for name, m in clips.items():
        text, of = sanitize(m.utterance.transcript or ""), m.utterance
        if words(text):
            yield SFTExample(f"{name}/asr", Task.ASR, name, of.audio_path, ASR_QUESTION, text, of.split, of.synthetic)


def _problem(example: SFTExample, clip: MeasuredUtterance | None, label_set: LabelSet) -> str | None:
    """Why an example cannot be right about its clip; `None` when it may be."""
    if clip is None:
        return f"its utterance {example.utterance_id!r} is not in its split"
    if example.task is not Task.COMPARATIVE and example.audio_path != clip.utterance.audio_path:
        return f"its clip is {example.audio_path}, that of its utterance is {clip.utterance.audio_path}"
    return _wrong_target(example, clip, label_set)


def _wrong_target(example: SFTExample, clip: MeasuredUtterance, label_set: LabelSet) -> str | None:
    said, spoken = words(example.target), words(sanitize(clip.utterance.transcript or example.target))
    match example.task:
        case Task.LABEL | Task.REASONING:
            label = _label(example)
            if label is None or label_set.parse(label) is None:
                return f"its label {label!r} is not one of {label_set.name}"
        case Task.COMPARATIVE:
            parts = example.target.split(", ")
            if len(set(parts)) != len(parts):
                return f"its variants are equal: {example.target!r}"
        case Task.STRESS if stray := set(said) - set(spoken):
            return f"its stressed word {min(stray)!r} is not in the transcript of its clip"
        case Task.ASR if len(said) > MAX_WORDS_PER_S * clip.profile.duration_s:
            return f"its {len(said)} words cannot be said in {clip.profile.duration_s:.2f} s: they are another clip's"
    return None


def _label(example: SFTExample) -> str | None:
    if example.task is Task.LABEL:
        return example.target
    try:
        return parse_response(example.target, strict=True).answer
    except AnswerFormatError:
        return None
