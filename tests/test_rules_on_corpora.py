"""The rule generator on people: what prosody measures of RAVDESS and EmoDB, written down in English and in German."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

import speech_corpora
from cotgen import Style, generate
from cotgen.screening import check
from prosody import LevelScale, analyze, load_audio
from speech_claims import verify
from speech_records import LABEL_SETS, Cue, MeasuredUtterance, ProsodyProfile, Utterance, Verdict

pytestmark = pytest.mark.corpus
CLIPS = 60


def measured(name: str) -> list[MeasuredUtterance]:
    """Clips spread over the corpus, with levels from a scale that is fitted on them."""
    shared = os.environ.get("EMOTIONTHINKER_SHARED")
    root = Path(shared or ".") / "data" / name
    if shared is None or not root.is_dir():
        pytest.skip(f"$EMOTIONTHINKER_SHARED/data/{name} is not here")
    utterances = speech_corpora.load(name, root).utterances
    chosen = utterances[:: max(1, len(utterances) // CLIPS)]
    pairs = [(utterance, profile_of(utterance, root)) for utterance in chosen]
    scale = LevelScale.fit(((profile, utterance.gender) for utterance, profile in pairs), name=name)
    return [MeasuredUtterance(u, p, scale.read(p, gender=u.gender)) for u, p in pairs]


def profile_of(utterance: Utterance, root: Path) -> ProsodyProfile:
    audio = load_audio(root / utterance.audio_path)
    return analyze(audio.samples, audio.sample_rate, transcript=utterance.transcript)


@pytest.mark.parametrize(("name", "label_set"), [("ravdess", "RAVDESS_8"), ("emodb", "EMODB_7")])
def test_real_clips_get_true_and_varied_reasoning(name: str, label_set: str) -> None:
    """Every claim is supported, the text passes the screening and `verify` reads the same claims in it. No two texts
    are alike. Of EmoDB, whose clips were brought to one level, no energy is claimed (`prosody.levels`).
    """
    texts = set()
    clips = measured(name)
    for seed, clip in enumerate(clips):
        trace = generate(clip, label_set=LABEL_SETS[label_set], seed=seed, style=Style.VARIED)
        assert trace.generator == "rules/4"
        assert {c.verdict for c in trace.claims} == {Verdict.SUPPORTED}
        cues = {c.cue for c in trace.claims}
        assert Cue.RATE in cues
        assert (Cue.ENERGY in cues) == (name == "ravdess")
        assert check(trace.think, trace.answer, trace.claims) == ()
        found = verify(trace.think, clip.profile, clip.levels, clip.utterance.transcript)
        assert Counter((c.cue, c.value) for c in found) == Counter((c.cue, c.value) for c in trace.claims), trace.think
        texts.add(trace.think)
    assert len(texts) == len(clips)
