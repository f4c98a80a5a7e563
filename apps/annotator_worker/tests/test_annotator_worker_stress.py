"""What is measured beyond the profile: stressed words of real English speech, and the language of utterances."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from annotator_worker.listing import CorpusRequest, list_corpus
from annotator_worker.local import run
from annotator_worker.records import MeasureConfig, Stress
from cotgen.dataset import DataSet
from cotgen.tasks import Task
from speech_records import Cue, Verdict


def test_language_is_that_of_utterances_that_do_not_say(tmp_path: Path, kit) -> None:
    """Of two lines one names its language; the other is German, as the option says."""
    root = kit.write_corpus(tmp_path / "corpus", clips=1)
    manifest = [json.loads(line) for line in (root / "manifest.jsonl").read_text().splitlines()]
    other = manifest[0] | {"utterance_id": "said", "language": "en"}
    (root / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in (manifest[0], other)))
    listing = list_corpus(CorpusRequest("manifest", root, language="de"))
    assert {u.utterance_id: u.language for u in listing.utterances} == {"made-000": "de", "said": "en"}
    data = run(listing, tmp_path / "out")
    assert data.description["measuring"]["language"] == "de"
    assert {m.utterance.utterance_id: m.utterance.language for m in data.measured()} == {"made-000": "de", "said": "en"}


@pytest.mark.corpus
def test_english_speech_has_measured_stress(tmp_path: Path) -> None:
    """RAVDESS marks no stress. Every stressed word is one of the two sentences' words; claims about them are supported,
    and every clip with one gives an example about it. Without measuring there is none."""
    pytest.importorskip("pocketsphinx")
    root = Path(os.environ.get("EMOTIONTHINKER_SHARED", "../shared")).resolve() / "data" / "ravdess"
    if not root.is_dir():
        pytest.skip(f"no {root}")
    found: dict[Stress, DataSet] = {}
    for stress in (Stress.AUTO, Stress.NONE):
        listing = list_corpus(CorpusRequest("ravdess", root, limit=24, measuring=MeasureConfig(stress)))
        found[stress] = run(listing, tmp_path / stress)
    said = {"kids", "dogs", "are", "talking", "sitting", "by", "the", "door"}
    words = [{w.word.lower() for w in m.profile.stressed_words or ()} for m in found[Stress.AUTO].measured()]
    assert all(stressed <= said for stressed in words)
    stressed_clips = sum(bool(stressed) for stressed in words)
    assert stressed_clips >= len(words) - 4
    assert len(list(found[Stress.AUTO].examples(task=Task.STRESS))) == stressed_clips
    claims = [c.verdict for _, trace in found[Stress.AUTO].rows() for c in trace.claims if c.cue is Cue.STRESS]
    assert set(claims) == {Verdict.SUPPORTED}
    assert len(claims) >= stressed_clips // 2
    assert not list(found[Stress.NONE].examples(task=Task.STRESS))
