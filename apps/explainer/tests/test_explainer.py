"""The explainer, from files on disk to verdicts, with a real model, real measurement and the real verifier.

Expected verdicts follow from how the clips are made (`conftest.py`): the scale holds pitches from 100 to 200 Hz, the
clip has 240 Hz, so "the pitch is high" is right and "the pitch is low" is wrong.
"""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rich.console import Console
from typer.testing import CliRunner

from explainer import CheckpointError, ClipError, Explanation, explain, load_policy
from explainer.basis import basis
from explainer.cli import app
from explainer.explanation import interpret_response
from explainer.terminal import render
from prosody import AcousticProminence, AudioError, EvenSpread, LevelScale, load_audio, measure_file
from prosody.audio import resample
from speech_claims import verify
from speech_records import (
    PAPER_9,
    Claim,
    Cue,
    Emotion,
    Gender,
    LabelSet,
    Level,
    PolicyCard,
    Verdict,
    from_json,
    to_json,
)

SAD_OR_HAPPY = LabelSet("SAD_OR_HAPPY", (Emotion.SAD, Emotion.HAPPY))
TRANSCRIPT = "Leave it by the door"
RATE = 16_000


@pytest.fixture(scope="module")
def explanation(trained: Path, clip: Path) -> Explanation:
    return explain(clip, load_policy(trained), transcript=TRANSCRIPT)


def shown(explanation: Explanation) -> str:
    console = Console(file=io.StringIO(), width=100, color_system="standard", force_terminal=True, legacy_windows=False)
    console.print(render(explanation))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_clip_is_explained_and_every_claim_judged(explanation: Explanation, answer: str) -> None:
    """High is supported, low contradicted (240 Hz against 100 to 200), the quote stands in the transcript."""
    assert explanation.text == answer
    assert explanation.emotion is Emotion.ANGRY
    assert explanation.problem is None
    assert explanation.policy == PolicyCard("PAPER_9", "demo", synthetic=True, stage="grpo_ptr", seed=0)
    judged = [(claim.cue, claim.value, claim.verdict) for claim in explanation.claims]
    assert judged[0] == (Cue.PITCH, "high", Verdict.SUPPORTED)
    assert judged[1] == (Cue.PITCH, "low", Verdict.CONTRADICTED)
    assert (judged[2][0], judged[2][2]) == (Cue.QUOTE, Verdict.SUPPORTED)
    assert "240 Hz" in (explanation.claims[0].measured or "")


def test_without_a_transcript_quotes_cannot_be_verified(trained: Path, clip: Path) -> None:
    """There is nothing to check the quoted words against."""
    explanation = explain(clip, load_policy(trained))
    (quote,) = [claim for claim in explanation.claims if claim.cue is Cue.QUOTE]
    assert quote.verdict is Verdict.UNVERIFIABLE


def test_an_explanation_survives_json(explanation: Explanation) -> None:
    """`from_json` of `to_json` is the same record, and the JSON says that the policy knows synthetic speech only."""
    text = to_json(explanation)
    assert from_json(Explanation, text) == explanation
    assert json.loads(text)["policy"]["synthetic"] is True


def test_text_shows_emotion_claims_values_and_the_synthetic_origin(explanation: Explanation) -> None:
    """Green (32) for what is supported, bold red (1;31) for what is contradicted, in reasoning and table."""
    text = shown(explanation)
    assert "angry" in text
    assert "\x1b[32m✓ supported" in text
    assert "\x1b[1;31m✗ contradicted" in text
    assert "240 Hz" in text
    assert "Trained on synthetic speech only" in text
    real = dataclasses.replace(explanation, policy=dataclasses.replace(explanation.policy, synthetic=False))
    assert "synthetic" not in shown(real)


def test_an_unreadable_answer_is_shown_as_it_is(babbling: Path, clip: Path) -> None:
    """A random model does not write the tags: no emotion, reasoning or claim; the raw text kept, the reason said."""
    explanation = explain(clip, load_policy(babbling), max_new_tokens=12)
    assert explanation.emotion is None
    assert explanation.reasoning is None
    assert explanation.claims == ()
    assert explanation.text
    assert explanation.problem is not None
    assert "cannot be read" in explanation.problem
    text = shown(dataclasses.replace(explanation, text="loud, fast: angry"))
    assert "no emotion" in text
    assert "loud, fast: angry" in text


@pytest.mark.parametrize(
    ("text", "emotion", "problem", "reasoning"),
    [
        ("<think>Low.</think><answer>sad</answer>", Emotion.SAD, None, "Low."),
        ("<think>Low.</think><answer>Sadness", Emotion.SAD, "off its form: text is not", "Low."),
        ("Low.</think>It is sad.", Emotion.SAD, "off its form: text is not", "Low."),
        ("<think>Low.</think><answer>sad or happy</answer>", None, "names more than one label of SAD_OR_HAPPY", "Low."),
        ("<think>Low.</think><answer>purple</answer>", None, "'purple' is not a label of SAD_OR_HAPPY", "Low."),
        ("<think>Low.", None, "cannot be read: text is not", "Low."),
    ],
)
def test_what_a_policy_said_is_read_as_far_as_it_goes(
    text: str, emotion: Emotion | None, problem: str | None, reasoning: str
) -> None:
    """Texts as policies write them, read by hand."""
    found = interpret_response(text, SAD_OR_HAPPY)
    assert (found[0], found[2]) == (emotion, reasoning)
    assert found[1] is None if problem is None else problem in str(found[1])


def test_an_answer_outside_the_label_set_keeps_its_reasoning(trained: Path, clip: Path) -> None:
    """The policy answers "angry" to this question too (`conftest.trained`), but the set has only sad and happy."""
    explanation = explain(clip, dataclasses.replace(load_policy(trained), label_set=SAD_OR_HAPPY))
    assert explanation.emotion is None
    assert explanation.problem == "the answer 'angry' is not a label of SAD_OR_HAPPY"
    assert explanation.reasoning is not None
    assert len(explanation.claims) == 3
    assert "no emotion" in shown(explanation)


def test_sampling_follows_the_seed(babbling: Path, clip: Path) -> None:
    """At temperature 1 the same seed writes the same answer; among five seeds of a random model answers differ."""
    policy = load_policy(babbling)

    def sampled(seed: int) -> str:
        return explain(clip, policy, temperature=1.0, seed=seed, max_new_tokens=8).text

    assert sampled(3) == sampled(3)
    assert len({sampled(seed) for seed in range(5)}) > 1


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(RATE, dtype=np.float32), "no signal above"),
        (np.full(RATE // 100, 0.1, dtype=np.float32), "shorter than 0.1 s"),
    ],
    ids=["silence", "10 ms"],
)
def test_clips_without_speech_are_refused(babbling: Path, tmp_path: Path, samples: np.ndarray, message: str) -> None:
    """What `prosody` notes about a clip that it cannot measure is the reason given."""
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    with pytest.raises(ClipError, match=rf"a\.wav: .*{message}"):
        explain(tmp_path / "a.wav", load_policy(babbling))


def test_a_clip_longer_than_the_model_takes_is_refused(babbling: Path, clip: Path, tmp_path: Path) -> None:
    """The clip repeated to 31 s: over the encoder's 30 s."""
    soundfile.write(tmp_path / "long.wav", np.resize(load_audio(clip).samples, 31 * RATE), RATE)
    with pytest.raises(AudioError, match=r"long\.wav: .*30 s"):
        explain(tmp_path / "long.wav", load_policy(babbling))


def test_an_answer_longer_than_the_model_takes_is_refused(babbling: Path, clip: Path) -> None:
    """The pocket model takes 4096 tokens, the clip's among them."""
    with pytest.raises(ClipError, match=r"and 4096 new ones pass the model's 4096: cut the clip or lower max_new"):
        explain(clip, load_policy(babbling), max_new_tokens=4096)


def test_folders_without_a_whole_checkpoint_are_refused(babbling: Path, tmp_path: Path) -> None:
    """Each damage is named with what was expected and what was found."""

    def damaged(name: str, text: str | None) -> Path:
        folder = tmp_path / f"{name}-{len(list(tmp_path.iterdir()))}"
        shutil.copytree(babbling, folder)
        if text is None:
            (folder / name).unlink()
        else:
            (folder / name).write_text(text)
        return folder

    other = json.dumps({"model_type": "bert", "architectures": ["BertModel"]})
    card = {"label_set": "PAPER_9", "corpus": "demo", "stage": "sft", "synthetic": True}
    cases = [
        (tmp_path / "nowhere", "no such folder; expected a policy checkpoint with config.json"),
        (damaged("model.safetensors", None), r"lacks model.safetensors; found README.md, checkpoint.json, config.json"),
        (damaged("scale.json", None), "lacks scale.json"),
        (damaged("config.json", other), "expected architecture qwen2_5_omni_thinker, found bert"),
        (damaged("policy.json", "not json"), "policy.json: not JSON"),
        (damaged("policy.json", "[]"), "PolicyCard must be a JSON object, got \\[\\]"),
        (damaged("policy.json", json.dumps(card | {"synthetic": "yes"})), "synthetic must be true or false, got 'yes'"),
        (damaged("policy.json", json.dumps(card | {"label_set": "MOODS"})), "label set 'MOODS' is none of PAPER_9"),
        (damaged("scale.json", "{}"), "scale.json: not a level scale"),
        (damaged("model.safetensors", "no weights"), "weights cannot be loaded"),
    ]
    for folder, message in cases:
        with pytest.raises(CheckpointError, match=message):
            load_policy(folder)


def test_command_prints_json_lines_and_goes_on_after_bad_files(trained: Path, clip: Path, tmp_path: Path) -> None:
    """Two good files among a missing one, text named .wav and silence: two lines out, three complaints, status 1."""
    fake, silent, missing = tmp_path / "fake.wav", tmp_path / "silent.wav", tmp_path / "missing.wav"
    fake.write_text("no sound")
    soundfile.write(silent, np.zeros(RATE), RATE)
    stereo = tmp_path / "stereo8k.wav"
    mono = soundfile.read(clip)[0][::2]
    soundfile.write(stereo, np.stack([mono, mono], axis=1), RATE // 2)
    files = [str(path) for path in (missing, clip, fake, silent, stereo)]
    result = CliRunner().invoke(app, ["explain", *files, "--checkpoint", str(trained), "--json"])
    assert result.exit_code == 1
    assert [from_json(Explanation, line).source for line in result.stdout.splitlines()] == [str(clip), str(stereo)]
    complaints = result.stderr.splitlines()
    assert len(complaints) == 3
    for path, line in zip((missing, fake, silent), complaints, strict=True):
        assert str(path) in line


def test_command_prints_text_for_people(trained: Path, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the checkpoint from the environment; status 0, nothing but the explanation on stdout."""
    monkeypatch.setenv("EMOTIONTHINKER_CHECKPOINT", str(trained))
    result = CliRunner().invoke(app, ["explain", str(clip), "--transcript", TRANSCRIPT])
    assert result.exit_code == 0, result.stderr
    for phrase in ("angry", "supported", "contradicted", "240 Hz", "synthetic speech"):
        assert phrase in result.stdout


def test_command_without_a_checkpoint_says_how_to_get_one(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty folder and no variable: status 2, one line, and the two ways with their commands."""
    monkeypatch.delenv("EMOTIONTHINKER_CHECKPOINT", raising=False)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["explain", str(clip)])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("explainer: no checkpoint: give --checkpoint or set EMOTIONTHINKER_CHECKPOINT")
    for words in ("make demo", "runs/demo/demo/sft", "hf download openai/whisper-base", "speechlm restore models/"):
        assert words in result.stderr


def test_a_file_without_a_scale_is_refused_before_the_model_is_loaded(clip: Path, tmp_path: Path) -> None:
    """No checkpoint is given either: the scale is named first, with status 2."""
    (tmp_path / "scale.json").write_text("{}")
    result = CliRunner().invoke(app, ["explain", str(clip), "--scale", str(tmp_path / "scale.json")])
    assert result.exit_code == 2
    assert "not a level scale" in result.stderr


def test_command_reads_energy_against_a_scale(trained: Path, clip: Path) -> None:
    """The checkpoint's own scale, as for a clip of its corpus; a transcript whose bytes are not UTF-8 is no traceback.

    All tones of that scale have one level, so the reading stays empty; the scale's name is printed all the same.
    """
    words = ["explain", str(clip), "--checkpoint", str(trained), "--scale", str(trained / "scale.json")]
    result = CliRunner().invoke(app, [*words, "--transcript", "Leave \udce0 it", "--json"])
    assert result.exit_code == 0, result.stderr
    explanation = from_json(Explanation, result.stdout)
    assert explanation.levels.scale == "tones"
    assert explanation.transcript == "Leave � it"


@pytest.mark.parametrize(
    ("told", "given", "said"),
    [
        (Gender.MALE, None, "the male voices of the scale both (by the sound, confidence 0.93)."),
        (Gender.MALE, Gender.FEMALE, "the female voices of the scale both (the gender was given)."),
        (
            None,
            None,
            "all voices of the scale both (the sound does not tell the gender with confidence; --gender does).",
        ),
    ],
)
def test_pitch_is_read_as_in_training(
    trained: Path, clip: Path, monkeypatch: pytest.MonkeyPatch, *, told: Gender | None, given: Gender | None, said: str
) -> None:
    """Training reads pitch against the gender that the corpus or else the sound tells; so is it here, and said."""
    measured = measure_file(clip)
    profile = dataclasses.replace(measured.profile, gender=told, gender_confidence=0.93 if told else None)
    monkeypatch.setattr(
        "explainer.explanation.measure_file", lambda *_args, **_kwargs: dataclasses.replace(measured, profile=profile)
    )
    scale = LevelScale.fit([(profile, gender) for gender in Gender for _ in range(20)], name="both")
    assert set(scale.groups["pitch"]) >= {"pooled", "female", "male"}
    explanation = explain(clip, dataclasses.replace(load_policy(trained), scale=scale), gender=given)
    assert explanation.levels.pitch is not None
    assert explanation.levels.pitch.group == (given or told or "pooled")
    assert basis(explanation)[0] == f"Pitch: read against {said}"
    assert basis(explanation)[1] == "Rate: read against all voices of the scale both."


def test_a_scale_without_the_voice_is_said(trained: Path, clip: Path) -> None:
    """The scale of the policy has 21 clips without a gender: a woman's pitch is read against all of them."""
    explanation = explain(clip, load_policy(trained), gender=Gender.FEMALE)
    assert "all voices of the scale tones (the scale has too few female voices for a group" in basis(explanation)[0]


def test_energy_is_read_against_a_scale_of_the_same_recordings_only(trained: Path, clip: Path) -> None:
    """The clip's level lies above twenty that are 6 to 25 dB quieter: high against them; without `scale` no level is
    read, whatever the scale of the policy holds, and a claim about it can be neither right nor wrong.
    """
    profile = measure_file(clip).profile
    assert profile.energy_dbfs is not None
    quieter = [dataclasses.replace(profile, energy_dbfs=profile.energy_dbfs - db) for db in range(6, 26)]
    scale = LevelScale.fit([(p, None) for p in quieter], name="quieter")
    policy = dataclasses.replace(load_policy(trained), scale=scale)
    assert explain(clip, policy).levels.energy is None
    assert basis(explain(clip, policy))[2].startswith("Energy: not read. It depends on microphone and gain")
    energy = explain(clip, policy, scale=scale).levels.energy
    assert energy is not None
    assert energy.level is Level.HIGH
    verdicts = [
        verify("The energy is low.", profile, explain(clip, policy, scale=given).levels, None)[0].verdict
        for given in (None, scale)
    ]
    assert verdicts == [Verdict.UNVERIFIABLE, Verdict.CONTRADICTED]


def test_stressed_words_are_measured_where_an_english_transcript_is_given(
    trained: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words spread evenly over the tone, which has none to align, give a list; none is looked for without a transcript
    or in German. Words that pocketsphinx does not find are a note, not an error. Speech: `tests/test_pipeline.py`.
    """
    policy = load_policy(trained)
    unfound = explain(clip, policy, transcript=TRANSCRIPT)
    assert "the words were not found" in basis(unfound)[3]
    assert any("stressed words unknown: pocketsphinx placed 0 of 5 words" in sentence for sentence in basis(unfound))
    monkeypatch.setattr("explainer.explanation.STRESS", AcousticProminence(EvenSpread()))
    stressed = explain(clip, policy, transcript=TRANSCRIPT)
    assert stressed.profile.stressed_words is not None
    assert (
        basis(stressed)[3] == f"Stressed words: {', '.join(w.word for w in stressed.profile.stressed_words) or 'none'}."
    )
    for other in (explain(clip, policy), explain(clip, policy, transcript="Der Lappen", language="de-DE")):
        assert other.profile.stressed_words is None
        assert "not measured" in basis(other)[3]


def test_probabilities_are_of_the_labels_alone(explanation: Explanation, babbling: Path, clip: Path) -> None:
    """One for each label of the set, in its order, which sum to 1; "angry", which was learnt, leads by far. A random
    model, to which any text is as likely as a label, has none, and that is said.
    """
    assert list(explanation.probabilities) == [PAPER_9.text(label) for label in PAPER_9.labels]
    assert sum(explanation.probabilities.values()) == pytest.approx(1.0)
    assert explanation.probabilities["angry"] > 0.5
    assert "Asked for the label alone: angry" in shown(explanation)
    unlearnt = explain(clip, load_policy(babbling), max_new_tokens=1)
    assert unlearnt.probabilities == {}
    assert "never learnt" in shown(unlearnt)


def test_an_8_khz_file_is_measured_at_its_own_rate(trained: Path, clip: Path, tmp_path: Path) -> None:
    """At 8 kHz `prosody` withholds the speaker's gender and says so; the model still gets 16 kHz and answers."""
    path = tmp_path / "telephone.wav"
    soundfile.write(path, resample(load_audio(clip).samples, RATE, RATE // 2), RATE // 2)
    result = CliRunner().invoke(app, ["explain", str(path), "--checkpoint", str(trained), "--json"])
    assert result.exit_code == 0, result.stderr
    explanation = from_json(Explanation, result.stdout)
    assert explanation.profile == measure_file(path).profile
    assert (explanation.profile.sample_rate, explanation.profile.gender) == (RATE // 2, None)


@pytest.mark.parametrize("name", ["modal\udce0.wav", "missing\udce0.wav"])
def test_a_file_name_that_is_not_utf8_is_no_traceback(trained: Path, clip: Path, tmp_path: Path, name: str) -> None:
    """A Latin-1 name, of a clip and of no file: one explanation or one line, the byte shown as `�`."""
    if name.startswith("modal"):
        shutil.copy(clip, tmp_path / name)
    result = CliRunner().invoke(app, ["explain", str(tmp_path / name), "--checkpoint", str(trained), "--json"])
    shown_name = name.replace("\udce0", "�")
    if name.startswith("modal"):
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["source"].endswith(shown_name)
    else:
        assert result.exit_code == 1
        (line,) = result.stderr.splitlines()
        assert "o such file" in line


def test_one_transcript_for_two_files_is_refused(clip: Path) -> None:
    """It can be the words of one of them only."""
    result = CliRunner().invoke(app, ["explain", str(clip), str(clip), "--transcript", TRANSCRIPT])
    assert result.exit_code == 2
    assert "one transcript cannot serve 2 files" in result.stderr


def test_model_text_cannot_steer_the_terminal(explanation: Explanation) -> None:
    """An escape sequence in what the model wrote, in its claims or in a file name reaches the terminal as `�`."""
    attack = "\x1b]0;title\x07high"
    hostile = dataclasses.replace(
        explanation,
        source=attack,
        reasoning=attack,
        claims=(Claim(0, len(attack), attack, Cue.PITCH, "high", Verdict.SUPPORTED, attack),),
    )
    text = shown(hostile)
    assert "\x1b]" not in text
    assert "\x07" not in text
    assert text.count("�]0;title�high") == 4
