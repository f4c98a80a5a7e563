"""Copies as they are found on disk: encodings, links, extensions, file names that are not UTF-8, no train split."""

from __future__ import annotations

import codecs
import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

import speech_corpora as corpora
from speech_corpora import CorpusError, cli
from speech_records import Emotion, Gender, Utterance, read_jsonl

MSP = "FileName,EmoClass,SpkrID,Gender,Split_Set"


def touch(root: Path, *names: str) -> Path:
    """Empty files: loaders never open a sound."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli.app, [os.fspath(a) if isinstance(a, Path) else str(a) for a in arguments])
    return result.exit_code, result.stdout, result.stderr


def msp(root: Path, raw: bytes, *clips: str) -> corpora.CorpusListing:
    """MSP-Podcast with these bytes as its table."""
    (root / "Labels").mkdir()
    (root / "Labels" / "labels_consensus.csv").write_bytes(raw)
    return corpora.load("msp_podcast", touch(root, *(f"Audios/{clip}.wav" for clip in clips)))


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode(),
        lambda text: codecs.BOM_UTF8 + text.encode(),
        lambda text: text.encode("latin-1"),
        lambda text: text.encode("utf-16"),
        lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
        lambda text: text.replace("\n", "\r\n").encode("cp1252"),
        lambda text: text.replace(",", ";").encode(),
        lambda text: text.replace(",", "\t").encode(),
    ],
    ids=["utf-8", "bom", "latin-1", "utf-16", "utf-16-be", "windows", "semicolons", "tabs"],
)
def test_a_table_is_read_in_any_encoding(tmp_path: Path, encode: object) -> None:
    """The speaker is called José; one line says so, whatever program saved it."""
    raw = encode(f"{MSP}\na.wav,A,José,Male,Train\n")  # type: ignore[operator]
    listing = msp(tmp_path, raw, "a")
    (only,) = listing.utterances
    assert (only.speaker_id, only.emotion, only.gender) == ("José", Emotion.ANGRY, Gender.MALE)
    assert listing.rejected == ()


def test_a_line_that_cannot_be_decoded_costs_itself(tmp_path: Path) -> None:
    """Byte 0x81 is not UTF-8 here and is undefined in Windows-1252; its neighbours are UTF-8 and Latin-1."""
    lines = (
        MSP.encode(),
        "a.wav,A,José,Male,Train".encode(),
        b"b.wav,A,Jos\x81,Male,Train",
        "c.wav,S,José,Male,Train".encode("latin-1"),
    )
    listing = msp(tmp_path, b"\n".join(lines), "a", "b", "c")
    assert [(u.utterance_id, u.speaker_id) for u in listing.utterances] == [("a", "José"), ("c", "José")]
    (rejected,) = listing.rejected
    assert rejected.id == "Labels/labels_consensus.csv:3"
    assert rejected.message == "byte 0x81 at 12 is neither UTF-8 nor cp1252 text: save the file as UTF-8"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\x00\x01\x02", r"is not text, byte 1 is NUL"),
        (MSP.encode("utf-16-le"), r"is not text, byte 2 is NUL"),
        (codecs.BOM_UTF16_LE + b"a", r"cannot be read: 'utf-16"),
        (b"FileName,EmoClass,SpkrID\na.wav,A,7\n", r"csv:1: column 'Split_Set' is missing; needed are FileName, "),
    ],
)
def test_a_table_that_cannot_be_read_is_named(tmp_path: Path, raw: bytes, reason: str) -> None:
    """Nothing is left, so the corpus is refused with the reason, and with the layout that was expected."""
    with pytest.raises(CorpusError, match=rf"first of 1 rejected: .*{reason}.*expected: Labels/labels_consensus"):
        msp(tmp_path, raw, "a")


def test_bad_rows_of_a_table_are_named_by_their_line(tmp_path: Path) -> None:
    """An open quotation mark, an empty cell, cells too many; a heading has a blank, a row of commas is not a row."""
    rows = (
        MSP.replace(",Gender", ", Gender"),
        'a.wav,A,"7, the host,Male,Train',
        "b.wav,A,,Male,Train",
        "c.wav,A,7,Male,Train,and,more",
        ",,,,",
        'd.wav,A,"7, the ""host""",Male,Train,,',
        f"{'e' * 300}.wav,A,7,Male,Train",
    )
    listing = msp(tmp_path, "\n".join(rows).encode(), "a", "b", "c", "d")
    (only,) = listing.utterances
    assert (only.utterance_id, only.speaker_id, only.gender) == ("d", '7, the "host"', Gender.MALE)
    assert {r.id.partition(":")[2]: r.message for r in listing.rejected if "eee" not in r.message} == {
        "2": """not a row of a table: ',' expected after '"'""",
        "3": f"column 'SpkrID' is empty; needed are {'FileName, EmoClass, SpkrID, Split_Set'}",
        "4": "7 cells, but the heading has 5",
    }
    assert [r.id[-1] for r in listing.rejected if "is missing" in r.message] == ["7"]


def test_a_quotation_mark_in_a_tab_separated_text_is_a_character(tmp_path: Path) -> None:
    """Tables between tabs are often written without quoting: an open mark swallows no row."""
    touch(tmp_path, "wav/WR0_anger_1.wav", "wav/WR0_anger_2.wav")
    heading = "utterance\tspeaker\tgender\tage\temotion\ttext\n"
    rows = 'WR0_anger_1\tWR0\tmale\t23\tanger\t"Tak\nWR0_anger_2\tWR0\tmale\t23\tanger\tNie\n'
    (tmp_path / "utterances.tsv").write_text(heading + rows, encoding="utf-8")
    listing = corpora.load("nemo", tmp_path)
    assert [u.transcript for u in listing.utterances] == ['"Tak', "Nie"]
    assert listing.rejected == ()


def test_json_tables_in_other_encodings(tmp_path: Path) -> None:
    """EARS's transcripts with a byte order mark, its statistics in Latin-1; undecodable ones are an item."""
    touch(tmp_path, "p001/emo_anger_sentences.wav")
    words, people = tmp_path / "transcripts.json", tmp_path / "speaker_statistics.json"
    words.write_bytes(codecs.BOM_UTF8 + '{"emo_anger_sentences": "Déjà vu."}'.encode())
    people.write_bytes('{"p001": {"gender": "male", "age": "36-45", "native language": "español"}}'.encode("latin-1"))
    listing = corpora.load("ears", tmp_path)
    assert [(u.transcript, u.gender) for u in listing.utterances] == [("Déjà vu.", Gender.MALE)]
    assert listing.rejected == ()
    words.write_bytes(b'{"emo_anger_sentences": "\x81"}')
    listing = corpora.load("ears", tmp_path)
    assert [(u.transcript, u.gender) for u in listing.utterances] == [(None, Gender.MALE)]
    assert [(r.id, "byte 0x81" in r.message) for r in listing.rejected] == [("transcripts.json", True)]


def test_lists_keep_line_separators_inside_a_line(tmp_path: Path) -> None:
    """U+2028 and U+0085 inside Expresso's texts: `str.splitlines` would cut them there."""
    touch(tmp_path, *(f"audio_48khz/read/ex01/happy/base/ex01_happy_0000{n}.wav" for n in (1, 2)))
    text = "ex01_happy_00001\tOne\u2028two\x85three\nex01_happy_00002\tcafé\n"
    (tmp_path / "read_transcriptions.txt").write_bytes(text.encode())
    assert [u.transcript for u in corpora.load("expresso", tmp_path).utterances] == ["One\u2028two\x85three", "café"]


def test_a_manifest_keeps_line_separators_and_colons(tmp_path: Path) -> None:
    """A byte order mark, U+2028, U+0085 and a colon, each in a line of JSON Lines."""
    rows = [
        {"utterance_id": name, "audio_path": f"{name}.wav", "speaker_id": "ann", "transcript": "a\u2028b\x85c"}
        for name in ("12:30", "x\u2028y", "x\x85y", "plain")
    ]
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (tmp_path / "manifest.jsonl").write_bytes(codecs.BOM_UTF8 + text.encode())
    listing = corpora.load("manifest", tmp_path)
    assert [u.audio_path for u in listing.utterances] == ["12:30.wav", "x\u2028y.wav", "x\x85y.wav", "plain.wav"]
    assert ({u.transcript for u in listing.utterances}, listing.rejected) == ({"a\u2028b\x85c"}, ())


def test_a_manifest_in_latin_1_is_read(tmp_path: Path) -> None:
    """What an editor of Windows saves; the second line is UTF-8."""
    row = '{{"utterance_id": "{}", "audio_path": "{}.wav", "speaker_id": "José"}}'
    (tmp_path / "manifest.jsonl").write_bytes(
        row.format("a", "a").encode("latin-1") + b"\n" + row.format("b", "b").encode()
    )
    assert [u.speaker_id for u in corpora.load("manifest", tmp_path).utterances] == ["José", "José"]


def test_a_manifest_with_an_impossible_path_keeps_the_others(tmp_path: Path) -> None:
    """A NUL byte, a link in a circle, a name that is too long to be one: the next line is read all the same."""
    (tmp_path / "loop").symlink_to("loop")
    paths = ("a\0.wav", "loop/a.wav", "good.wav")
    rows = ({"utterance_id": f"u{n}", "audio_path": path, "speaker_id": "s"} for n, path in enumerate(paths))
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    listing = corpora.load("manifest", tmp_path)
    assert [u.audio_path for u in listing.utterances] == ["good.wav"]
    assert [r.id for r in listing.rejected] == ["manifest.jsonl:1", "manifest.jsonl:2"]


def test_linked_speaker_folders_are_found(tmp_path: Path) -> None:
    """RAVDESS spread over two disks; a link to the root is a circle, and one that leads nowhere is named."""
    root, store = tmp_path / "ravdess", tmp_path / "store"
    touch(store, "one/03-01-05-01-02-01-01.wav")
    touch(root, "Actor_02/03-01-06-02-01-02-02.wav")
    (root / "Actor_01").symlink_to(store / "one")
    (root / "Actor_03").symlink_to(root)
    (root / "Actor_04").symlink_to("Actor_04")
    (root / "Actor_05").symlink_to(store / "missing")
    listing = corpora.load("ravdess", root)
    assert [u.audio_path for u in listing.utterances] == [
        "Actor_01/03-01-05-01-02-01-01.wav",
        "Actor_02/03-01-06-02-01-02-02.wav",
    ]
    assert {r.id: r.message for r in listing.rejected} == {
        "Actor_03": "the link leads back to the corpus root",
        "Actor_04": "the link leads nowhere: Too many levels of symbolic links",
        "Actor_05": "the link leads nowhere: No such file or directory",
    }


def test_a_clip_that_is_a_link_out_of_the_corpus_is_named(tmp_path: Path) -> None:
    """Only whole folders may be elsewhere: a single link may lead to any file of the machine."""
    root = touch(tmp_path / "ravdess", "Actor_02/03-01-06-02-01-02-02.wav")
    touch(tmp_path, "secret.wav")
    link = root / "Actor_02" / "03-01-05-01-01-01-02.wav"
    link.symlink_to(tmp_path / "secret.wav")
    (root / "Actor_02" / "03-01-05-01-01-02-02.wav").symlink_to("03-01-06-02-01-02-02.wav")
    (root / "Actor_02" / "03-01-05-01-02-02-02.wav").symlink_to("nowhere.wav")
    listing = corpora.load("ravdess", root)
    assert len(listing.utterances) == 2
    assert {r.id[-8:]: r.message for r in listing.rejected} == {
        "1-02.wav": f"utterance '03-01-05-01-01-01-02': '{link.relative_to(root)}' leads out of the corpus root",
        "2-02.wav": "the link leads nowhere: No such file or directory",
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every folder")
def test_a_folder_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """Without its permissions nobody knows what is in it."""
    touch(tmp_path, "Actor_01/03-01-05-01-02-01-01.wav", "Actor_02/03-01-06-02-01-02-02.wav")
    (tmp_path / "Actor_01").chmod(0)
    try:
        listing = corpora.load("ravdess", tmp_path)
    finally:
        (tmp_path / "Actor_01").chmod(0o700)
    assert len(listing.utterances) == 1
    assert [(r.id, r.message) for r in listing.rejected] == [
        ("Actor_01", "the folder cannot be opened: Permission denied")
    ]


DECODED = [
    ".wav", ".WAV", ".flac", ".flv", ".avi", ".sph", ".aac", ".3gp", ".snd", ".wv", ".mp2", ".mp3", ".ogg", ".opus",
    ".m4a", ".mp4", ".aiff", ".au", ".w64", ".caf", ".amr", ".wma", ".webm",
]  # fmt: skip


def test_every_extension_that_is_decoded_is_listed_and_the_others_counted(tmp_path: Path) -> None:
    """The first list is what libsndfile and ffmpeg decode; a text, a score and a hidden file are not."""
    others = ("03-01-01-01-01-01-01.txt", "b.txt", "c.mid", "README", ".hidden")
    names = [f"Actor_01/03-01-0{1 + n % 8}-01-01-0{1 + n // 8}-01{suffix}" for n, suffix in enumerate(DECODED)]
    touch(tmp_path, *names, *(f"Actor_01/{name}" for name in others))
    listing = corpora.load("ravdess", tmp_path)
    assert sorted(u.audio_path for u in listing.utterances) == sorted(names)
    assert listing.rejected == ()
    assert dict(listing.dropped) == {
        "extension .txt is not read as audio": 2,
        "extension .mid is not read as audio": 1,
        "no extension, not read as audio": 1,
    }
    status, stdout, _ = run("check", "ravdess", tmp_path)
    assert (status, "dropped: extension .txt is not read as audio\t2" in stdout.splitlines()) == (1, True)


def test_a_clip_of_a_table_is_found_in_any_audio_format(tmp_path: Path) -> None:
    """Lossless formats first, then any other, in capitals too."""
    rows = "".join(f"{name}.wav,A,7,Male,Train\n" for name in "abc")
    (tmp_path / "Audios").mkdir()
    touch(tmp_path, "Audios/a.mp3", "Audios/a.flac", "Audios/b.mp3", "Audios/c.WAV")
    listing = msp(tmp_path, f"{MSP}\n{rows}".encode())
    assert [u.audio_path for u in listing.utterances] == ["Audios/a.flac", "Audios/b.mp3", "Audios/c.WAV"]


def test_file_names_that_are_not_utf8(tmp_path: Path) -> None:
    """Byte 0xE0: kept in `audio_path` as the disk has it, escaped in the id; manifest, errors and stderr are UTF-8."""
    root = touch(tmp_path / "urdu", "Angry/SM1_F1_A01.wav")
    odd = os.fsdecode(b"Angry/SM2_F1_A\xe0.wav")
    bad = os.fsdecode(b"Angry/\xe0.wav")
    try:
        touch(root, odd, bad)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    out = root / "manifest.jsonl"
    status, _, stderr = run("manifest", "urdu", root, "-o", out)
    assert (status, r"Angry/\udce0.wav" in stderr) == (1, True)
    plain, escaped = read_jsonl(out, Utterance)
    assert (escaped.audio_path, escaped.utterance_id) == (odd, r"SM2_F1_A\udce0")
    assert (root / escaped.audio_path).is_file()
    assert corpora.load("manifest", root).utterances == (plain, escaped)
    (failed,) = (root / "manifest.jsonl.errors.jsonl").read_bytes().decode().splitlines()
    assert json.loads(failed)["id"] == bad
    assert run("check", "urdu", root)[0] == 1


def test_no_train_split_is_said_with_the_command_that_makes_folds(tmp_path: Path) -> None:
    """CREMA-D has no split; the command that `check` prints writes a fold, which has one and can be read again."""
    root = touch(tmp_path / "my corpora", *(f"AudioWAV/100{n}_DFA_ANG_XX.wav" for n in (1, 2, 3)))
    status, _, stderr = run("check", "cremad", root)
    out = root / "fold-1.jsonl"
    command = f"speech-corpora manifest cremad '{root}' -o '{out}' --fold 1/3"
    assert (status, "nothing is in split 'train'" in stderr, command in stderr) == (1, True, True)
    status, _, stderr = run("manifest", "cremad", root, "-o", out, "--fold", "1/3")
    assert (status, "nothing is in split" in stderr) == (0, False)
    status, stdout, stderr = run("check", "manifest", out)
    assert (status, "nothing is in split" in stderr) == (0, False)
    expected = {"split train\t2\tnot recorded", "split test\t1\tnot recorded", "CREMAD_6\t3\tnot recorded"}
    assert expected <= set(stdout.splitlines())
    assert "nothing is in split 'train'" in run("manifest", "cremad", root, "-o", tmp_path / "all.jsonl")[2]


def test_one_speaker_cannot_be_split(tmp_path: Path) -> None:
    """No command is printed that would fail."""
    stderr = run("check", "cremad", touch(tmp_path, "AudioWAV/1001_DFA_ANG_XX.wav"))[2]
    assert "with one speaker, no speaker-independent split can be made" in stderr
