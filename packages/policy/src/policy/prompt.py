"""The question that the policy answers, in our own wording.

The paper's prompt offers the labels in a fixed list and asks for reasoning before the answer; so does this one.
"""

from __future__ import annotations

from dataclasses import dataclass

from speech_records import LabelSet, emotion_question


@dataclass(frozen=True, slots=True)
class Prompt:
    """The emotion question for one label set.

    >>> from speech_records import IEMOCAP_4
    >>> Prompt(IEMOCAP_4).text
    'Which emotion do you hear: neutral, happy, sad, angry? Reason from the sound, then answer.'
    """

    label_set: LabelSet

    @property
    def text(self) -> str:
        """The question, with every label as it must be spelled in the answer."""
        return emotion_question(self.label_set)
