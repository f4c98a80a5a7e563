"""Small generated trees in the layout of each published corpus: labels, speakers, splits, what is dropped and missing.

Expected values come from the layouts and codes that the publishers describe; the modules' docstrings cite them.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

import speech_corpora as corpora
from speech_corpora import CorpusError, cli
from speech_corpora.checking import folds as folds_by
from speech_corpora.checking import label_counts
from speech_records import EMOVO_7, IEMOCAP_4, Emotion, Gender, Utterance, read_jsonl


def touch(root: Path, *names: str) -> Path:
    """Empty files: loaders never open a sound."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def write(root: Path, name: str, *lines: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments])
    return result.exit_code, result.stdout, result.stderr


def iemocap(root: Path) -> Path:
    """One dialogue a session: a man's and a woman's utterance, one `xxx`, and a file of another system."""
    for n in range(1, 6):
        dialogue = f"Ses0{n}F_impro05"
        folder = f"Session{n}/dialog/EmoEvaluation"
        write(
            root,
            f"{folder}/{dialogue}.txt",
            "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]",
            "",
            f"[6.2901 - 8.2357]\t{dialogue}_F019\tang\t[2.5000, 2.5000, 2.5000]",
            "C-E2:\tNeutral;\t()",
            f"[10.0 - 11.3]\t{dialogue}_M001\texc\t[2.5000, 2.5000, 2.5000]",
            f"[14.8 - 18.0]\t{dialogue}_M002\txxx\t[2.5000, 3.0000, 2.5000]",
        )
        write(root, f"{folder}/._{dialogue}.txt", "[0.0 - 1.0]\tjunk\tang\t[1, 1, 1]")
        write(
            root,
            f"Session{n}/dialog/transcriptions/{dialogue}.txt",
            f"{dialogue}_F019 [006.2901-008.2357]: Clearly.  You know?",
            "M: not a line of its own",
        )
        touch(root, *(f"Session{n}/sentences/wav/{dialogue}/{dialogue}_{who}.wav" for who in ("F019", "M001")))
    return root


def test_iemocap_takes_the_speaker_from_the_end_of_the_name(tmp_path: Path) -> None:
    """In a dialogue named for F, M001 is spoken by the man; excited counts as happy in the four classes."""
    listing = corpora.load("iemocap", iemocap(tmp_path))
    woman, man = listing.utterances[:2]
    assert (woman.speaker_id, woman.gender, woman.emotion) == ("Ses01F", Gender.FEMALE, Emotion.ANGRY)
    assert woman.transcript == "Clearly.  You know?"
    assert woman.audio_path == "Session1/sentences/wav/Ses01F_impro05/Ses01F_impro05_F019.wav"
    assert (man.speaker_id, man.gender, man.transcript) == ("Ses01M", Gender.MALE, None)
    assert (listing.dropped, listing.rejected) == ((("label xxx", 5),), ())
    assert label_counts(listing.utterances, IEMOCAP_4).kept == {"angry": 5, "happy": 5}


def test_iemocap_folds_are_its_sessions(tmp_path: Path) -> None:
    """Two speakers talk to each other in a session, so both are held out together."""
    folds = list(corpora.folds("iemocap", corpora.load("iemocap", iemocap(tmp_path)).utterances))
    assert [f.held_out for f in folds] == [(f"Ses0{n}",) for n in range(1, 6)]
    assert all(len(f.train) == 8 and {u.speaker_id[:5] for u in f.test} == set(f.held_out) for f in folds)


def test_iemocap_speakers_who_talk_to_each_other_test_together(tmp_path: Path) -> None:
    """A split by named speakers must not tear a session apart."""
    root, out = iemocap(tmp_path), tmp_path / "split.jsonl"
    with pytest.raises(CorpusError, match="'Ses01M' talks with a speaker that tests: name both"):
        cli.manifest("iemocap", root, out=out, test_speakers="Ses01F")
    assert run("manifest", "iemocap", root, "-o", out, "--test-speakers", "Ses01F,Ses01M")[0] == 0
    assert {u.speaker_id for u in read_jsonl(out, Utterance) if u.split == "test"} == {"Ses01F", "Ses01M"}


def test_iemocap_names_missing_audio_and_unknown_labels(tmp_path: Path) -> None:
    """A label file that names a clip that is not there, and a code that IEMOCAP does not have."""
    iemocap(tmp_path)
    (tmp_path / "Session1/sentences/wav/Ses01F_impro05/Ses01F_impro05_F019.wav").unlink()
    write(
        tmp_path, "Session2/dialog/EmoEvaluation/b.txt", "[1.0 - 2.0]\tSes02F_impro06_F001\tjoy\t[1, 1, 1]", "[broken"
    )
    rejected = {r.id: r.message for r in corpora.load("iemocap", tmp_path).rejected}
    assert list(rejected) == [
        "Session1/dialog/EmoEvaluation/Ses01F_impro05.txt:3",
        "Session2/dialog/EmoEvaluation/b.txt:1",
        "Session2/dialog/EmoEvaluation/b.txt:2",
    ]
    missing, unknown, broken = rejected.values()
    assert "Ses01F_impro05_F019 (.wav or .flac) is missing" in missing
    assert "label 'joy'; known are ang, hap" in unknown
    assert "between tabs" in broken


def test_meld_reads_its_splits_and_drops_its_broken_clips(tmp_path: Path) -> None:
    """train dia125_utt3 is published broken; \\x92 is a Windows apostrophe read as Latin-1."""
    heading = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"
    write(
        tmp_path,
        "train_sent_emo.csv",
        heading,
        '1,"It\x92s me, Chandler",Chandler,joy,positive,0,0,8,21,"00:16:16,059","00:16:21,731"',
        "2,Broken,Joey,anger,negative,125,3,1,1,a,b",
        "3,Missing,Joey,anger,negative,7,7,1,1,a,b",
        "4,No number,Joey,anger,negative,x,7,1,1,a,b",
    )
    write(tmp_path, "test_sent_emo.csv", heading, "1,Why?,Phoebe,surprise,positive,0,0,8,21,a,b")
    touch(tmp_path, "train_splits/dia0_utt0.mp4", "output_repeated_splits_test/dia0_utt0.mp4")
    touch(tmp_path, "output_repeated_splits_test/dia0_utt0.wav")
    listing = corpora.load("meld", tmp_path)
    first, second = listing.utterances
    assert (first.utterance_id, first.split, first.emotion) == ("train_dia0_utt0", "train", Emotion.HAPPY)
    assert (first.transcript, first.speaker_id) == ("It’s me, Chandler", "Chandler")
    assert first.audio_path == "train_splits/dia0_utt0.mp4"
    assert (second.utterance_id, second.audio_path) == (
        "test_dia0_utt0",
        "output_repeated_splits_test/dia0_utt0.wav",
    )
    assert listing.dropped == (("clip is broken as published", 1),)
    assert [r.id for r in listing.rejected] == ["train_sent_emo.csv:4", "train_sent_emo.csv:5"]


def test_expresso_reads_styles_and_ranges(tmp_path: Path) -> None:
    """A longform file shared by three splits as published: seconds with an `s`, open at either end."""
    base, long = "ex01_happy_00001", "ex02_default_longform_00001"
    touch(
        tmp_path,
        f"audio_48khz/read/ex01/happy/base/{base}.wav",
        "audio_48khz/read/ex01/enunciated/base/ex01_enunciated_00001.wav",
        f"audio_48khz/read/ex02/default/longform/{long}.wav",
        "audio_48khz/read/ex02/default/base/ex01_default_00001.wav",
    )
    write(tmp_path, "read_transcriptions.txt", f"{base}\tWhat a day!", f"{long}\tOnce upon a time.")
    write(tmp_path, "splits/train.txt", "# what the lines mean", base, f"{long}\t(28.14s,)")
    write(tmp_path, "splits/dev.txt", f"{long}\t(,14.07s)")
    write(tmp_path, "splits/test.txt", f"{long} (14.07, 28.14)", "a b c", f"{long}\t(2s,1s)", f"{long}\t(1.2.3s,)")
    listing = corpora.load("expresso", tmp_path)
    happy, train, dev, test = listing.utterances
    assert (happy.emotion, happy.transcript, happy.split) == (Emotion.HAPPY, "What a day!", "train")
    assert (happy.start_s, happy.end_s, happy.channel) == (None, None, None)
    assert (train.utterance_id, train.start_s, train.end_s) == (f"{long}_28.14_end", 28.14, None)
    assert (dev.utterance_id, dev.start_s, dev.end_s) == (f"{long}_0.00_14.07", 0.0, 14.07)
    assert (test.start_s, test.end_s, test.split, test.transcript) == (14.07, 28.14, "test", None)
    assert {u.emotion for u in (train, dev, test)} == {Emotion.NEUTRAL}
    assert dict(listing.dropped) == {"style enunciated": 1}
    assert [r.id for r in listing.rejected] == [
        "splits/test.txt:2",
        "splits/test.txt:3",
        "splits/test.txt:4",
        "audio_48khz/read/ex02/default/base/ex01_default_00001.wav",
    ]


def test_expresso_cuts_conversations_by_channel_speech_and_split(tmp_path: Path) -> None:
    """Left is the first speaker and the first style. Speech over the border of two splits is cut there, 36 s of it into
    15, 15 and 6 s, and 0.3 s dropped.
    """
    sad, angry = "ex03-ex02_sad-sympathetic_003", "ex04-ex02_angry_003"
    folder = "audio_48khz/conversational"
    touch(tmp_path, f"{folder}/ex03-ex02/sad-sympathetic/{sad}.wav", f"{folder}/ex04-ex02/angry/{angry}.wav")
    write(tmp_path, "splits/train.txt", sad, f"{angry}\t(60.0s,)")
    write(tmp_path, "splits/test.txt", f"{angry}\t(,60.0s)")
    write(
        tmp_path,
        "VAD_segments.txt",
        "#MODEL: one that hears speech",
        f"{sad}/channel1\t(0.49, 1.09) (2.16, 2.46) (4.0, 40.0)",
        f"{sad}/channel2\t(1.2, 2.0)",
        f"{angry}/channel1\t(55.5, 63.25)",
        f"{angry}/channel2\t(64.0, 66.0)",
    )
    listing = corpora.load("expresso", tmp_path)
    found = [(u.speaker_id, u.channel, u.start_s, u.end_s, u.split) for u in listing.utterances]
    assert found == [
        ("ex03", 0, 0.49, 1.09, "train"),
        ("ex03", 0, 4.0, 19.0, "train"),
        ("ex03", 0, 19.0, 34.0, "train"),
        ("ex03", 0, 34.0, 40.0, "train"),
        ("ex04", 0, 60.0, 63.25, "train"),
        ("ex02", 1, 64.0, 66.0, "train"),
        ("ex04", 0, 55.5, 60.0, "test"),
    ]
    assert listing.utterances[-1].utterance_id == f"{angry}_channel1_55.50_60.00"
    assert [u.emotion for u in listing.utterances] == [Emotion.SAD] * 4 + [Emotion.ANGRY] * 3
    assert dict(listing.dropped) == {"speech shorter than 0.5 s": 1, "style sympathetic": 1}
    assert listing.rejected == ()


def test_expresso_rejects_conversations_that_nobody_can_cut(tmp_path: Path) -> None:
    """A speaker without a line, lines that are no segments, a folder of three; singing is dropped for its style."""
    folder, talk = "audio_48khz/conversational", "ex01-ex02_default_001"
    touch(
        tmp_path,
        f"{folder}/ex01-ex02/default/{talk}.wav",
        f"{folder}/ex01-ex02-ex03/calm/ex01-ex02-ex03_calm_001.wav",
        f"{folder}/ex01-ex02/calm/ex01-ex02_happy_001.wav",
        f"{folder}/ex01/singing/ex01_singing_001.wav",
    )
    write(
        tmp_path,
        "VAD_segments.txt",
        f"{talk}/channel1\t(23.88, 28.14)",
        f"{talk}/channel2\t(0.0 23.76)",
        f"{talk}/channel2\t(23.76, 0.0)",
    )
    listing = corpora.load("expresso", tmp_path)
    (only,) = listing.utterances
    assert (only.speaker_id, only.channel, only.split, only.emotion) == ("ex01", 0, None, Emotion.NEUTRAL)
    assert dict(listing.dropped) == {"style singing": 1}
    rejected = {r.id: r.message for r in listing.rejected}
    assert list(rejected) == [
        "VAD_segments.txt:2",
        "VAD_segments.txt:3",
        f"{folder}/ex01-ex02/calm/ex01-ex02_happy_001.wav",
        f"{folder}/ex01-ex02/default/{talk}.wav",
        f"{folder}/ex01-ex02-ex03/calm/ex01-ex02-ex03_calm_001.wav",
    ]
    assert "a segment ends before it starts" in rejected["VAD_segments.txt:3"]
    assert f"no line of '{talk}/channel2': when ex02 speaks" in rejected[f"{folder}/ex01-ex02/default/{talk}.wav"]


def test_mead_reads_speaker_emotion_and_level(tmp_path: Path) -> None:
    """W is a woman; neutral has level 1 only."""
    touch(
        tmp_path,
        "M003/audio/disgusted/level_3/001.m4a",
        "W009/audio/neutral/level_1/001.m4a",
        "W009/audio/neutral/level_2/001.m4a",
        "W009/audio/bored/level_1/001.m4a",
    )
    listing = corpora.load("mead", tmp_path)
    man, woman = listing.utterances
    assert (man.utterance_id, man.gender, man.emotion) == ("M003_disgusted_3_001", Gender.MALE, Emotion.DISGUST)
    assert (woman.gender, woman.emotion, woman.audio_path) == (
        Gender.FEMALE,
        Emotion.NEUTRAL,
        "W009/audio/neutral/level_1/001.m4a",
    )
    reasons = [r.message for r in listing.rejected]
    assert "emotion 'bored'" in reasons[0]
    assert "level 1 only" in reasons[1]


def test_ears_reads_its_spellings_and_splits(tmp_path: Path) -> None:
    """`extasy` is excitement, `embarassment` no emotion of ours; p099 trains, p101 is dev, p102 tests."""
    touch(
        tmp_path,
        "p099/emo_extasy_freeform.wav",
        "p099/emo_embarassment_sentences.wav",
        "p101/emo_anger_sentences.wav",
        "p102/rainbow_01_whisper.wav",
        "p102/rainbow_01_fast.wav",
        "p108/emo_anger_sentences.wav",
    )
    write(tmp_path, "transcripts.json", json.dumps({"emo_anger_sentences": "Stop that."}))
    write(tmp_path, "speaker_statistics.json", json.dumps({"p101": {"age": "36-45", "gender": "female"}}))
    listing = corpora.load("ears", tmp_path)
    joy, anger, whisper = listing.utterances
    assert (joy.emotion, joy.transcript, joy.split, joy.gender) == (Emotion.EXCITED, None, "train", None)
    assert (anger.emotion, anger.transcript, anger.split) == (Emotion.ANGRY, "Stop that.", "dev")
    assert (anger.gender, anger.age_group) == (Gender.FEMALE, "Middle-aged")
    assert (whisper.emotion, whisper.split) == (Emotion.WHISPER, "test")
    assert dict(listing.dropped) == {"emotion embarassment": 1, "no emotion label": 1}
    assert "p108" in listing.rejected[0].message


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_ears_refuses_a_broken_table(tmp_path: Path, text: str) -> None:
    """Without its texts the whole corpus would silently be read as untranscribed."""
    write(touch(tmp_path, "p001/emo_anger_sentences.wav"), "transcripts.json", text)
    with pytest.raises(CorpusError, match=r"transcripts\.json"):
        corpora.load("ears", tmp_path)


def test_msp_podcast_reads_letters_and_splits(tmp_path: Path) -> None:
    """U is surprise, X no agreement; a name with a folder in it is refused before the disk is asked."""
    write(
        tmp_path,
        "Labels/labels_consensus.csv",
        "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set",
        "MSP-PODCAST_0001_0001.wav,U,5,4,5,127,Female,Development",
        "MSP-PODCAST_0001_0002.wav,X,5,4,5,127,Female,Train",
        "MSP-PODCAST_0001_0003.wav,A,5,4,5,127,Female,Train",
        "../secret.wav,A,5,4,5,127,Female,Train",
        "MSP-PODCAST_0001_0004.wav,Q,5,4,5,127,Female,Train",
        "MSP-PODCAST_0001_0005.wav,A,5,4,5,127,Female,Sometimes",
    )
    touch(tmp_path, "Audios/MSP-PODCAST_0001_0001.wav")
    write(tmp_path, "Transcripts/MSP-PODCAST_0001_0001.txt", "You did what?")
    listing = corpora.load("msp_podcast", tmp_path)
    (only,) = listing.utterances
    assert (only.emotion, only.split, only.speaker_id) == (Emotion.SURPRISE, "dev", "127")
    assert (only.gender, only.transcript) == (Gender.FEMALE, "You did what?")
    assert listing.dropped == (("label X", 1),)
    reasons = [r.message for r in listing.rejected]
    expected = ("is missing", "bare file name", "'Q'; known are A", "'Sometimes'; known are Train")
    assert len(reasons) == len(expected)
    assert all(part in reason for part, reason in zip(expected, reasons, strict=True))


def test_savee_reads_both_layouts(tmp_path: Path) -> None:
    """`DC/sa01` and `KL_su15`: sadness and surprise, never anger and its s; all four speakers are men."""
    listing = corpora.load("savee", touch(tmp_path, "DC/sa01.wav", "KL_su15.wav", "JE/x01.wav", "KL/su15.wav"))
    surprise, sad = listing.utterances
    assert (surprise.utterance_id, surprise.emotion) == ("KL_su15", Emotion.SURPRISE)
    assert (sad.utterance_id, sad.emotion, sad.gender) == ("DC_sa01", Emotion.SAD, Gender.MALE)
    assert ["JE/x01.wav" in listing.rejected[0].message, "already given" in listing.rejected[1].message] == [True, True]


def test_cremad_reads_codes_and_demographics(tmp_path: Path) -> None:
    """Codes of the file name; one clip is published with the intensity `X`; sex from the table beside the folder."""
    touch(tmp_path, "AudioWAV/1001_DFA_ANG_XX.wav", "AudioWAV/1040_ITH_SAD_X.wav", "AudioWAV/1001_DFA_JOY_XX.wav")
    write(tmp_path, "VideoDemographics.csv", "ActorID,Age,Sex,Race,Ethnicity", "1001,51,Male,Caucasian,Not Hispanic")
    listing = corpora.load("cremad", tmp_path)
    angry, sad = listing.utterances
    assert (angry.emotion, angry.transcript, angry.gender) == (Emotion.ANGRY, "Don't forget a jacket.", Gender.MALE)
    assert (sad.speaker_id, sad.emotion, sad.gender) == ("1040", Emotion.SAD, None)
    assert (angry.age_group, sad.age_group) == ("Middle-aged", None)
    assert "emotion 'JOY'" in listing.rejected[0].message


NEMO = "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage"


def test_nemo_reads_the_published_layout(tmp_path: Path) -> None:
    """`data.tsv` pads speaker ids with blanks; 36 is middle-aged; no row, no transcript; a row, no file: named."""
    touch(tmp_path, "samples/SK0_surprised_3.wav", "samples/MP0_anger_1.wav", "samples/SK0_joy_3.wav")
    write(
        tmp_path,
        "data.tsv",
        NEMO,
        "SK0_surprised_3.wav\tsurprised\tCzy to ty?\tczy to ty\tSK0   \tfemale\t36",
        "SK0_fear_9.wav\tfear\tTo nie ja.\tto nie ja\tSK0   \tfemale\t36",
    )
    listing = corpora.load("nemo", tmp_path)
    angry, surprised = listing.utterances
    assert (surprised.utterance_id, surprised.emotion, surprised.speaker_id) == (
        "SK0_surprised_3", Emotion.SURPRISE, "SK0",
    )  # fmt: skip
    assert (surprised.transcript, surprised.language) == ("Czy to ty?", "pl")
    assert (surprised.gender, surprised.age_group, surprised.split) == (Gender.FEMALE, "Middle-aged", None)
    assert (angry.speaker_id, angry.emotion, angry.gender, angry.transcript) == ("MP0", Emotion.ANGRY, None, None)
    assert {r.id: r.message for r in listing.rejected} == {
        "samples/SK0_joy_3.wav": f"file 'SK0_joy_3.wav' has emotion 'joy'; known are {', '.join(NEMO_LABELS)}",
        "data.tsv:3": "clip 'SK0_fear_9' has no audio file in samples or wav",
    }


NEMO_LABELS = ("anger", "fear", "happiness", "neutral", "sadness", "surprised")


def test_nemo_reads_copies_with_a_table_of_their_own(tmp_path: Path) -> None:
    """`wav/*.flac` and `utterances.tsv`; a row that contradicts the file's name is an error."""
    touch(tmp_path, "wav/WR0_sadness_5.flac", "wav/WR0_sadness_6.flac")
    write(
        tmp_path,
        "utterances.tsv",
        "utterance\tspeaker\tgender\tage\temotion\ttext",
        "WR0_sadness_5\tWR0\tmale\t23\tsadness\tZima.",
        "WR0_sadness_6\tWR0\tmale\t23\tneutral\tLato.",
    )
    listing = corpora.load("nemo", tmp_path)
    (only,) = listing.utterances
    assert (only.transcript, only.gender, only.age_group) == ("Zima.", Gender.MALE, "Young Adult")
    assert [r.message for r in listing.rejected] == [
        "file 'WR0_sadness_6.flac' names emotion sadness, the table 'neutral'"
    ]


def test_nemo_without_its_table_says_so(tmp_path: Path) -> None:
    """Speaker and emotion are in the name."""
    listing = corpora.load("nemo", touch(tmp_path, "samples/WR0_neutral_5.wav"))
    assert (listing.utterances[0].emotion, listing.utterances[0].transcript) == (Emotion.NEUTRAL, None)
    assert [r.id for r in listing.rejected] == ["data.tsv"]


@pytest.mark.parametrize("folder", ["EMOVO/", ""])
def test_emovo_reads_codes_of_the_file_name(tmp_path: Path, folder: str) -> None:
    """Rabbia is anger, gioia joy, sorpresa surprise; the sentences as the publishers list them."""
    names = (
        "f1/rab-f1-b1",
        "f1/gio-f1-d2",
        "m3/sor-m3-n1",
        "m3/neu-m2-n1",
        "m3/xxx-m3-n1",
        "m3/neu-m3-z9",
        "m3/neu-m3",
    )
    listing = corpora.load("emovo", touch(tmp_path, *(f"{folder}{name}.wav" for name in names)))
    joy, angry, surprise = listing.utterances
    assert (angry.emotion, angry.speaker_id, angry.gender) == (Emotion.ANGRY, "f1", Gender.FEMALE)
    assert (angry.utterance_id, angry.audio_path) == ("rab-f1-b1", f"{folder}f1/rab-f1-b1.wav")
    assert (angry.transcript, angry.language) == ("Gli operai si alzano presto.", "it")
    assert (joy.emotion, joy.transcript) == (Emotion.HAPPY, "Porti con te quella cosa?")
    assert (surprise.emotion, surprise.gender, surprise.split) == (Emotion.SURPRISE, Gender.MALE, None)
    reasons = [r.message for r in listing.rejected]
    expected = ("names speaker m2 but is in 'm3'", "not EMOTION-SPEAKER-SENTENCE", "sentence 'z9'", "emotion 'xxx'")
    assert all(part in reason for part, reason in zip(expected, reasons, strict=True))


def test_emovo_codes_are_seven_emotions(tmp_path: Path) -> None:
    """dis gio neu pau rab sor tri: disgust, joy, neutral, fear, anger, surprise, sadness."""
    codes = dict(zip(["dis", "gio", "neu", "pau", "rab", "sor", "tri"], EMOVO_LABELS, strict=True))
    listing = corpora.load("emovo", touch(tmp_path, *(f"m1/{code}-m1-l1.wav" for code in codes)))
    assert {u.utterance_id[:3]: u.emotion for u in listing.utterances} == codes
    assert label_counts(listing.utterances, EMOVO_7).dropped == {}


EMOVO_LABELS = (
    Emotion.DISGUST, Emotion.HAPPY, Emotion.NEUTRAL, Emotion.FEAR, Emotion.ANGRY, Emotion.SURPRISE, Emotion.SAD,
)  # fmt: skip


def test_urdu_reads_folder_and_speaker(tmp_path: Path) -> None:
    """The speaker is before the first underscore, SM a man and SF a woman; the emotion is the folder."""
    touch(tmp_path, "Angry/SM1_F10_A010.wav", "Sad/SF10_F1_S01.wav", "Neutral/SM1_F2_N02.wav", "Happy/nobody.wav")
    listing = corpora.load("urdu", touch(tmp_path, "README.md", "Other/SM1_F1_O01.wav"))
    angry, _, sad = listing.utterances
    assert (angry.utterance_id, angry.emotion, angry.speaker_id) == ("SM1_F10_A010", Emotion.ANGRY, "SM1")
    assert (angry.gender, angry.language, angry.transcript) == (Gender.MALE, "ur", None)
    assert (sad.emotion, sad.speaker_id, sad.gender) == (Emotion.SAD, "SF10", Gender.FEMALE)
    assert [r.id for r in listing.rejected] == ["Happy/nobody.wav"]
    assert [f.held_out for f in corpora.folds("urdu", listing.utterances, 2)] == [("SF10",), ("SM1",)]


def clip(name: str, speaker: str) -> Utterance:
    return Utterance(name, "c", f"{name}.wav", speaker)


def test_folds_hold_every_speaker_out_once() -> None:
    """Sizes 5, 4, 3, 2, 1 in three folds, largest first to the emptiest: a | b+e | c+d, five clips each."""
    clips = [clip(f"{s}{i}", s) for s, n in zip("abcde", (5, 4, 3, 2, 1), strict=True) for i in range(n)]
    found = list(folds_by(clips, 3))
    assert [f.held_out for f in found] == [("a",), ("b", "e"), ("c", "d")]
    assert all(not {u.speaker_id for u in f.train} & {u.speaker_id for u in f.test} for f in found)
    assert Counter(u.utterance_id for f in found for u in f.test) == Counter(u.utterance_id for u in clips)
    for count in (1, 6):
        with pytest.raises(CorpusError, match="folds of 5 groups"):
            list(folds_by(clips, count))


def test_check_prints_recorded_figures_and_what_was_dropped(tmp_path: Path) -> None:
    """Ten of IEMOCAP's ten speakers but 10 of the 5 531 clips; nothing is recorded of the label histogram."""
    status, stdout, stderr = run("check", "iemocap", iemocap(tmp_path))
    lines = stdout.splitlines()
    assert status == 1
    assert {"speakers\t10\t10", "IEMOCAP_4\t10\t5531 DIFFERS", "label excited\t5\tnot recorded"} <= set(lines)
    assert "dropped: label xxx\t5" in lines
    assert "1 recorded counts differ" in stderr


def test_check_reads_published_rows(tmp_path: Path) -> None:
    """The release has no audio; its rows are counted by label, with `gt` for emotion as it sometimes has it."""
    row = {"audio_path": "a.wav", "transcript": "Hi.", "gt": "joy", "cot_analysis": "The pitch is high."}
    write(tmp_path, "rows.jsonl", json.dumps(row))
    status, stdout, _ = run("check", "emotioncot", tmp_path / "rows.jsonl")
    assert (status, stdout.splitlines()) == (0, ["rows\t1\tnot recorded", "label happy\t1\tnot recorded"])


def test_manifest_by_fold(tmp_path: Path) -> None:
    """Fold 2 of IEMOCAP tests on session 2, and what was dropped is said."""
    out = tmp_path / "out.jsonl"
    root = iemocap(tmp_path / "corpus")
    status, _, stderr = run("manifest", "iemocap", root, "-o", out, "--fold", "2/5")
    assert (status, "dropped 5: label xxx" in stderr) == (0, True)
    assert {u.speaker_id[:5] for u in read_jsonl(out, Utterance) if u.split == "test"} == {"Ses02"}


def test_gigaspeech_reads_segments_by_their_published_fields(tmp_path: Path) -> None:
    """Fields as in the release's GigaSpeech.json; a speaker that is N/A there is not known, so that a file is one."""
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "POD1.opus").write_bytes(b"")
    segments = [
        {"sid": "POD1_S0", "begin_time": 1.5, "end_time": 4.0, "text_tn": "DOUBLE IT <COMMA> HE SAID <PERIOD>",
         "speaker": "N/A", "subsets": ["{XL}", "{XS}"]},
        {"sid": "POD1_S1", "begin_time": 4.0, "end_time": 5.0, "text_tn": "<MUSIC>", "speaker": "N/A",
         "subsets": ["{TEST}"]},
        {"sid": "POD1_S2", "begin_time": 5.0, "end_time": 6.0, "text_tn": "WHY <QUESTIONMARK>", "speaker": "Ann",
         "subsets": ["{TEST}"]},
        {"sid": "POD1_S3", "begin_time": "soon", "end_time": 7.0, "text_tn": "SO", "subsets": []},
    ]  # fmt: skip
    gone = {"aid": "POD2", "path": "audio/POD2.opus", "segments": [segments[2] | {"sid": "POD2_S0"}]}
    audios = [{"aid": "POD1", "path": "audio/POD1.opus", "speaker": "N/A", "segments": segments}, gone, {"aid": "POD3"}]
    (tmp_path / "GigaSpeech.json").write_text(json.dumps({"dataset": "GigaSpeech", "audios": audios}))
    listing = corpora.load("gigaspeech", tmp_path)
    first, second = listing.utterances
    assert (first.utterance_id, first.start_s, first.end_s, first.split) == ("POD1_S0", 1.5, 4.0, "train")
    assert (first.transcript, first.speaker_id, first.emotion) == ("Double it, he said.", "POD1", None)
    assert (second.transcript, second.speaker_id, second.split) == ("Why?", "Ann", "test")
    assert dict(listing.dropped) == {"no speech: <MUSIC>": 1}
    reasons = " ".join(item.message for item in listing.rejected)
    assert "soon" in reasons
    assert "audio/POD2.opus is missing" in reasons
    assert "has no list of segments" in reasons
    assert len(listing.rejected) == 3
