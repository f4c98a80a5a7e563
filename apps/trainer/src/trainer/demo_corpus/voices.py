"""Who speaks in the demo corpus: twenty of espeak-ng's English voices."""

from __future__ import annotations

from dataclasses import dataclass

from speech_records import Gender


@dataclass(frozen=True, slots=True)
class Voice:
    """A speaker: an espeak-ng voice (accent and timbre), where its pitch rests, and the split it belongs to."""

    voice_id: str
    espeak_name: str
    gender: Gender
    rest_pitch: int
    """Resting pitch in espeak-ng's parameter steps, low enough that few excited words meet the end of the scale.

    Neutral speech then has 99 to 112 Hz (male) and 180 to 226 Hz (female).
    """
    split: str


F, M = Gender.FEMALE, Gender.MALE
VOICES: tuple[Voice, ...] = (
    Voice("f01", "en-us+f2", F, 48, "train"),
    Voice("m01", "en-us+m3", M, 52, "train"),
    Voice("f02", "en-gb-scotland+Annie", F, 46, "test"),
    Voice("m02", "en-gb-x-rp+Michael", M, 60, "test"),
    Voice("f03", "en-us-nyc+linda", F, 40, "train"),
    Voice("m03", "en-gb-scotland+Alex", M, 57, "train"),
    Voice("f04", "en-gb-x-gbclan+f5", F, 54, "train"),
    Voice("m04", "en-029+Reed", M, 47, "train"),
    Voice("f05", "en-us+belinda", F, 49, "test"),
    Voice("m05", "en-us-nyc+adam", M, 53, "test"),
    Voice("f06", "en-gb-x-rp+Andrea", F, 39, "train"),
    Voice("m06", "en-gb-x-gbcwmd+m7", M, 63, "train"),
    Voice("f07", "en-us+Alicia", F, 34, "train"),
    Voice("m07", "en-us-nyc+john", M, 55, "train"),
    Voice("f08", "en-029+anika", F, 26, "train"),
    Voice("m08", "en-gb-x-gbclan+benjamin", M, 53, "train"),
    Voice("f09", "en-gb-scotland+f3", F, 48, "train"),
    Voice("m09", "en-029+m5", M, 58, "train"),
    Voice("f10", "en-gb-x-rp+steph", F, 56, "validation"),
    Voice("m10", "en-us-nyc+max", M, 57, "validation"),
)
"""In the order in which a smaller corpus takes them; any four or more hold both genders in both splits."""
del F, M
