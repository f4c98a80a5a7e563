"""The README's code runs as it is written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

import speechlm


def test_readme_example_runs(tmp_path: Path) -> None:
    """One row; the vocabulary is the tokenizer's; what was loaded has the weights of what was saved; then the parts
    named in the second block are trained and saved."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    code, training = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    names: dict[str, Any] = {
        "texts": ["It sounds sad."],
        "samples": np.random.default_rng(0).standard_normal(8_000).astype(np.float32),
        "folder": tmp_path / "base",
        "trained": tmp_path / "trained",
    }
    exec(
        "model = None\n"
        + code.replace("save_checkpoint(model, folder)", "save_checkpoint(model, folder)\nsaved = model"),
        names,
    )
    assert names["logits"].shape == (*names["batch"].input_ids.shape, len(names["model"].tokenizer))
    assert names["model"].head.weight.equal(names["saved"].head.weight)
    assert names["model"] is not names["saved"]
    exec(training, names)
    assert set(speechlm.trainable_parts(names["model"])) == {"lora", "adapter"}
    assert names["model"].train_state.lora.rank == 8
    assert names["model"].training
    record = speechlm.read_record(tmp_path / "trained")
    assert record is not None
    assert record.trained == ("adapter", "llm")
