from __future__ import annotations
from speech_records import Claim, ProsodyLevels, ProsodyProfile


def verify(text: str, profile: ProsodyProfile, levels: ProsodyLevels | None, transcript: str | None) -> list[Claim]:
    return []
