"""The records that all packages and applications share, their JSON form, and the emotion taxonomy.

- `records`: utterances, prosody profiles and levels, claims, reasoning traces, reward scores
- `emotions`: the union of what corpora label, aliases, and the label sets of benchmarks
- `emotion_cues`: how each emotion is expected to sound, and how far emotions lie apart
- `answers`, `response_parser`: the question, and the think/answer form of the response, parsed strictly or leniently
- `labels`: which label the words of an answer mean
- `policy_card`: what a policy checkpoint was trained for and on
- `jsonio`: strict JSON and JSON Lines
- `failures`, `files`: the failed item and the log of them; files that are written whole, and their hashes
- `shards`, `streams`: files of any size, one or numbered shards, read a record at a time
- `errors`: the one exception tree

Standard library only.
"""

from speech_records.answers import emotion_question, format_answer, label_question
from speech_records.emotions import (
    ALIASES,
    ALL_14,
    CREMAD_6,
    EMODB_7,
    EMOVO_7,
    IEMOCAP_4,
    LABEL_SETS,
    MELD_7,
    NEMO_6,
    PAPER_9,
    RAVDESS_8,
    SAVEE_7,
    URDU_4,
    Emotion,
    LabelSet,
)
from speech_records.errors import (
    AnswerFormatError,
    InvalidRecordError,
    RecordFileError,
    RecordFormatError,
    SpeechRecordsError,
    UnknownEmotionError,
)
from speech_records.failures import FailedItem
from speech_records.files import atomic_path, atomic_write, file_sha256
from speech_records.jsonio import from_dict, from_json, read_jsonl, to_dict, to_json, write_jsonl
from speech_records.labels import LabelReading, read_label
from speech_records.policy_card import PolicyCard
from speech_records.records import (
    AGE_GROUPS,
    Claim,
    ContourDynamics,
    ContourShape,
    Cue,
    Degree,
    Gender,
    Level,
    LevelReading,
    MeasuredUtterance,
    Pause,
    ProsodyLevels,
    ProsodyProfile,
    ReasoningTrace,
    RewardScores,
    StressedWord,
    SyllableSource,
    Utterance,
    Verdict,
    age_group,
)
from speech_records.response_parser import LenientResponse, StrictResponse, parse_response

__all__ = [
    "AGE_GROUPS",
    "ALIASES",
    "ALL_14",
    "CREMAD_6",
    "EMODB_7",
    "EMOVO_7",
    "IEMOCAP_4",
    "LABEL_SETS",
    "MELD_7",
    "NEMO_6",
    "PAPER_9",
    "RAVDESS_8",
    "SAVEE_7",
    "URDU_4",
    "AnswerFormatError",
    "Claim",
    "ContourDynamics",
    "ContourShape",
    "Cue",
    "Degree",
    "Emotion",
    "FailedItem",
    "Gender",
    "InvalidRecordError",
    "LabelReading",
    "LabelSet",
    "LenientResponse",
    "Level",
    "LevelReading",
    "MeasuredUtterance",
    "Pause",
    "PolicyCard",
    "ProsodyLevels",
    "ProsodyProfile",
    "ReasoningTrace",
    "RecordFileError",
    "RecordFormatError",
    "RewardScores",
    "SpeechRecordsError",
    "StressedWord",
    "StrictResponse",
    "SyllableSource",
    "UnknownEmotionError",
    "Utterance",
    "Verdict",
    "age_group",
    "atomic_path",
    "atomic_write",
    "emotion_question",
    "file_sha256",
    "format_answer",
    "from_dict",
    "from_json",
    "label_question",
    "parse_response",
    "read_jsonl",
    "read_label",
    "to_dict",
    "to_json",
    "write_jsonl",
]
