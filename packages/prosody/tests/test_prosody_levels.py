"""Level scales: tertiles, groups, ties, JSON."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import prosody
from prosody import Distribution, LevelScale, ScaleError, cli, report
from prosody.batch import Measured
from speech_records import Gender, Level, ProsodyProfile


def profile(f0_hz=None, energy_dbfs=None, rate=None, gender=None):
    pitch = {} if f0_hz is None else {"f0_p05_hz": f0_hz, "f0_median_hz": f0_hz, "f0_p95_hz": f0_hz}
    return ProsodyProfile(1.0, 16_000, energy_dbfs=energy_dbfs, articulation_rate_sps=rate, gender=gender, **pitch)


def corpus():
    """30 women at 200…229 Hz, 30 men at 100…129 Hz, energies −40…−11 twice."""
    for i in range(30):
        yield profile(200.0 + i, -40.0 + i, 3.0 + i / 10), Gender.FEMALE
        yield profile(100.0 + i, -40.0 + i, 3.0 + i / 10), Gender.MALE


SCALE = LevelScale.fit(corpus(), name="test")


@pytest.mark.parametrize(
    ("f0_hz", "gender", "level", "group"),
    [
        (203.0, Gender.FEMALE, Level.LOW, "female"),
        (214.0, Gender.FEMALE, Level.NORMAL, "female"),
        (225.0, Gender.FEMALE, Level.HIGH, "female"),
        (125.0, Gender.MALE, Level.HIGH, "male"),
        (125.0, None, Level.NORMAL, "pooled"),
        (225.0, None, Level.HIGH, "pooled"),
    ],
)
def test_pitch_is_read_per_gender(f0_hz, gender, level, group):
    """Truth: positions in 30 evenly spaced values: 3/29 is 10 %, 14/29 is 48 %, 25/29 is 86 %."""
    reading = SCALE.read(profile(f0_hz), gender=gender).pitch
    assert (reading.level, reading.group, reading.value) == (level, group, f0_hz)


def test_percentile_by_hand():
    """Truth: 214.5 is the middle of 200…229, so 50 %; beyond the ends it is 0 and 100."""
    assert SCALE.read(profile(214.5), gender=Gender.FEMALE).pitch.percentile == pytest.approx(50.0, abs=0.1)
    assert SCALE.read(profile(10.0), gender=Gender.FEMALE).pitch.percentile == 0.0
    assert SCALE.read(profile(900.0), gender=Gender.FEMALE).pitch.percentile == 100.0


def test_the_profiles_own_gender_is_the_default():
    """Given none, the profile's gender decides, in fitting and in reading."""
    scale = LevelScale.fit(((profile(100.0 + i, gender=Gender.MALE), None) for i in range(30)), name="own")
    assert scale.read(profile(120.0, gender=Gender.MALE)).pitch.group == "male"


def test_small_groups_fall_back_to_pooled_and_say_so():
    """19 women are fewer than the documented 20."""
    items = [(profile(200.0 + i), Gender.FEMALE) for i in range(19)] + [
        (profile(100.0 + i), Gender.MALE) for i in range(20)
    ]
    scale = LevelScale.fit(items, name="small")
    assert set(scale.groups["pitch"]) == {"pooled", "male"}
    assert scale.groups["pitch"]["pooled"].n == 39
    assert scale.read(profile(210.0), gender=Gender.FEMALE).pitch.group == "pooled"


def test_what_is_missing_reads_none():
    """A whispered clip has no pitch level; a scale without rates reads none."""
    levels = SCALE.read(profile(None, -25.0))
    assert levels.pitch is None
    assert levels.rate is None
    assert levels.energy.level is Level.NORMAL
    assert (levels.scale, levels.scale_hash) == ("test", SCALE.hash)


@given(st.lists(st.floats(-100, 0), min_size=1, max_size=60), st.floats(-120, 20))
def test_percentiles_grow_with_the_value(values, value):
    """Property: monotone, within [0, 100], and the sample's own minimum and maximum never beyond it."""
    scale = LevelScale.fit(((profile(energy_dbfs=v), None) for v in values), name="h")
    pooled = scale.groups["energy"]["pooled"]
    read = [pooled.percentile(v) for v in sorted([value, min(values), max(values)])]
    assert read == sorted(read)
    assert 0.0 <= read[0] <= read[-1] <= 100.0


def test_ties_take_the_middle():
    """Truth by hand: quantiles 1, 2, 2, 2, 3 stand at 0, 25, 50, 75, 100; the value 2 takes 50."""
    assert Distribution(5, (1.0, 2.0, 2.0, 2.0, 3.0)).percentile(2.0) == 50.0
    constant = LevelScale.fit(((profile(120.0), None) for _ in range(9)), name="flat")
    assert constant.read(profile(120.0)).pitch.level is Level.NORMAL


@pytest.mark.parametrize(("step_db", "level"), [(0.1, None), (1.0, Level.HIGH)])
def test_energy_is_not_read_where_recordings_were_brought_to_one_level(step_db, level):
    """By hand: of 61 clips in equal steps the tertiles are 20 steps apart, 2 dB (as in EmoDB) or 20; the limit is 3."""
    scale = LevelScale.fit(((profile(energy_dbfs=-60.0 + step_db * i), None) for i in range(61)), name="steps")
    reading = scale.read(profile(energy_dbfs=-60.0 + step_db * 55)).energy
    assert (None if reading is None else reading.level) == level


def test_json_round_trip(tmp_path):
    """A scale reads back equal, with the same hash, and says its sample sizes."""
    SCALE.save(tmp_path / "s.json")
    again = LevelScale.load(tmp_path / "s.json")
    assert again == SCALE
    assert again.hash == SCALE.hash
    assert json.loads(SCALE.to_json())["measures"]["pitch"]["female"]["n"] == 30


def test_the_hash_follows_the_content():
    """Another name or another sample is another scale."""
    assert LevelScale.fit(corpus(), name="other").hash != SCALE.hash
    assert LevelScale.fit(corpus(), name="test").hash == SCALE.hash


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a level scale"),
        ("[]", "not a level scale"),
        ("{}", "not a level scale"),
        (json.dumps({**json.loads(SCALE.to_json()), "name": "edited"}), "it was edited"),
        (json.dumps({**json.loads(SCALE.to_json()), "schema_version": "2.0"}), "schema 2.0"),
        (SCALE.to_json().replace('"n": 30', '"n": 0'), "distribution"),
    ],
)
def test_what_is_no_scale_raises(text, message):
    """Each failure is a ScaleError that says what is wrong."""
    with pytest.raises(ScaleError, match=message):
        LevelScale.from_json(text)


def test_nothing_to_fit_raises(tmp_path):
    """No profile with a measure, no scale; a missing file is named."""
    with pytest.raises(ScaleError, match="none of the profiles"):
        LevelScale.fit([(profile(), None)], name="empty")
    with pytest.raises(ScaleError, match=r"no\.json"):
        LevelScale.load(tmp_path / "no.json")


def test_the_default_scale_is_whole_and_apart_for_women_and_men():
    """Its hash matches its content (from_json checks); the median woman reads high among men, normal among women."""
    scale = prosody.DEFAULT_SCALE
    assert {measure: set(groups) for measure, groups in scale.groups.items()} == {
        "pitch": {"pooled", "female", "male"},
        "energy": {"pooled"},
        "rate": {"pooled"},
    }
    woman = profile(scale.groups["pitch"]["female"].quantiles[50], -34.3, 4.43)
    assert scale.read(woman, gender=Gender.FEMALE).pitch.level is Level.NORMAL
    assert scale.read(woman, gender=Gender.MALE).pitch.level is Level.HIGH
    assert scale.read(woman).energy.level is Level.NORMAL
    with pytest.raises(AttributeError, match="no attribute 'SCALE'"):
        _ = prosody.SCALE


def rows(path, profiles):
    path.write_text("".join(json.dumps(Measured("a.wav", "0", p).row()) + "\n" for p in profiles), encoding="utf-8")
    return path


def two_corpora():
    """`small`: 3 women at 200, 210, 220 Hz, without a rate; `large`: 31 men at 100…130 Hz, rates 3…6."""
    small = [profile(200.0 + 10 * i, -30.0, gender=Gender.FEMALE) for i in range(3)]
    large = [profile(100.0 + i, -40.0 + i, 3.0 + i / 10, gender=Gender.MALE) for i in range(31)]
    return {"small": small, "large": large}


def test_distributions_by_hand():
    """Truth: the quantiles of evenly spaced values lie at their share of the span; what has no value has no group."""
    groups = {(g.measure, g.corpus, g.group): g for g in report.distributions(two_corpora())}
    assert len(groups) == 2 * (2 + 2) + 2  # pitch and energy of both, pooled and one gender; rate of one
    expected = 100.0 + 30.0 * np.array([0.05, 1 / 3, 0.5, 2 / 3, 0.95])
    np.testing.assert_allclose(groups["pitch", "large", "male"].quantiles, expected)
    assert groups["pitch", "small", "pooled"].values.tolist() == [200.0, 210.0, 220.0]
    assert ("rate", "small", "pooled") not in groups


def test_the_report_is_a_table_and_a_picture(tmp_path, monkeypatch, capsys):
    """Through the command: a line a group with its size and cuts, small groups marked; PNG and SVG by suffix."""
    files = [rows(tmp_path / f"{name}.jsonl", profiles) for name, profiles in two_corpora().items()]
    for suffix, magic in ((".png", b"\x89PNG"), (".svg", b"<?xml")):
        out = tmp_path / f"r{suffix}"
        monkeypatch.setattr(sys, "argv", ["prosody", "levels", "report", *map(str, files), "-o", str(out)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        assert not left.value.code
        assert out.read_bytes().startswith(magic)
    assert "large, male (n = 31)" in out.read_text(encoding="utf-8")  # the SVG names its groups in a comment
    lines = capsys.readouterr().out.splitlines()
    (men,) = {line for line in lines if line.startswith("pitch") and " male" in line}
    assert men.split()[:4] == ["pitch", "large", "male", "31"]
    assert men.split()[5:8] == ["110.00", "115.00", "120.00"]
    (women,) = {line for line in lines if line.startswith("pitch") and "female" in line}
    assert "under 20 clips" in women


def test_a_report_of_nothing_is_an_error():
    """Profiles without a measure make no distribution."""
    with pytest.raises(ScaleError, match="none of the profiles"):
        report.distributions({"empty": [profile()]})
