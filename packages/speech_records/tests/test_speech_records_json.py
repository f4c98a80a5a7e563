"""Strict JSON: what goes round, what is refused, and what the refusal says."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_records import (
    ContourShape,
    Emotion,
    Gender,
    InvalidRecordError,
    Level,
    LevelReading,
    MeasuredUtterance,
    Pause,
    ProsodyLevels,
    ProsodyProfile,
    RecordFormatError,
    RewardScores,
    Utterance,
    from_dict,
    from_json,
    read_jsonl,
    to_dict,
    to_json,
    write_jsonl,
)

UTTERANCE = {
    "schema_version": "1.0",
    "utterance_id": "a1",
    "corpus": "mine",
    "audio_path": "a1.wav",
    "speaker_id": "ann",
}
PROFILE = {"schema_version": "1.0", "duration_s": 1.5, "sample_rate": 16000}

WORDS = st.text(min_size=1, max_size=8).filter(str.strip)
SHARES = st.none() | st.floats(0, 1)
UTTERANCES = st.builds(
    Utterance,
    utterance_id=WORDS,
    corpus=st.text(max_size=4),
    audio_path=st.just("dir/a.wav"),
    speaker_id=WORDS,
    emotion=st.none() | st.sampled_from(Emotion),
    transcript=st.none() | st.text(),
    gender=st.none() | st.sampled_from(Gender),
    stressed_words=st.none() | st.lists(st.text(), max_size=3).map(tuple),
    synthetic=st.booleans(),
    start_s=st.none() | st.floats(0, 10),
    end_s=st.none() | st.floats(11, 20),
    channel=st.none() | st.integers(0, 7),
)
PROFILES = st.builds(
    ProsodyProfile,
    duration_s=st.floats(0, 7200),
    sample_rate=st.integers(1, 192_000),
    energy_dbfs=st.none() | st.floats(-120, 0),
    voiced_share=SHARES,
    syllables=st.none() | st.integers(0, 10**6),
    pauses=st.lists(st.builds(Pause, start_s=st.floats(0, 1), end_s=st.floats(2, 3)), max_size=3).map(tuple),
    contour_shape=st.none() | st.sampled_from(ContourShape),
    notes=st.lists(st.text(), max_size=2).map(tuple),
)


def with_changes(data: dict[str, Any], **changes: object) -> str:
    return json.dumps(data | changes)


@given(UTTERANCES, PROFILES)
def test_records_go_round_on_one_line(utterance: Utterance, profile: ProsodyProfile) -> None:
    """Writing and reading are inverse for every value, line breaks inside strings included."""
    record = MeasuredUtterance(utterance, profile)
    text = to_json(record)
    assert "\n" not in text
    assert "\r" not in text
    assert from_json(MeasuredUtterance, text) == record
    assert from_dict(MeasuredUtterance, to_dict(record)) == record


def test_the_version_comes_first_and_unknown_is_null() -> None:
    """The documented form, written out by hand."""
    levels = ProsodyLevels("mine", "abc", pitch=LevelReading(Level.HIGH, 200.0, 90.0, "female"))
    assert to_json(levels) == (
        '{"schema_version": "1.0", "scale": "mine", "scale_hash": "abc", '
        '"pitch": {"level": "high", "value": 200.0, "percentile": 90.0, "group": "female"}, '
        '"energy": null, "rate": null}'
    )


def test_a_file_name_that_is_not_utf8_goes_round(tmp_path: Path) -> None:
    """`os.fsdecode` keeps byte 0xE0 as U+DCE0 (PEP 383); the line is UTF-8 and holds it as a JSON escape."""
    clip = Utterance("a1", "mine", os.fsdecode(b"modal\xe0.wav"), "ann")
    write_jsonl(tmp_path / "m.jsonl", [clip])
    assert rb'"audio_path": "modal\udce0.wav"' in (tmp_path / "m.jsonl").read_bytes()
    (read,) = read_jsonl(tmp_path / "m.jsonl", Utterance)
    assert os.fsencode(read.audio_path) == b"modal\xe0.wav"


def test_other_half_pairs_are_not_written() -> None:
    """A transcript is text, and U+D83D stands for no byte of a file name."""
    for change in ({"transcript": "\udce0"}, {"audio_path": "\ud83d.wav"}, {"stressed_words": ("\udce0",)}):
        clip = Utterance(**{"utterance_id": "a1", "corpus": "c", "audio_path": "a.wav", "speaker_id": "s"} | change)
        with pytest.raises(RecordFormatError, match="holds half a surrogate pair"):
            to_json(clip)


def test_line_separators_inside_a_line_are_data(tmp_path: Path) -> None:
    """U+2028, U+2029, U+0085 and U+000B end lines for `str.splitlines`, not in JSON Lines."""
    clips = [Utterance(f"a{ord(c)}", "c", f"x{c}y.wav", "s", transcript=c) for c in "\u2028\u2029\x85\x0b\x0c\x1c"]
    write_jsonl(tmp_path / "m.jsonl", clips)
    assert list(read_jsonl(tmp_path / "m.jsonl", Utterance)) == clips


def test_optional_fields_may_be_absent_or_null() -> None:
    """Both mean "not known"."""
    bare = from_json(Utterance, json.dumps(UTTERANCE))
    assert bare == Utterance("a1", "mine", "a1.wav", "ann")
    assert from_json(Utterance, with_changes(UTTERANCE, emotion=None, transcript=None)) == bare


def test_an_integer_stands_for_a_float_and_nothing_else_is_converted() -> None:
    """JSON writers drop `.0`; the record holds a float all the same."""
    profile = from_json(ProsodyProfile, with_changes(PROFILE, duration_s=2))
    assert type(profile.duration_s) is float


REFUSED = [
    (Utterance, with_changes(UTTERANCE, speeker="ann"), "Utterance has no field 'speeker'"),
    (Utterance, '{"schema_version": "1.0", "corpus": "mine"}', "Utterance lacks the field 'utterance_id'"),
    (Utterance, with_changes(UTTERANCE, speaker_id=7), "speaker_id must be a string, got 7"),
    (Utterance, with_changes(UTTERANCE, speaker_id=None), "speaker_id must be a string, got None"),
    (Utterance, with_changes(UTTERANCE, synthetic=1), "synthetic must be true or false, got 1"),
    (Utterance, with_changes(UTTERANCE, emotion="purple"), "emotion must be one of neutral, calm, .* got 'purple'"),
    (Utterance, with_changes(UTTERANCE, emotion=["sad"]), "emotion must be one of"),
    (Utterance, with_changes(UTTERANCE, stressed_words="now"), "stressed_words must be a list, got 'now'"),
    (Utterance, with_changes(UTTERANCE, stressed_words=["a", 1]), r"stressed_words\[1\] must be a string, got 1"),
    (Utterance, with_changes(UTTERANCE, audio_path="../x"), "must be relative and stay inside"),
    (Utterance, with_changes(UTTERANCE, transcript="\ud800"), "transcript holds half a surrogate pair"),
    (Utterance, with_changes(UTTERANCE, transcript="\udce0"), "transcript holds half a surrogate pair"),
    (Utterance, with_changes(UTTERANCE, utterance_id="\udce0"), "utterance_id holds half a surrogate pair"),
    (Utterance, with_changes(UTTERANCE, audio_path="\ud83d.wav"), "audio_path holds half a surrogate pair"),
    (Utterance, with_changes(UTTERANCE, age_group="old"), "a1: age_group must be one of Child, .*, got 'old'"),
    (Utterance, with_changes(UTTERANCE, start_s=True), "start_s must be a number, got True"),
    (Utterance, with_changes(UTTERANCE, start_s="1.0"), "start_s must be a number, got '1.0'"),
    (Utterance, with_changes(UTTERANCE, channel=0.0), "channel must be an integer, got 0.0"),
    (ProsodyProfile, with_changes(PROFILE, sample_rate=16000.0), "sample_rate must be an integer, got 16000.0"),
    (ProsodyProfile, with_changes(PROFILE, sample_rate=True), "sample_rate must be an integer, got True"),
    (ProsodyProfile, with_changes(PROFILE, duration_s=10**400), "duration_s is too large"),
    (ProsodyProfile, with_changes(PROFILE, pauses=[{"start_s": 0}]), r"pauses\[0\]: Pause lacks the field 'end_s'"),
    (ProsodyProfile, with_changes(PROFILE, pauses=[{"start_s": 2, "end_s": 1}]), r"pauses\[0\]: Pause: need 0 <="),
    (ProsodyProfile, with_changes(PROFILE, pauses=[3]), r"pauses\[0\]: Pause must be a JSON object, got 3"),
    (ProsodyProfile, '{"schema_version": "1.0", "duration_s": 1e999, "sample_rate": 8000}', "duration_s must be a fin"),
    (ProsodyProfile, '{"schema_version": "1.0", "duration_s": NaN}', "NaN is no JSON number"),
    (ProsodyProfile, '{"schema_version": "1.0", "duration_s": -Infinity}', "-Infinity is no JSON number"),
    (Pause, '{"start_s": 0, "start_s": 0, "end_s": 1}', "key 'start_s' stands twice"),
    (Pause, '{"schema_version": "1.0", "start_s": 0, "end_s": 1}', "Pause has no field 'schema_version'"),
    (Pause, "[0, 1]", "Pause must be a JSON object"),
    (Pause, '{"start_s": 0', "not JSON: .* at column"),
    (Pause, "", "not JSON"),
    (Pause, '{"start_s": 0, "end_s": 1} {}', "not JSON: Extra data"),
    (Pause, "[" * 100_000, "not acceptable JSON"),
    (Pause, '{"start_s": ' + "9" * 5000 + "}", "not acceptable JSON"),
    (Utterance, with_changes({}, utterance_id="a1"), "lacks the field 'schema_version'; this release writes '1.2'"),
    (Utterance, with_changes(UTTERANCE, schema_version="2.0"), "schema_version 2.0 cannot be read here, .* reads 1.2"),
    (Utterance, with_changes(UTTERANCE, schema_version="0.9"), "schema_version 0.9 cannot be read here"),
    (Utterance, with_changes(UTTERANCE, schema_version=1.0), 'must be a string "major.minor", got 1.0'),
    (Utterance, with_changes(UTTERANCE, schema_version="1"), 'must be a string "major.minor"'),
    (Utterance, with_changes(UTTERANCE, schema_version="1.3", dialect="x"), "'dialect' .*1.3, this release knows 1.2"),
    (Utterance, with_changes(UTTERANCE, dialect=None), "Utterance has no field 'dialect'"),
    (RewardScores, '{"schema_version": "1.0", "CRITERIA": []}', "RewardScores has no field 'CRITERIA'"),
]


@pytest.mark.parametrize(("cls", "text", "message"), REFUSED, ids=[message for _, _, message in REFUSED])
def test_what_is_not_the_record_is_refused_by_line_and_field(cls: type, text: str, message: str) -> None:
    """One case for every documented refusal; each starts from a record that loads."""
    with pytest.raises(RecordFormatError, match=f"^line 7: .*{message}"):
        from_json(cls, text, line=7)


def test_nested_fields_are_named_by_their_whole_path() -> None:
    """So that one sees at once which of forty fields is meant."""
    data = {"schema_version": "1.0", "utterance": UTTERANCE, "profile": PROFILE | {"pauses": [{"start_s": "0"}]}}
    with pytest.raises(RecordFormatError, match=r"^there: profile\.pauses\[0\]\.start_s must be a number, got '0'$"):
        from_dict(MeasuredUtterance, data, where="there")


def test_a_newer_minor_loads_as_long_as_nothing_would_be_lost() -> None:
    """The documented rule: an unknown field of a newer minor may be null, and only then."""
    newer = UTTERANCE | {"schema_version": "1.7", "dialect": None}
    assert from_dict(Utterance, newer) == from_dict(Utterance, UTTERANCE)


@dataclass(frozen=True, slots=True)
class Later:
    """A record as a later release would have it: one more optional field, one minor up."""

    schema_version: ClassVar[str] = "1.1"

    name: str
    added: float | None = None


def test_an_older_minor_loads_with_the_new_fields_unknown() -> None:
    """What version 1.0 wrote has no `added`."""
    assert from_json(Later, '{"schema_version": "1.0", "name": "x"}') == Later("x")


@dataclass(frozen=True, slots=True)
class Odd:
    """A record whose field has no JSON form."""

    value: Any
    names: set[str] | None = None


def test_values_without_a_json_form_are_refused_by_name() -> None:
    """A programming error, hence a TypeError; a number that JSON lacks is a RecordFormatError."""
    with pytest.raises(TypeError, match=r"Odd\.value\[1\]: set has no JSON form"):
        to_json(Odd(("fine", {1})))
    with pytest.raises(RecordFormatError, match="Odd has no JSON form"):
        to_json(Odd(float("nan")))
    with pytest.raises(TypeError, match="is no record"):
        to_dict("text")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"names: fields of type .* cannot be read"):
        from_dict(Odd, {"names": ["a"], "value": 1})


def test_files_go_round_and_blank_lines_are_passed_over(tmp_path: Path) -> None:
    """Text that JSON Lines readers stumble over: line separators and accents inside strings."""
    path = tmp_path / "u.jsonl"
    records = [Utterance(f"a{i}", "mine", "a.wav", "ann", transcript="één\u2028zwei\ndrei") for i in range(3)]
    assert write_jsonl(path, records) == 3
    assert path.read_bytes().count(b"\n") == 3
    path.write_bytes(path.read_bytes().replace(b"\n", b"\n\r\n"))
    assert list(read_jsonl(path, Utterance)) == records


@pytest.mark.parametrize("bad", [b'{"start_s": 0}', b"\xff\xfe"])
def test_a_bad_line_is_named_after_the_good_ones(tmp_path: Path, bad: bytes) -> None:
    """File and line are in the message; the records before it were delivered."""
    path = tmp_path / "pauses.jsonl"
    path.write_bytes(b'{"start_s": 0, "end_s": 1}\n' + bad + b"\n")
    records = read_jsonl(path, Pause)
    assert next(records) == Pause(0.0, 1.0)
    with pytest.raises(RecordFormatError, match=r"pauses\.jsonl, line 2: "):
        next(records)


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    """All or nothing: the generator fails after its first record."""
    path = tmp_path / "pauses.jsonl"
    write_jsonl(path, [Pause(0.0, 1.0)])

    def failing() -> Any:
        yield Pause(0.0, 2.0)
        raise InvalidRecordError("no more")

    with pytest.raises(InvalidRecordError, match="no more"):
        write_jsonl(path, failing())
    assert list(read_jsonl(path, Pause)) == [Pause(0.0, 1.0)]
    assert [p.name for p in tmp_path.iterdir()] == ["pauses.jsonl"]


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    """As everywhere in Python, and only when the first record is asked for."""
    with pytest.raises(FileNotFoundError):
        next(read_jsonl(tmp_path / "none.jsonl", Pause))
