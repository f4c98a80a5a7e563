"""Real files in the layout of corpora whose sound is no mono wav, from the folder to the measurements."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from annotator_worker.listing import CorpusRequest, list_corpus
from annotator_worker.local import run
from speech_records import MeasuredUtterance, read_jsonl

RATE = 48_000
FALL_ST = 2.0
"""Made speech falls by this from its `f0_hz`, so its median lies half of it lower."""


def measured(out: Path) -> dict[str, MeasuredUtterance]:
    return {m.utterance.utterance_id: m for m in read_jsonl(out / "measured.jsonl", MeasuredUtterance)}


def letters(out: Path) -> dict[str, tuple[str, str]]:
    lines = (out / "errors.jsonl").read_text().splitlines()
    return {d["id"]: (d["error"], d["message"]) for d in map(json.loads, lines)}


def test_a_conversation_is_measured_voice_by_voice(tmp_path: Path, kit) -> None:
    """Both speak at once: 220 Hz on the left, 110 Hz on the right and half as loud. The mean of the two is neither.

    The second stretch of the right channel lies past the end of the file: a failed item.
    """
    root, name = tmp_path / "expresso", "ex03-ex02_sad-happy_001"
    folder = root / "audio_48khz" / "conversational" / "ex03-ex02" / "sad-happy"
    folder.mkdir(parents=True)
    left = kit.speechlike(220.0, syllables=8, rate_sps=4.0, peak=0.4, sample_rate=RATE)
    right = kit.speechlike(110.0, syllables=8, rate_sps=4.0, peak=0.2, sample_rate=RATE)
    soundfile.write(folder / f"{name}.wav", np.stack([left, right], axis=1), RATE, subtype="PCM_24")
    (root / "VAD_segments.txt").write_text(
        f"#VAD segments\n{name}/channel1\t(0.0, 2.3)\n{name}/channel2\t(0.0, 2.3) (60.0, 62.0)\n"
    )
    out = tmp_path / "out"
    run(list_corpus(CorpusRequest("expresso", root, seed=0, comparative=0)), out)
    found = measured(out)
    assert {n: (m.utterance.speaker_id, m.utterance.channel) for n, m in found.items()} == {
        f"{name}_channel1_0.00_2.30": ("ex03", 0),
        f"{name}_channel2_0.00_2.30": ("ex02", 1),
    }
    first, second = (m.profile for m in found.values())
    lower = 2 ** (-FALL_ST / 2 / 12)
    assert [first.f0_median_hz, second.f0_median_hz] == pytest.approx([220 * lower, 110 * lower], rel=0.02)
    assert (first.energy_dbfs or 0.0) - (second.energy_dbfs or 0.0) > 3.0
    error, message = letters(out)[f"{name}_channel2_60.00_62.00"]
    assert (error, "holds no sample from 60 s to 62 s" in message) == ("EmptyAudioError", True)


def write_meld(root: Path, *clips: str) -> Path:
    """The table of a train split whose clips are `dia0_utt0`, `dia0_utt1`, … and say `clips`."""
    (root / "train_splits").mkdir(parents=True)
    rows = [f"{i},{text},Phoebe,joy,positive,0,{i},8,21,a,b" for i, text in enumerate(clips)]
    heading = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"
    (root / "train_sent_emo.csv").write_text("\n".join([heading, *rows]) + "\n")
    return root / "train_splits"


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_meld_is_read_out_of_its_videos(tmp_path: Path, kit) -> None:
    """Video with six channels of sound, stereo beside a wav of the same, one cut in half and one without sound.

    Truth: pitch as made; equal channels are as loud as one of them. Of the fourth of six (effects) AAC keeps only the
    lowest, so their mean lies between 5/6 of that, 1.6 dB less, and all of it.
    """
    folder = write_meld(tmp_path / "meld", "Six", "Two", "The same", "Cut", "Mute")
    voice = kit.speechlike(200.0, syllables=8, rate_sps=4.0, peak=0.3, sample_rate=RATE)
    picture = ["-f", "lavfi", "-i", "color=s=64x64:r=5:d=2"]
    for index, channels in ((0, 6), (1, 2)):
        soundfile.write(tmp_path / "a.wav", np.tile(voice[:, None], channels), RATE)
        sound = ["-i", str(tmp_path / "a.wav"), "-b:a", "400k", "-movflags", "+faststart"]
        ffmpeg(*picture, *sound, folder / f"dia0_utt{index}.mp4")
    shutil.copy(tmp_path / "a.wav", folder / "dia0_utt2.wav")
    whole = (folder / "dia0_utt0.mp4").read_bytes()
    (folder / "dia0_utt3.mp4").write_bytes(whole[: len(whole) // 2])
    ffmpeg(*picture, folder / "dia0_utt4.mp4")
    out = tmp_path / "out"
    run(list_corpus(CorpusRequest("meld", folder.parent, seed=0, comparative=0)), out)
    six, two, wav = (m.profile for m in measured(out).values())
    pitches = [p.f0_median_hz for p in (six, two, wav)]
    assert pitches == pytest.approx([200 * 2 ** (-FALL_ST / 2 / 12)] * 3, rel=0.02)
    six_db, two_db, wav_db = (p.energy_dbfs or 0.0 for p in (six, two, wav))
    assert two_db == pytest.approx(wav_db, abs=0.2)
    assert wav_db - 1.8 < six_db < wav_db + 0.2
    found = letters(out)
    assert {where: error for where, (error, _) in found.items()} == {
        "train_dia0_utt3": "UnreadableAudioError",
        "train_dia0_utt4": "UnreadableAudioError",
    }
    assert "train_splits/dia0_utt3.mp4: cut short" in found["train_dia0_utt3"][1]
    assert "matches no streams" in found["train_dia0_utt4"][1]


def ffmpeg(*arguments: object) -> None:
    subprocess.run(["ffmpeg", "-loglevel", "error", "-y", *map(str, arguments)], check=True)


def test_meld_without_ffmpeg_says_what_is_missing(tmp_path: Path, kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wav is measured; the video, whatever is in it, is a failed item that names the program."""
    folder = write_meld(tmp_path / "meld", "Sound", "Video")
    soundfile.write(folder / "dia0_utt0.wav", kit.speechlike(200.0, syllables=8, rate_sps=4.0, peak=0.3), 16_000)
    (folder / "dia0_utt1.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    monkeypatch.setenv("PATH", str(tmp_path))
    run(list_corpus(CorpusRequest("meld", folder.parent, seed=0, comparative=0)), tmp_path / "out")
    assert list(measured(tmp_path / "out")) == ["train_dia0_utt0"]
    error, message = letters(tmp_path / "out")["train_dia0_utt1"]
    assert (error, "ffmpeg is not installed" in message) == ("UnreadableAudioError", True)
