"""What makes steps of SFT cheaper and leaves them the same: a frozen encoder that runs once, compiled layers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cotgen.dataset import BuildConfig, Source, build
from cotgen.generation import RuleGenerator
from cotgen.tasks import Task, TaskConfig
from speech_records import PAPER_9, Emotion, MeasuredUtterance, ProsodyProfile, Utterance, write_jsonl
from speechlm import PocketSize, SpeechLM, load_preset, train_only
from speechlm.features import pad_features
from trainer.curriculum import Phase
from trainer.dataset import AnnotatedCorpus
from trainer.encoded import FOLDER, encode_once, encodes_once
from trainer.errors import ConfigError
from trainer.settings import SFTSettings
from trainer.sft import train_sft

SIZE = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)


def corpus(root: Path) -> AnnotatedCorpus:
    clips = [
        MeasuredUtterance(
            Utterance(f"u{i}", "made", f"u{i}.wav", "s", Emotion.SAD, split="train"), ProsodyProfile(1.0, 16_000)
        )
        for i in range(4)
    ]
    write_jsonl(root / "measured.jsonl", clips)
    (root / "scale.json").write_text("{}")
    source = Source(root / "measured.jsonl", audio_root=str(root), scale=root / "scale.json")
    build(source, root / "data", BuildConfig(TaskConfig(PAPER_9, "?", 0)), generator=RuleGenerator(PAPER_9, seed=0))
    return AnnotatedCorpus.read(root / "data")


def frozen(seed: int = 0) -> SpeechLM:
    model = load_preset("pocket", seed=seed, size=SIZE, texts=["Which emotion? sad"], vocab_size=300)
    train_only(model, ["adapter", "llm"])
    return model


def clips() -> dict[str, torch.Tensor]:
    """Clips of different lengths, as features are stored."""
    generator = torch.Generator().manual_seed(0)
    return {f"u{i}": torch.rand(16, 40 + 9 * i, generator=generator).half() for i in range(4)}


def runs_of_encoder(model: SpeechLM) -> list[int]:
    """A list that grows by one whenever the encoder runs."""
    found: list[int] = []
    model.audio_tower.conv1.register_forward_hook(lambda *_: found.append(1))  # type: ignore[union-attr]
    return found


def test_kept_states_give_the_audio_tokens_of_the_encoder(tmp_path: Path) -> None:
    """Against the encoder itself, for a batch in another order and of other clips beside one another; a clip that was
    not kept is encoded, and another encoder's states are other files."""
    model, features = frozen(), clips()
    kept = encode_once(model, features, ["u0", "u1", "u2"], tmp_path)
    batch = pad_features([features[name].float() for name in ("u2", "u0")])
    expected = model.encode_audio(*batch)
    calls = runs_of_encoder(model)
    model.kept_states = kept
    torch.testing.assert_close(model.encode_audio(*batch), expected)
    assert calls == []
    model.encode_audio(*pad_features([features["u3"].float(), features["u0"].float()]))
    assert len(calls) == 1
    encode_once(frozen(seed=1), features, ["u0", "u1", "u2"], tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # Lightning, about itself
def test_a_second_training_does_not_run_a_frozen_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings of four steps on four clips, all four in each batch: the first runs the encoder once, for the shard,
    the second never, and one that keeps nothing four times. All end with the same weights."""
    data, features = corpus(tmp_path), clips()
    settings = SFTSettings(
        phases=(Phase("a", 4, 4, {Task.LABEL: 1.0}),), filter_augment_db=0.0, learning_rate=1e-3, save_every=0
    )
    found, weights = [], []
    for name in ("first", "second", "live"):
        if name == "live":
            monkeypatch.setattr("trainer.sft.encodes_once", lambda *_: False)
        model = frozen()
        calls = runs_of_encoder(model)
        train_sft(model, data, features, settings, out=tmp_path / name)
        found.append(len(calls))
        weights.append([w.detach() for w in model.parameters()])
    assert found == [1, 0, 4]
    assert len(list((data.folder / FOLDER).iterdir())) == 1
    for other in weights[1:]:
        torch.testing.assert_close(other, weights[0])
    whole = load_preset("pocket", seed=0, size=SIZE, texts=["Which emotion? sad"], vocab_size=300)
    filtered = SFTSettings(phases=settings.phases, filter_augment_db=6.0)
    assert not encodes_once(whole, settings)
    assert not encodes_once(frozen(), filtered)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning")
def test_compiled_layers_train_the_same(tmp_path: Path) -> None:
    """Four steps of labels, whose batches are of one length, and of reasoning, of others: the weights are those of the
    same training without compiling, but for the rounding of sums in another order."""
    data, features = corpus(tmp_path), clips()
    weights = []
    for is_compiled in (False, True):
        settings = SFTSettings(
            phases=(Phase("a", 4, 4, {Task.LABEL: 1.0}), Phase("b", 4, 2, {Task.REASONING: 1.0})),
            learning_rate=1e-4, save_every=0, compile_layers=is_compiled,
        )  # fmt: skip
        model = frozen()
        train_sft(model, data, features, settings, out=tmp_path / str(is_compiled))
        weights.append([w.detach() for w in model.parameters()])
    torch.testing.assert_close(weights[1], weights[0], atol=1e-4, rtol=1e-3)


def test_compiling_is_refused_where_other_calls_run_the_layers() -> None:
    with pytest.raises(ConfigError, match="compile_layers is True, expected false with validate_every"):
        SFTSettings(phases=(), validate_every=10, compile_layers=True)
