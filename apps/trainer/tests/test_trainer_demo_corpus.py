"""The demo corpus: what it must be by construction, and what Praat measures of it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import parselmouth
import pytest
import soundfile
from numpy.typing import NDArray

from speech_records import PAPER_9, ContourShape, Cue, Emotion, Gender, Utterance, read_jsonl
from speech_records.emotion_cues import EXPRESSIONS, Evidence, cue_evidence
from trainer.demo_corpus import DemoCorpusReport, build
from trainer.demo_corpus.design import DESIGN, Delivery, Spread, draw
from trainer.demo_corpus.espeak import Espeak
from trainer.demo_corpus.sound import SAMPLE_RATE, SPEECH_DBFS, Recording, record, whisper
from trainer.demo_corpus.speaker import say
from trainer.demo_corpus.texts import SENTENCES, content_words
from trainer.demo_corpus.voices import VOICES
from trainer.errors import ConfigError, SpeechSynthesisError

PLAIN = Delivery(
    level_st=0.0,
    range_st=0.0,
    contour=ContourShape.LEVEL,
    energy_db=0.0,
    rate=1.0,
    emphasis=0.0,
    stressed_word=1,
    whispered=False,
)
FEMALE, MALE = VOICES[0], VOICES[1]
WORDS = SENTENCES[0].split()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> DemoCorpusReport:
    """Four voices, two sentences, nine emotions."""
    return build(tmp_path_factory.mktemp("demo"), voices=4, sentences=2, workers=2)


@pytest.fixture(scope="module")
def espeak() -> Espeak:
    return Espeak()


def utterances(report: DemoCorpusReport) -> list[Utterance]:
    return list(read_jsonl(report.root / "manifest.jsonl", Utterance))


def pitch_hz(samples: NDArray[np.floating], sample_rate: int) -> NDArray[np.float64]:
    """F0 of the voiced frames by Praat's autocorrelation method."""
    sound = parselmouth.Sound(np.asarray(samples, dtype=np.float64), sample_rate)
    frames: NDArray[np.float64] = sound.to_pitch_ac(pitch_floor=60, pitch_ceiling=600).selected_array["frequency"]
    return frames[frames > 0]


def voiced_share(samples: NDArray[np.floating]) -> float:
    sound = parselmouth.Sound(np.asarray(samples, dtype=np.float64), SAMPLE_RATE)
    return float((sound.to_pitch_ac().selected_array["frequency"] > 0).mean())


# The corpus as a whole


def test_emotions_are_fully_crossed_with_voices_and_sentences(small: DemoCorpusReport) -> None:
    """4 voices x 2 sentences x 9 emotions, each once: 72 clips."""
    told = Counter((u.speaker_id, u.transcript, u.emotion) for u in utterances(small))
    assert told == Counter(product([v.voice_id for v in VOICES[:4]], SENTENCES[:2], PAPER_9.labels))
    assert small.clips == 72


def test_split_is_by_voice_with_both_genders_on_both_sides(small: DemoCorpusReport) -> None:
    by_split = {
        split: {(u.speaker_id, u.gender) for u in utterances(small) if u.split == split} for split in ("train", "test")
    }
    assert {gender for _, gender in by_split["train"]} == {gender for _, gender in by_split["test"]} == set(Gender)
    assert not {voice for voice, _ in by_split["train"]} & {voice for voice, _ in by_split["test"]}
    assert (small.train_clips, small.test_clips) == (36, 36)


def test_whole_cast_is_fourteen_voices_to_train_two_to_choose_settings_and_four_to_test() -> None:
    assert Counter((v.split, v.gender) for v in VOICES) == {
        ("train", Gender.FEMALE): 7,
        ("train", Gender.MALE): 7,
        ("validation", Gender.FEMALE): 1,
        ("validation", Gender.MALE): 1,
        ("test", Gender.FEMALE): 2,
        ("test", Gender.MALE): 2,
    }
    assert len({v.espeak_name for v in VOICES}) == len(VOICES)


def test_every_record_is_marked_synthetic_and_its_file_is_there(small: DemoCorpusReport) -> None:
    for utterance in utterances(small):
        assert utterance.synthetic
        assert utterance.stressed_words is not None
        assert utterance.transcript is not None
        assert set(utterance.stressed_words) < set(utterance.transcript.split())
        info = soundfile.info(small.root / utterance.audio_path)
        assert (info.samplerate, info.channels, info.format, info.subtype) == (16_000, 1, "FLAC", "PCM_16")


def test_no_clip_is_clipped(small: DemoCorpusReport) -> None:
    """Recordings are turned down to a peak of 0.98, plus half a PCM step of rounding."""
    peaks = [np.abs(soundfile.read(small.root / u.audio_path)[0]).max() for u in utterances(small)]
    assert max(peaks) <= 0.98 + 2**-16


def test_description_names_seed_versions_and_hash(small: DemoCorpusReport) -> None:
    description = json.loads((small.root / "corpus.json").read_text(encoding="utf-8"))
    assert description["synthetic"] is True
    assert description["seed"] == 0
    assert description["versions"]["espeak-ng"] == "1.52.0"
    assert set(description["distributions"]["emotions"]) == {e.value for e in PAPER_9.labels}
    digest = hashlib.sha256((small.root / "manifest.jsonl").read_bytes()).hexdigest()
    assert description["manifest_sha256"] == digest == small.manifest_sha256


# Same seed, same bytes


def test_same_seed_gives_the_same_bytes_whatever_the_workers(small: DemoCorpusReport, tmp_path: Path) -> None:
    again = build(tmp_path, voices=4, sentences=2, workers=1)
    for utterance in utterances(small):
        assert (tmp_path / utterance.audio_path).read_bytes() == (small.root / utterance.audio_path).read_bytes()
    assert (again.manifest_sha256, again.audio_sha256) == (small.manifest_sha256, small.audio_sha256)


def test_another_run_takes_the_place_of_an_earlier_one(small: DemoCorpusReport, tmp_path: Path) -> None:
    """Fewer sentences and another seed: nothing of the earlier corpus is left, and every clip is another."""
    root = Path(shutil.copytree(small.root, tmp_path / "demo"))
    calls: list[tuple[int, int]] = []
    other = build(root, voices=4, sentences=1, seed=1, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(9, 36), (18, 36), (27, 36), (36, 36)]
    files = sorted(path.relative_to(root).as_posix() for path in (root / "audio").rglob("*.flac"))
    assert files == sorted(u.audio_path for u in utterances(other))
    assert len(files) == 36
    for clip in files:
        assert (root / clip).read_bytes() != (small.root / clip).read_bytes()


@pytest.mark.parametrize(
    ("argument", "value"),
    [("voices", 3), ("voices", 21), ("sentences", 0), ("sentences", 41), ("workers", 0), ("seed", -1)],
)
def test_argument_out_of_range_is_refused_by_name(tmp_path: Path, argument: str, value: int) -> None:
    with pytest.raises(ConfigError, match=rf"{argument} must lie in .* got {value}"):
        build(tmp_path, **{argument: value})
    assert not list(tmp_path.iterdir())


# What is heard


@pytest.mark.parametrize("voice", [FEMALE, MALE], ids=["female", "male"])
def test_pitch_level_takes_effect_in_semitones(espeak: Espeak, voice: object) -> None:
    """Drawn 6 st apart; espeak-ng's steps are 0.19 st and its scale is a little uneven, hence ±0.7 st."""
    espeak.use_voice(voice.espeak_name)
    low, high = (
        np.median(pitch_hz(say(espeak, voice, WORDS, delivery=replace(PLAIN, level_st=st), seed=0), espeak.sample_rate))
        for st in (-3.0, 3.0)
    )
    assert 12 * np.log2(high / low) == pytest.approx(6.0, abs=0.7)


def test_contour_takes_effect(espeak: Espeak) -> None:
    """The last third of the voiced frames against the first: 6 st over five words are 4.5 st between word 1 and 4."""
    espeak.use_voice(FEMALE.espeak_name)
    movement = {}
    for shape in (ContourShape.RISING, ContourShape.FALLING):
        spoken = say(espeak, FEMALE, WORDS, delivery=replace(PLAIN, contour=shape, range_st=6.0), seed=0)
        first, _, last = (np.median(part) for part in np.array_split(pitch_hz(spoken, espeak.sample_rate), 3))
        movement[shape] = 12 * np.log2(last / first)
    assert movement[ContourShape.RISING] > 2.0
    assert movement[ContourShape.FALLING] < -2.0


def test_rate_and_stress_take_effect(espeak: Espeak) -> None:
    """Faster speech is shorter; a stressed word is higher, and slower, which makes the sentence longer."""
    espeak.use_voice(MALE.espeak_name)
    plain, fast, stressed = (
        say(espeak, MALE, WORDS, delivery=delivery, seed=0)
        for delivery in (PLAIN, replace(PLAIN, rate=1.3), replace(PLAIN, emphasis=1.5))
    )
    assert len(fast) < 0.85 * len(plain)
    assert len(stressed) > len(plain)
    tops = [np.percentile(pitch_hz(spoken, espeak.sample_rate), 95) for spoken in (plain, stressed)]
    assert 12 * np.log2(tops[1] / tops[0]) > 2.5
    assert np.abs(stressed).max() > np.abs(plain).max()


def test_only_whispered_clips_are_unvoiced(small: DemoCorpusReport) -> None:
    """By Praat's pitch tracker with its standard settings; in speech about half of the clip is voiced."""
    shares = {
        u.utterance_id: (u.emotion, voiced_share(soundfile.read(small.root / u.audio_path)[0]))
        for u in utterances(small)
    }
    assert np.mean([share for emotion, share in shares.values() if emotion is Emotion.WHISPER]) < 0.01
    assert max(share for emotion, share in shares.values() if emotion is Emotion.WHISPER) < 0.1
    assert min(share for emotion, share in shares.values() if emotion is not Emotion.WHISPER) > 0.3


def test_whisper_keeps_the_length_and_silence_of_the_speech() -> None:
    """Half a second of a 120 Hz pulse train between halves of silence."""
    speech = np.zeros(24_000, dtype=np.float32)
    speech[8_000 : 16_000 : SAMPLE_RATE // 120] = 0.5
    whispered = whisper(speech, generator=np.random.default_rng(0))
    assert whispered.shape == speech.shape
    assert voiced_share(whispered) == 0.0
    assert np.square(whispered[:7_000]).sum() < 1e-6 * np.square(whispered[8_000:16_000]).sum()


def test_recording_has_the_level_that_was_asked_for() -> None:
    """A tone at −30 + 6 − 2 dBFS for a second, with 0.1 s of room at −66 dBFS before and 0.2 s after it."""
    tone = 0.1 * np.sin(2 * np.pi * 200 * np.arange(22_050) / 22_050).astype(np.float32)
    clip = record(
        tone,
        22_050,
        energy_db=6.0,
        whispered=False,
        recording=Recording(level_db=-2.0, noise_dbfs=-66.0, lead_s=0.1, tail_s=0.2),
        generator=np.random.default_rng(0),
    )

    def dbfs(part: NDArray[np.float32]) -> float:
        return float(10 * np.log10(np.mean(np.square(part))))

    assert len(clip) == pytest.approx(1.3 * SAMPLE_RATE, abs=0.02 * SAMPLE_RATE)
    assert dbfs(clip[1_700:17_500]) == pytest.approx(SPEECH_DBFS + 4.0, abs=0.1)
    assert dbfs(clip[:1_500]) == pytest.approx(-66.0, abs=0.5)
    assert dbfs(clip[-3_000:]) == pytest.approx(-66.0, abs=0.5)


def test_silence_and_unknown_voices_are_refused(espeak: Espeak) -> None:
    with pytest.raises(SpeechSynthesisError, match="no voice 'xx\\+nobody'"):
        espeak.use_voice("xx+nobody")
    with pytest.raises(SpeechSynthesisError, match="silence"):
        record(
            np.zeros(22_050, dtype=np.float32),
            22_050,
            energy_db=0.0,
            whispered=False,
            recording=Recording(0.0, -66.0, 0.1, 0.1),
            generator=np.random.default_rng(0),
        )


# The design


def test_forty_distinct_short_sentences_each_with_a_word_to_stress() -> None:
    assert len(set(SENTENCES)) == 40
    for sentence in SENTENCES:
        words = sentence.split()
        assert 4 <= len(words) <= 7, sentence
        content = [words[i] for i in content_words(sentence)]
        assert content, sentence
        assert all(words.count(word) == 1 for word in content), sentence


def test_design_covers_the_label_set_and_its_probabilities_add_up() -> None:
    assert set(DESIGN) == set(PAPER_9.labels)
    for row in DESIGN.values():
        assert sum(row.contours.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("emotion", DESIGN)
def test_design_follows_the_one_table_of_how_emotions_sound(emotion: Emotion) -> None:
    """`EXPRESSIONS` says in words what the means must say: over or under neutral by half its deviation or more."""
    row, neutral = DESIGN[emotion], DESIGN[Emotion.NEUTRAL]
    levels = {
        Cue.PITCH: (row.level_st, neutral.level_st, "low normal high"),
        Cue.ENERGY: (row.energy_db, neutral.energy_db, "low normal high"),
        Cue.RATE: (row.rate, neutral.rate, "low normal high"),
        Cue.CONTOUR_DYNAMICS: (row.range_st, neutral.range_st, "flat moderate expressive"),
    }
    for cue in levels.keys() & EXPRESSIONS[emotion].cues.keys():
        spread, reference, values = levels[cue]
        deviation = (spread.mean - reference.mean) / reference.sd
        value = values.split()[1 + (deviation >= 0.5) - (deviation <= -0.5)]
        assert cue_evidence(emotion, cue, value) is Evidence.FITS, (cue, value)
    shares = dict.fromkeys(Evidence, 0.0)
    for shape, probability in row.contours.items():
        shares[cue_evidence(emotion, Cue.CONTOUR_SHAPE, shape.value)] += probability
    assert shares[Evidence.AGAINST] < shares[Evidence.FITS] or shares[Evidence.NEUTRAL] == pytest.approx(1.0)
    assert row.whispered == (Cue.VOICING in EXPRESSIONS[emotion].cues)


def test_draws_have_the_mean_and_spread_of_the_design() -> None:
    """4 000 draws: standard error of the mean 1.3 / 63; a normal cut at 2.5 sd keeps 0.98 of its spread."""
    generator = np.random.default_rng(0)
    row = DESIGN[Emotion.HAPPY]
    drawn = [draw(Emotion.HAPPY, (1, 3), generator=generator) for _ in range(4_000)]
    levels = np.array([d.level_st for d in drawn])
    assert levels.mean() == pytest.approx(row.level_st.mean, abs=0.08)
    assert levels.std() == pytest.approx(row.level_st.sd, rel=0.05)
    shapes = Counter(d.contour for d in drawn)
    for shape, probability in row.contours.items():
        assert shapes[shape] / len(drawn) == pytest.approx(probability, abs=0.03)
    assert {d.stressed_word for d in drawn} == {1, 3}


def test_spread_never_leaves_two_and_a_half_deviations() -> None:
    generator = np.random.default_rng(0)
    drawn = [Spread(10.0, 2.0).draw(generator) for _ in range(2_000)]
    assert (min(drawn), max(drawn)) == (5.0, 15.0)


@pytest.mark.parametrize(
    ("shape", "heights"),
    [
        (ContourShape.RISING, [-2, 0, 2]),
        (ContourShape.FALLING, [2, 0, -2]),
        (ContourShape.RISING_FALLING, [-2, 2, -2]),
        (ContourShape.FALLING_RISING, [2, -2, 2]),
        (ContourShape.LEVEL, [0, 0, 0]),
    ],
)
def test_contours_span_their_range(shape: ContourShape, heights: list[float]) -> None:
    """Range 4 st over three words, no stress: ±2 st around the level."""
    assert replace(PLAIN, range_st=4.0, contour=shape).word_pitches_st(3) == heights
