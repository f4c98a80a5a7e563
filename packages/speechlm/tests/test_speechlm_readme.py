"""The README's code runs as it stands; the public names are what others may import."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

import speechlm


def test_readme_example_runs(tmp_path: Path) -> None:
    """One row; the vocabulary is the tokenizer's; what was loaded has the weights of what was saved; then the parts
    named in the second block are trained, and come back over their base."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    code, training = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    names: dict[str, Any] = {
        "texts": ["It sounds sad."],
        "samples": np.random.default_rng(0).standard_normal(8_000).astype(np.float32),
        "folder": tmp_path / "base",
        "adapters": tmp_path / "adapters",
    }
    exec("model = None\n" + code.replace("model.save(folder)", "model.save(folder)\nsaved = model"), names)
    assert names["logits"].shape == (*names["batch"].input_ids.shape, len(names["model"].tokenizer))
    assert names["model"].head.weight.equal(names["saved"].head.weight)
    assert names["model"] is not names["saved"]
    exec(training, names)
    assert set(speechlm.count_parts(names["model"]).trainable) == {"lora", "adapter"}
    assert names["model"].lora.rank == 8


def test_public_names_are_pinned() -> None:
    """A name that leaves this list is a breaking change."""
    expected = """
        SAMPLE_RATE AudioInputError BatchError CheckpointError Donors FeatureSpec GraftError GraftReport ModelSummary
        BaseIdentity CheckpointRecord Provenance read_record
        LoraSettings Part PartCounts PartError adapters_off add_lora count_parts has_lora lora_is_new merge_lora
        recompute_activations train_only
        PackedGroup PocketSize Proof graft load_donors prove
        SpeechBatch SpeechLM SpeechLMError TextState TowerSummary audio_token_count collate log_mel pack pad_features
        pocket summarize train_tokenizer windows
        PRESETS RELEASES PresetError Release SpeechProcessor load_preset released_config
    """
    assert set(speechlm.__all__) == set(expected.split())
    assert all(hasattr(speechlm, name) for name in speechlm.__all__)
    assert issubclass(speechlm.SpeechLMError, ValueError)
    for error in (speechlm.AudioInputError, speechlm.BatchError, speechlm.CheckpointError):
        assert issubclass(error, speechlm.SpeechLMError)
