"""What a reward model is measured by, on judgements whose figures are counted by hand."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

import pytest
import torch

from rewardmodel import PROBES, Fault, GradedTrace, RewardModel, ordinal_loss
from speech_records import (
    PAPER_9,
    Cue,
    Emotion,
    FailedItem,
    Level,
    LevelReading,
    MeasuredUtterance,
    ProsodyLevels,
    ProsodyProfile,
    RewardScores,
    Utterance,
    to_json,
)
from speechlm import PocketSize, pocket, train_tokenizer
from trainer.reward import fit_claims, fit_criteria, held_out_voices, read_texts, train_clip_head
from trainer.reward_data import ClipTexts, Source, Text, read_graded
from trainer.reward_pictures import draw
from trainer.reward_quality import (
    ClaimQuality,
    FactualQuality,
    JudgedText,
    claim_quality,
    factual_quality,
    graded_of,
    severity_pairs,
    text_only,
)
from trainer.reward_report import (
    Calibration,
    HeldOut,
    RewardReport,
    calibrate,
    measure,
    warnings,
    with_people,
    write_report,
)
from trainer.settings import RewardSettings


def text(source: Source = Source.OWN, *, fault: Fault = Fault.NONE, severity: int = 0, think: str = "Loud.") -> Text:
    scores = RewardScores(5.0, 5.0, 5.0, 5.0)
    return Text(think, GradedTrace("a1", think, Emotion.ANGRY, scores, fault, severity), source)


def judged(of: Text, *, clip: int = 0, target: float = 5.0, score: float = 5.0, **claims: object) -> JudgedText:
    defaults = {"cues": (), "probabilities": (), "outcomes": ()}
    return JudgedText(clip, of, (target, 5.0, 5.0, 5.0), (score, 5.0, 5.0, 5.0), **(defaults | claims))


def test_claims_are_counted_by_source_and_cue() -> None:
    """Own: pitch 0.9 true and 0.2 false, energy 0.4 true. One of two pairs of true and false is in order: 0.4 > 0.2
    too, so both. Probabilities lie 0.1, 0.2 and 0.6 from what happened, each alone in its interval: 0.3."""
    found = claim_quality(
        [
            judged(text(), cues=(Cue.PITCH, Cue.ENERGY), probabilities=(0.9, 0.4), outcomes=(1.0, 1.0)),
            judged(text(), cues=(Cue.PITCH,), probabilities=(0.2,), outcomes=(0.0,)),
            judged(text(Source.GRADED), cues=(Cue.PITCH,), probabilities=(0.5,), outcomes=(0.0,)),
        ]
    )
    assert set(found) == {"own"}
    own = found["own"]
    assert (own.count, own.supported, own.auroc) == (3, pytest.approx(2 / 3), 1.0)
    assert own.by_cue == {"energy": None, "pitch": 1.0}
    assert own.ece == pytest.approx(0.3)


def test_factual_order_is_of_texts_about_one_clip() -> None:
    """Clip 0: 2 < 4 in order; clip 1: reversed; a text that could not be judged does not count."""
    found = factual_quality(
        [
            judged(text(), target=4.0, score=3.0),
            judged(text(), target=2.0, score=1.0),
            judged(text(), clip=1, target=5.0, score=4.0),
            judged(text(), clip=1, target=1.0, score=5.0),
            judged(text(), clip=1, target=1.0, score=math.nan),
        ]
    )
    assert (found.texts, found.order) == (4, 0.5)


def test_pairs_by_severity_compare_with_the_whole_trace_of_the_clip() -> None:
    """Severity 1: one of two in order; severity 4: a tie, half; what costs the criterion under half a point is none."""
    wrong = Fault.WRONG_FACTS
    found = severity_pairs(
        [
            judged(text(Source.GRADED), score=4.0),
            judged(text(Source.GRADED, fault=wrong, severity=1), target=4.0, score=3.0),
            judged(text(Source.GRADED, fault=wrong, severity=1), target=4.0, score=4.5),
            judged(text(Source.GRADED, fault=wrong, severity=2), target=4.8, score=1.0),
            judged(text(Source.GRADED, fault=wrong, severity=4), target=1.0, score=4.0),
            judged(text(Source.GRADED, fault=wrong, severity=3), clip=1, target=1.0, score=1.0),
        ]
    )
    assert found == {"1": 0.5, "2": None, "3": None, "4": 0.5}


def test_graded_traces_that_could_not_be_judged_are_left_out() -> None:
    whole, too_long = judged(text(Source.GRADED)), judged(text(Source.GRADED), score=math.nan)
    assert graded_of([whole, too_long, judged(text())]) == [whole]


def test_a_model_that_does_not_listen_is_loudly_said_to() -> None:
    def report(shuffled: float, text_only: float | None) -> RewardReport:
        right, other = ({"own": ClaimQuality(10, 0.5, area, 0.1, {})} for area in (0.8, shuffled))
        factual = {"own": FactualQuality(1, 0.0, None, None, None)}
        return RewardReport(
            criteria={}, faults={}, rules={}, severity={}, factual=factual, claims=right, claims_before=right,
            untrained=right, shuffled=other, silent=other, reliability={}, calibration=Calibration(1.0, 10),
            text_only=text_only, probes={"length": {"mean": 0.3 * shuffled}},
        )  # fmt: skip

    assert warnings(report(0.55, 0.5)) == []
    deaf = warnings(report(0.78, 0.7))
    assert len(deaf) == 3
    assert "DOES NOT LISTEN" in deaf[0]
    assert "another clip" in deaf[0]
    assert "AUROC of 0.70" in deaf[2]


def test_a_word_that_gives_faults_away_is_found() -> None:
    """*odd* is in every wrong text: an area of 1. Without both kinds there is nothing to tell."""
    kinds = {Fault.NONE: "The pitch is high.", Fault.WRONG_FACTS: "The pitch is odd."}
    texts = [text(Source.GRADED, fault=fault, think=think) for fault, think in kinds.items()] * 4
    assert text_only(texts, texts) == 1.0
    assert text_only(texts[:1], texts) is None


def answer(think: str) -> str:
    return f"<think>{think}</think><answer>angry</answer>"


@pytest.fixture
def held_out() -> tuple[RewardModel, HeldOut]:
    """Two clips, one loud and one quiet, each with a text that is true of the first; a model of random weights."""
    thinks = ("The energy is high. So it is angry.", "The energy is low. So it is angry.")
    size = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)
    model = RewardModel(pocket(train_tokenizer(thinks, vocab_size=300), seed=0, size=size))
    about = []
    for i, level in enumerate((Level.HIGH, Level.LOW)):
        reading = LevelReading(level, 1.0, 90.0 if level is Level.HIGH else 10.0)
        levels = ProsodyLevels("made", "0", energy=reading)
        profile = ProsodyProfile(duration_s=1.0, sample_rate=16_000)
        clip = MeasuredUtterance(Utterance(f"u{i}", "made", "a.wav", "s1"), profile, levels)
        scores = RewardScores(5.0, 5.0, 5.0, 5.0)
        grades = [GradedTrace(f"u{i}", think, Emotion.ANGRY, scores, Fault.NONE, 0) for think in thinks]
        own = [Text(answer(g.think), g, Source.OWN) for g in grades]
        about.append(ClipTexts(clip, (*own, Text(answer(grades[0].think), grades[0], Source.GRADED))))
    features = {f"u{i}": torch.rand(16, 40, generator=torch.Generator().manual_seed(i)) for i in range(2)}
    return model, HeldOut(about, features, dict.fromkeys(features, "Which emotion?"))


def test_verdicts_and_targets_come_from_the_clip(held_out: tuple[RewardModel, HeldOut]) -> None:
    """Each clip offers its energy alone: 5 for the true text, 1 for the false one."""
    model, heard = held_out
    judged = heard.judge(model, heard.clips, (Source.OWN,))
    assert [(j.clip, j.outcomes, j.target[0]) for j in judged] == [
        (0, (1.0,), 5.0), (0, (0.0,), 1.0), (1, (0.0,), 1.0), (1, (1.0,), 5.0),
    ]  # fmt: skip
    temperature = calibrate(model, heard).temperature
    assert float(model.heads.claim_temperature) == pytest.approx(temperature)
    assert heard.shuffled()[0].equal(heard.clips[1])
    assert len(heard.silent()[0].unique()) == 1


def test_a_whole_report_is_measured_and_drawn(held_out: tuple[RewardModel, HeldOut], tmp_path: Path) -> None:
    """Every part is there, JSON holds it all, and the ratings that cannot be used are named by their line."""
    model, heard = held_out
    claims = claim_quality(heard.judge(model, heard.clips, (Source.OWN,)))
    report, judged = measure(
        model, heard, calibration=Calibration(1.0, 4), untrained=claims, fitted_to=[], label_set=PAPER_9
    )  # fmt: skip
    assert report.claims["own"].auroc == report.untrained["own"].auroc
    assert set(report.probes) == set(PROBES)
    assert report.rules["fluency_and_structural_clarity"].mean_absolute_error == 0.0
    assert any("DOES NOT LISTEN" in said for said in warnings(report))
    rating = {"utterance_id": "u0", "text": answer("The energy is high."), "rater": "r"}
    rows = [
        rating | dict.fromkeys(RewardScores.CRITERIA, 4), rating | dict.fromkeys(RewardScores.CRITERIA, 0),
        rating | dict.fromkeys(RewardScores.CRITERIA, 4) | {"text": ""},
        rating | dict.fromkeys(RewardScores.CRITERIA, 4) | {"utterance_id": "nobody"},
    ]  # fmt: skip
    ratings = tmp_path / "ratings.jsonl"
    ratings.write_text("".join(json.dumps(row) + "\n" for row in rows))
    failed: list[FailedItem] = []
    features = {"u0": heard.clips[0]}
    report = with_people(report, model, ratings, features=features, questions=heard.questions, failed=failed.append)
    assert {item.id.rpartition(":")[2] for item in failed} == {"2", "3", "4"}
    assert report.people is not None
    assert report.people["factual_alignment"].quality.count == 1
    write_report(report, judged, tmp_path)
    draw(report, tmp_path)
    assert json.loads((tmp_path / "quality.json").read_text())["claims"]["own"]["count"] == 4
    assert (tmp_path / "quality.svg").read_text().startswith("<?xml")


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # Lightning, about itself
def test_the_heads_learn_what_is_heard_and_leave_the_backbone_alone(
    held_out: tuple[RewardModel, HeldOut], tmp_path: Path
) -> None:
    """The two clips are told apart after 40 steps on both: *loud* is true of the first and false of the second, so its
    claim gets a probability above 0.8 and below 0.2. Untrained, criteria cost log 2 = 0.69 each; all deserve 5."""
    model, heard = held_out
    model.requires_grad_(False)
    backbone = {name: value.clone() for name, value in model.backbone.state_dict().items()}
    texts = read_texts(model, heard)
    before = ordinal_loss(model.heads.scores(torch.zeros(len(texts.readings), 8)), texts.criteria)
    assert before.item() == pytest.approx(math.log(2), abs=1e-4)
    features = {about.name: clip for about, clip in zip(heard.about, heard.clips, strict=True)}
    settings = RewardSettings(epochs=40, batch_size=2, warmup_steps=5, save_every=0)
    clips = [about.measured for about in heard.about]
    train_clip_head(model, clips, features, settings, out=tmp_path, data={})
    assert fit_claims(model, texts) < 0.3
    assert fit_criteria(model, texts) < 0.05
    loud = [j.probabilities[0] for j in heard.judge(model, heard.clips, (Source.GRADED,))]
    assert loud[0] > 0.8
    assert loud[1] < 0.2
    assert all(value.equal(backbone[name]) for name, value in model.backbone.state_dict().items())


def test_without_validation_voices_a_fifth_of_the_voices_of_every_corpus_is_held_out() -> None:
    """Ten voices of one corpus: two; two of another: one; the only voice of a third: a fifth of its ten clips."""
    voices = [("ten", f"s{i}") for i in range(10)] + [("two", "s0"), ("two", "s1")] + [("one", "s0")] * 10
    profile = ProsodyProfile(duration_s=1.0, sample_rate=16_000)
    clips = [
        MeasuredUtterance(Utterance(f"u{i}", corpus, "a.wav", voice), profile)
        for i, (corpus, voice) in enumerate(voices)
    ]
    held_out, others = held_out_voices(clips, seed=0)
    counts = Counter(m.utterance.corpus for m in held_out)
    assert counts == {"ten": 2, "two": 1, "one": 2}
    assert {m.utterance.utterance_id for m in held_out + others} == {f"u{i}" for i in range(22)}
    assert len(held_out) + len(others) == 22


def test_graded_traces_of_a_file_that_cannot_be_used_are_named_and_the_rest_is_taken(tmp_path: Path) -> None:
    """Line 2 has a score of 7, line 3 is cut off; line 4 is about a clip that is not asked for, which is no fault."""
    good = to_json(text(Source.GRADED).graded)
    rows = [good, good.replace("5.0", "7.0", 1), good[:-9], good.replace('"a1"', '"b1"')]
    file = tmp_path / "graded.jsonl"
    file.write_text("\n".join(rows) + "\n")
    failed: list[FailedItem] = []
    clip = MeasuredUtterance(Utterance("a1", "made", "a.wav", "s1"), ProsodyProfile(1.0, 16_000))
    assert [to_json(g) for g in read_graded(file, [clip], failed.append)] == [good]
    assert [item.id.rpartition(":")[2] for item in failed] == ["2", "3"]
