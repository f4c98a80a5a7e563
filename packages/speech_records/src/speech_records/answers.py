"""What a model is asked, and the think/answer form in which it reasons and answers."""

from __future__ import annotations

from speech_records.emotions import LabelSet
from speech_records.response_parser import parse_response


def emotion_question(label_set: LabelSet) -> str:
    """The question that training data and policies share, with every label as it must be spelled in the answer.

    >>> from speech_records import IEMOCAP_4
    >>> emotion_question(IEMOCAP_4)
    'Which emotion do you hear: neutral, happy, sad, angry? Reason from the sound, then answer.'
    """
    labels = ", ".join(label_set.text(label) for label in label_set.labels)
    return f"Which emotion do you hear: {labels}? Reason from the sound, then answer."


def label_question(label_set: LabelSet) -> str:
    """The question that is answered by the label alone, so that hearing can be told from explaining.

    >>> from speech_records import IEMOCAP_4
    >>> label_question(IEMOCAP_4)
    'Which emotion do you hear: neutral, happy, sad, angry? Answer with the label alone.'
    """
    labels = ", ".join(label_set.text(label) for label in label_set.labels)
    return f"Which emotion do you hear: {labels}? Answer with the label alone."


def format_answer(think: str, answer: str) -> str:
    """The text that the strict parser splits back into the same (stripped) parts; raises what it raises.

    >>> format_answer("Loud and fast.", "angry")
    '<think>Loud and fast.</think><answer>angry</answer>'
    """
    text = f"<think>{think.strip()}</think><answer>{answer.strip()}</answer>"
    parse_response(text, strict=True)
    return text
