"""Prosodic claims of a text, each checked against what was measured in the sound.

- `verification`: `verify` and its verdicts
- `finding`, `mentions`: how claims are found in a text; quotes and stressed words
- `senses`, `lexicon`, `tokens`: what words say, from `english.toml`, and their grammar
- `heads`, `scope`, `topics`, `echoes`: what a value is said of; how a claim is put; what is not said of this clip;
  answers and denials that point back
- `quantities`, `measures`, `movement`: numbers with units, what they are said of; evenness and trends
- `cue_values`: what a profile says of each cue
- `faithfulness`, `readable`: one number for a text in [0, 1]; where a text is not what it looks like
- `quotes`: transcripts as harmless quotes
- `texts`: files of texts, each with the measurements of its clip
- `report`: verdicts by cue and by emotion
- `gold`, `counterfactuals`: how good the verifier is on labelled sentences; the measurements they are checked against
- `cli`: the command `speech-claims`

Needs the standard library and `speech_records` only.
"""

from speech_claims.errors import ClaimsError
from speech_claims.faithfulness import FaithfulnessScore, faithfulness
from speech_claims.verification import judge, verify, verify_trace

__all__ = ["ClaimsError", "FaithfulnessScore", "faithfulness", "judge", "verify", "verify_trace"]
