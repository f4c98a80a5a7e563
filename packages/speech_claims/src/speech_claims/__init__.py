"""Prosodic claims of a text, each checked against what was measured in the sound.

- `verification`: `verify` and its verdicts
- `finding`, `mentions`: how claims are found in a text; quotes and stressed words
- `senses`, `lexicon`, `tokens`, `scope`: what words say, from `english.toml`; their grammar; how a claim is put
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
