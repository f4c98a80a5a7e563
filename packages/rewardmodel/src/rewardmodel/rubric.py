"""What the four criteria of the paper mean here, in our own wording (the paper's rubric was not published)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion: its key in `RewardScores`, the question it asks, and what the scores 1 to 5 stand for."""

    key: str
    question: str
    anchors: tuple[str, str, str, str, str]


RUBRIC = (
    Criterion(
        "factual_alignment",
        "Is what the reasoning says of the sound and the words true of this clip?",
        (
            "Nothing it says of the sound is true.",
            "Most of what it says is wrong.",
            "About half is right and half is wrong.",
            "One detail is wrong, the rest is right.",
            "Everything it says can be heard or measured.",
        ),
    ),
    Criterion(
        "interpretative_quality",
        "Does the conclusion follow from the evidence, and is it the emotion that is expressed?",
        (
            "The conclusion is the opposite of what the evidence says.",
            "The conclusion hardly follows, or goes against most of the evidence.",
            "The conclusion is possible, but the argument has a gap or a wrong premise.",
            "A neighbouring emotion, or the right one with a small gap in the argument.",
            "The right emotion, argued from the evidence, with what speaks against it weighed.",
        ),
    ),
    Criterion(
        "caption_completeness",
        "Does it name the cues that this clip offers?",
        (
            "It names no cue.",
            "It names few of the cues.",
            "It names about half of the cues.",
            "It leaves out one cue.",
            "It names every cue that was measured.",
        ),
    ),
    Criterion(
        "fluency_and_structural_clarity",
        "Is it clear language, in an order that can be followed?",
        (
            "It cannot be read.",
            "Most sentences are broken, repeated or cut off.",
            "About half of the sentences are broken.",
            "One sentence is broken, the rest reads well.",
            "It reads well from the first to the last sentence.",
        ),
    ),
)
"""The rubric that `corrupt` grades by and that a judge can be given, in the order of `RewardScores.CRITERIA`."""


def rubric_markdown() -> str:
    """The rubric as a person or a judge reads it."""
    parts = []
    for criterion in RUBRIC:
        anchors = "\n".join(f"- {score}: {text}" for score, text in enumerate(criterion.anchors, start=1))
        parts.append(f"## {criterion.key}\n{criterion.question}\n\n{anchors}\n")
    return "\n".join(parts)
