"""Corpora on disk: layouts, codes and splits as their publishers describe them; what is bad is named and left out."""

from __future__ import annotations

import json
import os
import re
import wave
from pathlib import Path

import pytest

import speech_corpora as corpora
from speech_corpora import CorpusError
from speech_records import (
    CREMAD_6,
    EMODB_7,
    EMOVO_7,
    IEMOCAP_4,
    MELD_7,
    NEMO_6,
    PAPER_9,
    RAVDESS_8,
    SAVEE_7,
    URDU_4,
    Emotion,
    Gender,
)


def touch(root: Path, *names: str) -> Path:
    """Empty files: loaders read names only."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def manifest(root: Path, *lines: str | dict[str, object]) -> Path:
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    (root / "manifest.jsonl").write_text(text, encoding="utf-8")
    return root


def row(name: str, **fields: object) -> dict[str, object]:
    return {"utterance_id": name, "audio_path": f"{name}.wav", "speaker_id": "ann", "emotion": "happy"} | fields


def test_ravdess_reads_codes_of_the_file_name(tmp_path: Path) -> None:
    """Expected values from the file name key that RAVDESS publishes (emotion 06 fearful, even actors female)."""
    touch(tmp_path, "Actor_17/03-01-05-01-02-01-17.wav", "Actor_02/03-01-06-02-01-02-02.flac", "Actor_02/notes.txt")
    first, second = corpora.load("ravdess", tmp_path).utterances
    assert (first.utterance_id, first.audio_path) == ("03-01-06-02-01-02-02", "Actor_02/03-01-06-02-01-02-02.flac")
    assert (first.emotion, first.gender, first.split) == (Emotion.FEAR, Gender.FEMALE, "train")
    assert first.transcript == "Kids are talking by the door."
    assert (second.emotion, second.gender, second.split) == (Emotion.ANGRY, Gender.MALE, "test")
    assert (second.transcript, second.language) == ("Dogs are sitting by the door.", "en")
    assert first.age_group == "Young Adult"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Actor_01/hello.wav", "MM-VV-EE-II-SS-RR-AA"),
        ("Actor_01/03-01-09-01-01-01-01.wav", "emotion code '09'"),
        ("Actor_01/03-01-01-01-03-01-01.wav", "sentence code '03'"),
        ("Actor_01/03-02-01-01-01-01-01.wav", "only speech"),
        ("Actor_01/03-01-01-01-01-01-02.wav", "actor 02"),
    ],
)
def test_ravdess_rejects_what_its_key_does_not_explain(tmp_path: Path, name: str, reason: str) -> None:
    """Each name breaks one field of the key; the good file beside it is kept."""
    touch(tmp_path, name, "Actor_03/03-01-01-01-01-01-03.wav")
    listing = corpora.load("ravdess", tmp_path)
    assert [u.speaker_id for u in listing.utterances] == ["Actor_03"]
    assert [r.id for r in listing.rejected] == [name]
    assert reason in listing.rejected[0].message


def test_the_same_clip_in_two_formats_is_a_duplicate(tmp_path: Path) -> None:
    """One utterance id from two files: the first in order is kept, the second named with the first."""
    touch(tmp_path, "Actor_01/03-01-01-01-01-01-01.wav", "Actor_01/03-01-01-01-01-01-01.flac")
    listing = corpora.load("ravdess", tmp_path)
    assert [u.audio_path for u in listing.utterances] == ["Actor_01/03-01-01-01-01-01-01.flac"]
    assert "already given by Actor_01/03-01-01-01-01-01-01.flac" in listing.rejected[0].message


@pytest.mark.parametrize("folder", ["wav", "."])
def test_emodb_reads_codes_of_the_file_name(tmp_path: Path, folder: str) -> None:
    """Expected values from EmoDB's description (W Wut = anger; 08 a woman), with and without the wav folder."""
    touch(tmp_path, f"{folder}/08a01Wa.wav", f"{folder}/13b10Lb.flac", f"{folder}/99a01Wa.wav", f"{folder}/08a01Xa.wav")
    listing = corpora.load("emodb", tmp_path)
    first, second = listing.utterances
    assert (first.emotion, first.gender, first.split, first.language) == (Emotion.ANGRY, Gender.FEMALE, "train", "de")
    assert first.transcript == "Der Lappen liegt auf dem Eisschrank."
    assert (second.emotion, second.split, second.speaker_id) == (Emotion.BORED, "test", "13")
    assert (first.age_group, second.age_group) == ("Young Adult", "Young Adult")
    reasons = " ".join(r.message for r in listing.rejected)
    assert "speaker '99'" in reasons
    assert "emotion letter 'X'" in reasons


def test_emodb_knows_what_listeners_perceived_as_prominent(tmp_path: Path) -> None:
    """By hand: Lappen is spelled `la pen`; 2.4 is the most, 2.0 is within half of it, 1.8 is not. In the second clip
    the most prominent syllable ends after the file's one second, in the third none is prominent; the fourth has no row.
    """
    rated = {
        "03a01Fa": [("der", 0.4), ("la", 2.4), ("pen", 0.0), ("liegt", 1.8), ("auf", 0.1), ("dem", 0.2), ("eis", 2.0)],
        "03a01Nc": [("der", 0.4), ("la", 1.6), ("pen", 0.1), ("liegt", 0.4), ("auf", 0.1), ("dem", 0.1), ("eis", 2.9)],
        "03a01Wa": [("der", 0.4), ("la", 1.1), ("pen", 0.2), ("liegt", 0.8), ("auf", 0.2), ("dem", 0.2), ("eis", 1.4)],
    }
    rows = ["utterance,start_s,end_s,syllable,prominence"]
    for name, syllables in rated.items():
        for i, (syllable, prominence) in enumerate([*syllables, ("schrank", "")]):
            rows.append(f"{name},{0.18 * i:.2f},{0.18 * (i + 1):.2f},{syllable},{prominence}")
    (tmp_path / "wav").mkdir()
    (tmp_path / "syllables.csv").write_text("\n".join(rows))
    for name, seconds in (("03a01Fa", 2), ("03a01Nc", 1), ("03a01Wa", 2), ("03a02Fc", 2)):
        with wave.open(str(tmp_path / "wav" / f"{name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes(bytes(2 * 16_000 * seconds))
    found = corpora.load("emodb", tmp_path)
    assert [u.stressed_words for u in found.utterances] == [("lappen", "eisschrank"), None, None, None]
    assert found.rejected == ()


def test_manifest_reads_aliases_and_fills_in_what_a_person_leaves_out(tmp_path: Path) -> None:
    """`joy` is an alias of happy; schema_version and corpus are not asked of a hand-written line."""
    manifest(tmp_path, row("a", emotion="joy", split="test", transcript="At last!"), "", row("b", emotion=None))
    first, second = corpora.load("manifest", tmp_path).utterances
    assert (first.emotion, first.corpus, first.split) == (Emotion.HAPPY, "manifest", "test")
    assert second.emotion is None


def test_manifest_may_be_given_as_a_file(tmp_path: Path) -> None:
    """The root is then the file's folder."""
    path = manifest(tmp_path, row("a")) / "manifest.jsonl"
    assert corpora.load("manifest", path) == corpora.load("manifest", tmp_path)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (row("x", emotion="furious-ish"), "unknown emotion label 'furious-ish'"),
        (row("good"), "utterance_id 'good' was already given by manifest.jsonl:1"),
        (row("x", audio_path="../outside.wav"), "must be relative and stay inside"),
        (row("x", audio_path="/etc/passwd"), "must be relative and stay inside"),
        (row("x", audio_path="link/outside.wav"), "leads out of the corpus root"),
        (row("x", start_s="zero"), "start_s"),
        (row("x", colour="red"), "colour"),
        ({"utterance_id": "x", "audio_path": "x.wav"}, "speaker_id"),
        ('{"utterance_id": ', "line 2: not JSON"),
        ("[1, 2]", "line 2: a JSON object is needed, got list"),
        ("[" * 100_000, "line 2: not JSON"),
    ],
)
def test_manifest_rejects_a_bad_line_and_keeps_the_others(
    tmp_path: Path, line: str | dict[str, object], reason: str
) -> None:
    """The bad line is the second of three: where names it, the reason names what is wrong with it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "corpus"
    root.mkdir()
    (root / "link").symlink_to(outside)
    listing = corpora.load("manifest", manifest(root, row("good"), line, row("last")))
    assert [u.utterance_id for u in listing.utterances] == ["good", "last"]
    assert [r.id for r in listing.rejected] == ["manifest.jsonl:2"]
    assert reason in listing.rejected[0].message


def test_manifest_rejects_bytes_that_are_no_text(tmp_path: Path) -> None:
    """0xff never occurs in UTF-8."""
    manifest(tmp_path, row("good"))
    with (tmp_path / "manifest.jsonl").open("ab") as file:
        file.write(b"\xff\xfe\n")
    listing = corpora.load("manifest", tmp_path)
    assert len(listing.utterances) == 1
    assert "UTF-8" in listing.rejected[0].message


@pytest.mark.parametrize("name", list(corpora.CORPORA))
def test_a_missing_and_an_empty_root_are_errors(tmp_path: Path, name: str) -> None:
    """Neither may pass for a corpus of no utterances."""
    with pytest.raises(CorpusError, match="does not exist"):
        corpora.load(name, tmp_path / "nowhere")
    (tmp_path / "manifest.jsonl").touch()
    with pytest.raises(CorpusError, match="no usable utterance"):
        corpora.load(name, tmp_path)


def test_a_corpus_of_which_all_is_bad_says_the_first_reason(tmp_path: Path) -> None:
    touch(tmp_path, "Actor_01/a.wav", "Actor_01/b.wav")
    with pytest.raises(CorpusError, match=r"first of 2 rejected: Actor_01/a\.wav"):
        corpora.load("ravdess", tmp_path)


def test_an_unknown_corpus_is_an_error_that_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="known are demo, ravdess, emodb, manifest, iemocap"):
        corpora.load("rawdess", tmp_path)


def test_label_sets_of_the_corpora() -> None:
    """As the architecture pairs them."""
    expected = dict.fromkeys(corpora.CORPORA, PAPER_9) | {
        "ravdess": RAVDESS_8,
        "emodb": EMODB_7,
        "iemocap": IEMOCAP_4,
        "meld": MELD_7,
        "savee": SAVEE_7,
        "cremad": CREMAD_6,
        "nemo": NEMO_6,
        "emovo": EMOVO_7,
        "urdu": URDU_4,
    }
    assert {name: corpora.label_set(name) for name in corpora.CORPORA} == expected


def shared(name: str) -> Path:
    root = os.environ.get("EMOTIONTHINKER_SHARED")
    path = Path(root or ".") / "data" / name
    if root is None or not path.is_dir():
        pytest.skip(f"$EMOTIONTHINKER_SHARED/data/{name} is not here")
    return path


@pytest.mark.corpus
def test_real_ravdess() -> None:
    """1 200 of the 1 440 clips: 20 actors with 60 each, 4 of them neutral and 8 of every other emotion."""
    listing = corpora.load("ravdess", shared("ravdess"))
    assert len(listing.utterances) == 20 * 60
    assert listing.rejected == ()
    assert sum(u.emotion is Emotion.NEUTRAL for u in listing.utterances) == 20 * 4
    assert sum(u.emotion is Emotion.ANGRY for u in listing.utterances) == 20 * 8
    assert len({u.speaker_id for u in listing.utterances if u.split == "test"}) == 4


@pytest.mark.corpus
def test_real_emodb() -> None:
    """8 of the 10 speakers; per speaker the published counts (03: 49 clips, 13: 61, 14: 69)."""
    listing = corpora.load("emodb", shared("emodb"))
    counts = {s: sum(u.speaker_id == s for u in listing.utterances) for s in ("03", "13", "14")}
    assert counts == {"03": 49, "13": 61, "14": 69}
    assert listing.rejected == ()
    assert {u.speaker_id for u in listing.utterances if u.split == "test"} == {"13", "14"}
    stressed = [u for u in listing.utterances if u.stressed_words]
    assert len(stressed) >= 250  # of 407 rated clips; in the others the most prominent word is cut off, or none is
    assert all(set(u.stressed_words) <= set(re.findall(r"\w+", u.transcript.lower())) for u in stressed)


@pytest.mark.corpus
def test_real_nemo() -> None:
    """As `shared/data/README.md` counts them: 697 clips of 7 actors; ages and texts from the table."""
    root = shared("nemo")
    listing = corpora.load("nemo", root)
    assert (len(listing.utterances), listing.rejected, listing.dropped) == (697, (), ())
    assert {u.speaker_id for u in listing.utterances} == {"WR0", "SM0", "EB0", "IC0", "KD0", "TP0", "MP0"}
    first = listing.utterances[0]
    assert (first.utterance_id, first.emotion, first.gender) == ("EB0_anger_10", Emotion.ANGRY, Gender.FEMALE)
    assert (first.transcript, first.age_group) == ("Kupiłem nową szafę do sypialni.", "Young Adult")
    assert all(f.test and f.train for f in corpora.folds("nemo", listing.utterances))
