"""Texts of any writer find their measurements; the command `speech-claims`."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from speech_claims import cli
from speech_claims.faithfulness import offered_cues
from speech_claims.texts import measured_texts
from speech_records import Emotion, FailedItem, MeasuredUtterance, ReasoningTrace, read_jsonl, to_json, write_jsonl
from speech_records.streams import measured_index, records

CLIPS = Path(__file__).parent / "data" / "claims_clips.jsonl"


def test_texts_of_both_forms_find_their_measurements(tmp_path: Path) -> None:
    """A trace by id, a published row by audio path; a row with other words is not of that clip."""
    row = '{"audio_path": "%s", "transcription": "%s", "emotion": "sad", "cot_analysis": "Quiet."}\n'
    path = tmp_path / "texts.jsonl"
    trace = ReasoningTrace("loud", "The voice is loud.", Emotion.ANGRY)
    path.write_text(
        to_json(trace)
        + "\n"
        + row % ("quiet.wav", "Dogs are sitting by the door")
        + row % ("quiet.wav", "Something else")
        + row % ("nowhere.wav", "")
        + to_json(replace(trace, utterance_id="nobody"))
        + "\n{broken\n"
    )
    found: list[FailedItem] = []
    with measured_index(CLIPS, found.append) as index:
        pairs = list(measured_texts(path, index, found.append))
    assert [(t.think, m.utterance.utterance_id) for t, m in pairs] == [
        ("The voice is loud.", "loud"),
        ("Quiet.", "quiet"),
    ]
    assert [f.id for f in found] == [f"texts.jsonl:{n}" for n in (3, 4, 5, 6)]
    assert "profile of another utterance" in found[0].message


def test_explanations_of_ones_own_need_a_text_and_a_clip(tmp_path: Path) -> None:
    """Rows by utterance id and by audio path, the emotion from the row or from the measured utterance; six bad rows."""
    rows: list[object] = [
        {"utterance_id": "loud", "text": "The voice is loud."},
        {"audio_path": "quiet.wav", "text": "The voice is loud.", "emotion": "joy", "mark": 3},
        {"text": "The voice is loud."},
        {"audio_path": "quiet.wav"},
        {"audio_path": "quiet.wav", "text": 3},
        {"audio_path": "quiet.wav", "text": "Loud.", "emotion": "blue"},
        {"audio_path": "quiet.wav", "text": " "},
        [1],
    ]
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found: list[FailedItem] = []
    with measured_index(CLIPS, found.append) as index:
        pairs = list(measured_texts(path, index, found.append))
    assert [(t.utterance_id, t.answer) for t, _ in pairs] == [("loud", Emotion.ANGRY), ("quiet", Emotion.HAPPY)]
    assert [f.id for f in found] == [f"texts.jsonl:{n}" for n in (3, 4, 5, 6, 7, 8)]
    for failure, part in zip(
        found,
        ("names no clip", "holds no text", "must be a text", "'blue'", "must not be empty", "object"),
        strict=True,
    ):
        assert part in failure.message


def test_verify_report_and_score_follow_one_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`loud` is loud and high: of two claims one is contradicted; the one labelled claim is found."""
    texts, out = tmp_path / "texts.jsonl", tmp_path / "verified.jsonl"
    texts.write_text(json.dumps({"utterance_id": "loud", "text": "It is loud, and the pitch is low."}) + "\n")
    picture, report = tmp_path / "verdicts.png", tmp_path / "report.json"
    arguments = ["verify", texts, "--profiles", CLIPS, "-o", out, "--report", report, "--picture", picture]
    assert cli.main([str(a) for a in arguments]) == 1
    assert "'pitch is low' claims low; measured" in capsys.readouterr().err
    (trace,) = read_jsonl(out, ReasoningTrace)
    assert [(c.cue.value, c.verdict.value) for c in trace.claims] == [
        ("energy", "supported"),
        ("pitch", "contradicted"),
    ]
    assert json.loads(report.read_text())["total"]["share"] == 0.5
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert cli.main(["report", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["total"]["contradicted"] == 1
    gold = tmp_path / "gold.jsonl"
    gold.write_text('{"text": "It is loud.", "claims": [{"cue": "energy", "value": "high"}]}\n')
    assert cli.main(["score", str(gold)]) == 0
    assert json.loads(capsys.readouterr().out)["f1"] == 1.0


def test_report_prints_the_score_with_its_floor_and_ceiling(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`loud` offers what its profile holds: a text with one true claim, one with a false one too; a text of more than
    the scored length is named and left out.
    """
    loud = next(m for m in read_jsonl(CLIPS, MeasuredUtterance) if m.utterance.utterance_id == "loud")
    share = 1 / len(offered_cues(loud.profile, loud.levels))
    texts, best = tmp_path / "texts.jsonl", tmp_path / "best.jsonl"
    traces = [
        ReasoningTrace("loud", text, Emotion.ANGRY) for text in ("It is loud.", "It is loud and slow.", "a" * 30_000)
    ]
    write_jsonl(texts, traces)
    write_jsonl(best, traces[:1])
    arguments = ["report", str(texts), "--profiles", str(CLIPS), "--ceiling", str(best)]
    assert cli.main([*arguments, "--json"]) == 1
    out, err = capsys.readouterr()
    made = json.loads(out)["faithfulness"]
    assert list(made) == ["texts", "floor: modal values", "floor: likely values", "ceiling"]
    assert made["texts"]["texts"] == 2
    assert made["texts"]["score"] == pytest.approx(share / 2)
    assert made["ceiling"]["score"] == pytest.approx(share)
    assert "30000 characters" in err
    cli.main(arguments)
    assert "floor: likely values" in capsys.readouterr().out
    assert cli.main(["report", str(texts), "--ceiling", str(best)]) == 1
    assert "--ceiling needs --profiles" in capsys.readouterr().err


def test_what_cannot_be_done_is_one_line_and_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", str(tmp_path / "nowhere.jsonl")]) == 1
    assert capsys.readouterr().err.splitlines() == [f"speech-claims: {tmp_path}/nowhere.jsonl does not exist"]


@pytest.mark.slow
def test_verification_needs_no_more_memory_for_a_larger_file(tmp_path: Path) -> None:
    """Ten times the traces and measurements, less than 8 MiB more at the peak."""
    (first, *_) = read_jsonl(CLIPS, MeasuredUtterance)
    peaks = []
    for rows in (1_500, 15_000):
        folder = tmp_path / str(rows)
        folder.mkdir()
        write_jsonl(
            folder / "measured.jsonl",
            (
                replace(first, utterance=replace(first.utterance, utterance_id=f"u{i}", audio_path=f"{i}.wav"))
                for i in range(rows)
            ),
        )
        write_jsonl(
            folder / "traces.jsonl",
            (ReasoningTrace(f"u{i}", f"Clip {i} is loud and the pitch is high.", Emotion.ANGRY) for i in range(rows)),
        )
        code = (
            "import sys; from speech_claims import cli\n"
            "try: cli.main(sys.argv[1:])\n"
            "except SystemExit: pass\n"
            "print(next(line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line))"
        )
        arguments = ["verify", "traces.jsonl", "--profiles", "measured.jsonl", "-o", "verified.jsonl"]
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True, check=True
        )
        assert len(list(records(folder / "verified.jsonl", ReasoningTrace, print))) == rows
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] - peaks[0] < 8, peaks
