"""Baselines on made-up measurements whose right answers are known by construction."""

from __future__ import annotations

import numpy as np
import pytest

from speech_records import ContourShape, Emotion, LabelSet, MeasuredUtterance, ProsodyProfile, Utterance
from trainer.baselines import feature_values, run_baselines
from trainer.errors import DataSetError

HAPPY, SAD, WHISPER = Emotion.HAPPY, Emotion.SAD, Emotion.WHISPER
THREE = LabelSet("THREE", (HAPPY, SAD, WHISPER))
F0_HZ = {HAPPY: 240.0, SAD: 160.0}
SENTENCES = ("the box holds pencils", "we walk along the river", "the store closes at eight", "he carried the ladder")


def measured(
    speaker: str, number: int, emotion: Emotion, *, transcript: str | None, f0_hz: float | None
) -> MeasuredUtterance:
    name = f"{speaker}-{number}-{emotion.value}"
    return MeasuredUtterance(
        Utterance(name, "made", f"{name}.wav", speaker, emotion=emotion, transcript=transcript),
        ProsodyProfile(duration_s=1.0, sample_rate=16_000, f0_median_hz=f0_hz, energy_dbfs=-30.0),
    )


def crossed(speakers: str, *, transcripts: tuple[str, ...] | None = SENTENCES) -> list[MeasuredUtterance]:
    """Every speaker says each of 20 sentences in three emotions; happy is high, sad low, whispered has no pitch."""
    generator = np.random.default_rng(0)
    return [
        measured(
            speaker,
            i,
            emotion,
            transcript=None if transcripts is None else transcripts[i % len(transcripts)],
            f0_hz=F0_HZ[emotion] * generator.uniform(0.97, 1.03) if emotion in F0_HZ else None,
        )
        for speaker in speakers
        for i in range(20)
        for emotion in THREE.labels
    ]


def test_separable_pitch_is_learnt_and_the_missing_pitch_is_evidence() -> None:
    """240 against 160 Hz ± 3 % never overlap, and only whispered clips lack a pitch: nothing is left to get wrong."""
    report = run_baselines(crossed("abcd"), crossed("ef"), label_set=THREE, seed=0)
    assert report.prosody.accuracy.value == 1.0
    assert (report.train_clips, report.test_clips) == (240, 120)


def test_majority_and_text_are_at_chance_in_a_crossed_corpus() -> None:
    """Each emotion and each sentence is a third of the other: one answer for all, or by sentence, gets one third."""
    report = run_baselines(crossed("abcd"), crossed("ef"), label_set=THREE, seed=0)
    assert report.majority.accuracy.value == pytest.approx(1 / 3)
    assert report.text is not None
    assert report.text.accuracy.value == pytest.approx(1 / 3)


def test_shuffled_audio_falls_to_chance() -> None:
    """A perfect classifier given another clip's measurements is right one time in three: 120 clips, sd 0.043."""
    report = run_baselines(crossed("abcd"), crossed("ef"), label_set=THREE, seed=0)
    assert report.shuffled_audio.accuracy.value == pytest.approx(1 / 3, abs=3 * 0.043)


def test_text_that_tells_the_emotion_is_found_out() -> None:
    """Happy and sad clips with words of their own, and no pitch to tell them apart."""
    rows = [
        measured(speaker, i, emotion, transcript=f"{word} day", f0_hz=200.0)
        for speaker in "abcd"
        for i in range(5)
        for emotion, word in ((HAPPY, "sunny"), (SAD, "grey"))
    ]
    train = [m for m in rows if m.utterance.speaker_id in "abc"]
    report = run_baselines(train, [m for m in rows if m.utterance.speaker_id == "d"], label_set=THREE, seed=0)
    assert report.text is not None
    assert report.text.accuracy.value == 1.0
    assert report.prosody.accuracy.value == 0.5


def test_without_transcripts_there_is_no_text_baseline() -> None:
    train, test = (crossed(speakers, transcripts=None) for speakers in ("abcd", "ef"))
    assert run_baselines(train, test, label_set=THREE, seed=0).text is None


def test_seed_decides_the_shuffle_alone() -> None:
    reports = [run_baselines(crossed("abcd"), crossed("ef"), label_set=THREE, seed=seed) for seed in (0, 0, 1)]
    assert reports[0] == reports[1]
    assert reports[0].prosody.accuracy.value == reports[2].prosody.accuracy.value
    assert reports[0].shuffled_audio.confusion != reports[2].shuffled_audio.confusion


def test_clips_outside_the_label_set_are_left_out_and_others_mapped() -> None:
    """CALM counts as sad here, BORED as nothing."""
    mapped = LabelSet("MAPPED", THREE.labels, {Emotion.CALM: SAD})
    odd = [
        measured("e", 90, Emotion.CALM, transcript=None, f0_hz=160.0),
        measured("e", 91, Emotion.BORED, transcript=None, f0_hz=160.0),
    ]
    report = run_baselines(crossed("abcd"), crossed("e") + odd, label_set=mapped, seed=0)
    assert report.test_clips == 61
    assert report.prosody.accuracy.value == 1.0


def test_features_are_named_and_keep_what_is_missing() -> None:
    """110 Hz is 12·log2(110) = 81.38 st above 1 Hz; a rising contour fills one of five columns."""
    profile = ProsodyProfile(1.0, 16_000, f0_median_hz=110.0, contour_shape=ContourShape.RISING)
    row = feature_values(profile)
    assert row["f0_median_st"] == pytest.approx(81.38, abs=0.01)
    assert np.isnan(row["energy_dbfs"])
    assert np.isnan(row["female"])
    assert {name: value for name, value in row.items() if name.startswith("contour_")} == {
        "contour_rising": 1.0,
        "contour_falling": 0.0,
        "contour_rising-falling": 0.0,
        "contour_falling-rising": 0.0,
        "contour_level": 0.0,
    }


def test_speaker_on_both_sides_is_refused() -> None:
    with pytest.raises(DataSetError, match="speaker d is in training and test"):
        run_baselines(crossed("abcd"), crossed("de"), label_set=THREE, seed=0)


def test_nothing_to_learn_or_to_report_on_is_refused() -> None:
    with pytest.raises(DataSetError, match="got 0 and 3"):
        run_baselines(crossed("abcd"), [], label_set=THREE, seed=0)
    happy = [m for m in crossed("abcd") if m.utterance.emotion is HAPPY]
    with pytest.raises(DataSetError, match="got 60 and 1"):
        run_baselines(happy, crossed("e"), label_set=THREE, seed=0)
