"""Comparative clips by recipes: what is told is what is heard, and what cannot be made is a failed item."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from annotator_worker.cli import cli
from annotator_worker.errors import UnusableInputError
from annotator_worker.listing import CorpusRequest, list_corpus
from annotator_worker.local import run
from annotator_worker.recipes import compare
from cotgen.tasks import Attribute, ComparativeClip
from cotgen.tasks.variants import VariantRecipe, variant_recipes
from prosody import analyze
from speech_records import FailedItem, Level, MeasuredUtterance, read_jsonl, write_jsonl


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory, kit) -> Path:
    """Eight made utterances, measured; the corpus lies beside."""
    root = kit.write_corpus(tmp_path_factory.mktemp("recipes") / "corpus", clips=8)
    run(list_corpus(CorpusRequest("manifest", root, seed=3)), root.parent / "annotated")
    return root.parent


def recipes(annotated: Path, count: int) -> list[VariantRecipe]:
    measured = read_jsonl(annotated / "annotated" / "measured.jsonl", MeasuredUtterance)
    return list(variant_recipes(measured, seed=0, count=count, longest_s=5.0))


def test_the_clips_are_what_the_recipes_say(annotated: Path, tmp_path: Path) -> None:
    """Each third of a clip is measured by itself: its order must be the recipe's. A second run makes the same bytes."""
    made = [next(r for r in recipes(annotated, 6) if r.attribute is attribute) for attribute in Attribute]
    write_jsonl(tmp_path / "recipes.jsonl", made)
    profiles = annotated / "annotated" / "measured.jsonl"
    arguments = [
        "compare", tmp_path / "recipes.jsonl", "--profiles", profiles, "--root", annotated / "corpus",
        "-o", tmp_path / "out",
    ]  # fmt: skip
    result = CliRunner().invoke(cli, [str(a) for a in arguments])
    assert (result.exit_code, "3 comparative clips" in result.stdout) == (0, True)
    clips = list(read_jsonl(tmp_path / "out" / "clips.jsonl", ComparativeClip))
    assert {(c.utterance_id, c.attribute, c.order, c.split) for c in clips} == {
        (r.utterance_id, r.attribute, r.order, r.split) for r in made
    }
    heard = {
        Attribute.PITCH: lambda p: p.f0_median_hz,
        Attribute.ENERGY: lambda p: p.energy_dbfs,
        Attribute.RATE: lambda p: -p.duration_s,
    }
    for clip in clips:
        samples, rate = soundfile.read(tmp_path / "out" / clip.audio_path)
        found = [heard[clip.attribute](analyze(part, rate)) for part in parts(samples, rate)]
        assert [list(Level)[i] for i in np.argsort(np.argsort(found))] == list(clip.order)
    compare(tmp_path / "recipes.jsonl", profiles, root=annotated / "corpus", out=tmp_path / "again")
    for clip in clips:
        again = (tmp_path / "again" / clip.audio_path).read_bytes()
        assert again == (tmp_path / "out" / clip.audio_path).read_bytes()


def parts(samples: np.ndarray, rate: int) -> list[np.ndarray]:
    """The clip cut at its two exact digital silences of at least 0.2 s."""
    silent = np.flatnonzero(np.convolve(np.abs(samples), np.ones(int(0.2 * rate)), mode="valid") == 0)
    cuts = [int(np.median(run)) + int(0.1 * rate) for run in np.split(silent, np.flatnonzero(np.diff(silent) > 1) + 1)]
    assert len(cuts) == 2
    return np.split(samples, cuts)


def test_half_a_step_of_energy_is_three_decibels(annotated: Path, tmp_path: Path) -> None:
    """A gain is exact: neighbouring levels are half of 6 dB apart."""
    recipe = next(r for r in recipes(annotated, 6) if r.attribute is Attribute.ENERGY)
    write_jsonl(tmp_path / "recipes.jsonl", [replace(recipe, step=0.5)])
    compare(
        tmp_path / "recipes.jsonl",
        annotated / "annotated" / "measured.jsonl",
        root=annotated / "corpus",
        out=tmp_path / "out",
    )
    (clip,) = read_jsonl(tmp_path / "out" / "clips.jsonl", ComparativeClip)
    samples, rate = soundfile.read(tmp_path / "out" / clip.audio_path)
    levels = sorted(analyze(part, rate).energy_dbfs or 0.0 for part in parts(samples, rate))
    np.testing.assert_allclose(np.diff(levels), 3.0, atol=0.3)


def test_what_cannot_be_made_is_a_failed_item(annotated: Path, tmp_path: Path) -> None:
    """An unknown utterance, one without a hash, and one whose audio is gone; the fourth is made."""
    measured = list(read_jsonl(annotated / "annotated" / "measured.jsonl", MeasuredUtterance))[:3]
    measured[1] = replace(measured[1], audio_sha256=None)
    measured[2] = replace(measured[2], utterance=replace(measured[2].utterance, audio_path="audio/gone.flac"))
    write_jsonl(tmp_path / "m.jsonl", measured)
    order = (Level.LOW, Level.HIGH, Level.NORMAL)
    names = ["nobody", *(m.utterance.utterance_id for m in measured)]
    write_jsonl(tmp_path / "r.jsonl", [VariantRecipe(n, n, Attribute.ENERGY, order, 0.5) for n in names])
    done = compare(tmp_path / "r.jsonl", tmp_path / "m.jsonl", root=annotated / "corpus", out=tmp_path / "out")
    assert (done.clips, done.failed) == (1, 3)
    letters = {d.id: d.message for d in read_jsonl(tmp_path / "out" / "errors.jsonl", FailedItem)}
    assert "no measured utterance" in letters["nobody"]
    assert "hash of its audio" in letters[names[2]]
    assert "is not a file" in letters[names[3]]


def test_without_recipes_there_is_nothing_to_do(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").touch()
    with pytest.raises(UnusableInputError, match="cotgen variants"):
        compare(tmp_path / "r.jsonl", tmp_path / "m.jsonl", root=tmp_path, out=tmp_path)
