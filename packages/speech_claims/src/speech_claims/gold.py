"""Sentences labelled by hand (`docs/claims.md`), and how well `verify` agrees with them.

Two questions. *Extraction*: are the claims found, cue and value (precision, recall, F1)? *Verdicts*: each labelled
claim is verified against two measurements that are made for it, one in which it is true and one in which its cue was
measured to be something else. By the first it must not be contradicted, by the second it must be; a claim that is not
found is not detected. Where rows name a measured clip and label verdicts, those are compared too.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from speech_claims.counterfactuals import Measurement, counterfactuals, incompatible
from speech_claims.cue_values import MANY_PAUSES
from speech_claims.mentions import NO_WORD
from speech_claims.movement import is_of_time
from speech_claims.quantities import quantity
from speech_claims.verification import NOT, verify
from speech_records import Claim, Cue, FailedItem, MeasuredUtterance, Verdict
from speech_records.files import check_is_file

_CUES: Mapping[str, str] = {
    "loudness": "energy", "volume": "energy", "intensity": "energy", "speaking_rate": "rate", "speech_rate": "rate",
    "tempo": "rate", "range": "pitch_range", "melody": "contour_dynamics", "contour": "contour_shape",
}  # fmt: skip
_VALUES: Mapping[str, Mapping[str, str]] = {
    "pitch": {"deep": "low"},
    "energy": {"loud": "high", "quiet": "low", "soft": "low", "even": "steady", "varied": "varying"},
    "rate": {"fast": "high", "slow": "low", "even": "steady", "varied": "varying"},
    "pitch_range": {"wide": "high", "narrow": "low"},
    "contour_dynamics": {"monotone": "flat", "lively": "expressive"},
}
FORMAT = 2
"""The format of `docs/claims.md`. A row without `format` is of the first one that has words for its labels."""
_FREE = frozenset((Cue.QUOTE.value, Cue.STRESS.value))
_MIDDLES = ("medium", "average", "moderate")
_DYNAMICS = ("flat", "moderate", "expressive", "monotone", "lively")


@dataclass(frozen=True, slots=True)
class GoldClaim:
    """A labelled claim: cue and value in the canonical spelling, and the verdict where one was labelled."""

    cue: Cue
    value: str
    verdict: Verdict | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What is compared: cue and value."""
        return self.cue.value, _folded(self.value)


@dataclass(frozen=True, slots=True)
class GoldSentence:
    """A labelled text. `transcript` is what the speaker says, `clip` the measured clip it speaks of, `format` that of
    `docs/claims.md` by which it was labelled, `style` what kind of text it is.
    """

    name: str
    text: str
    claims: tuple[GoldClaim, ...]
    transcript: str | None = None
    clip: str | None = None
    format: int = FORMAT
    style: str | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Counts over sentences; ratios are `None` where nothing was counted.

    - `labelled`, `found`, `matched`: claims; `missed` and `extra` list (sentence, cue, value) of the others
    - `contradicting`: found claims that cannot be true together with a labelled one of the same text, as *high* where
      the text says *not high*
    - `silent`, `fired`: texts without any labelled claim, and how many of them a claim was found in
    - `flipped`, `detected`: claims checked against a measurement that says otherwise, and how many were contradicted;
      `flipped_found`, how many were found at all
    - `true_claims`, `false_alarms`: claims checked against a measurement that says the same, and how many were
      contradicted
    - `judged`, `judged_right`: labelled verdicts of claims that were found, and how many were given
    """

    sentences: int
    labelled: int
    found: int
    matched: int
    contradicting: int
    silent: int
    fired: int
    flipped: int
    flipped_found: int
    detected: int
    true_claims: int
    false_alarms: int
    judged: int
    judged_right: int
    missed: tuple[tuple[str, str, str], ...]
    extra: tuple[tuple[str, str, str], ...]

    @property
    def precision(self) -> float | None:
        """Share of the found claims that are labelled."""
        return _ratio(self.matched, self.found)

    @property
    def recall(self) -> float | None:
        """Share of the labelled claims that are found."""
        return _ratio(self.matched, self.labelled)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall."""
        return _ratio(2 * self.matched, self.labelled + self.found)

    @property
    def contradicting_share(self) -> float | None:
        """Share of the found claims that contradict a labelled claim of their own text."""
        return _ratio(self.contradicting, self.found)

    @property
    def fire_rate(self) -> float | None:
        """Share of the texts without a claim in which one is found."""
        return _ratio(self.fired, self.silent)

    @property
    def detected_share(self) -> float | None:
        """Share of flipped claims that are contradicted."""
        return _ratio(self.detected, self.flipped)

    @property
    def detected_of_found(self) -> float | None:
        """Share of the flipped claims that are found which are contradicted."""
        return _ratio(self.detected, self.flipped_found)

    @property
    def false_alarm_share(self) -> float | None:
        """Share of true claims that are contradicted."""
        return _ratio(self.false_alarms, self.true_claims)

    @property
    def verdict_accuracy(self) -> float | None:
        """Share of labelled verdicts that are given."""
        return _ratio(self.judged_right, self.judged)


def read_gold(path: Path) -> tuple[list[GoldSentence], list[FailedItem]]:
    """The sentences of a file in the format of `docs/claims.md`, and its bad lines.

    Raises `RecordFileError` when there is no such file.
    """
    check_is_file(path)
    sentences: list[GoldSentence] = []
    failures: list[FailedItem] = []
    for number, raw in enumerate(path.read_bytes().splitlines(), start=1):
        if not raw.strip():
            continue
        try:
            sentences.append(_sentence(json.loads(raw), number))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"no {error} in it" if isinstance(error, KeyError) else str(error)
            failures.append(FailedItem(f"{path.name}:{number}", "read", type(error).__name__, reason))
    return sentences, failures


def agree(sentences: Iterable[GoldSentence], clips: Mapping[str, MeasuredUtterance] | None = None) -> Agreement:
    """How well `verify` agrees with labelled sentences; `clips` are those that the sentences name."""
    totals: Counter[str] = Counter()
    missed: list[tuple[str, str, str]] = []
    extra: list[tuple[str, str, str]] = []
    for sentence in sentences:
        clip = (clips or {}).get(sentence.clip or "")
        claims = _verified(sentence, clip)
        labelled, found = Counter(c.key for c in sentence.claims), Counter(_keys(claims, sentence.format))
        totals.update(sentences=1, labelled=labelled.total(), found=found.total(), matched=(labelled & found).total())
        missed += [(sentence.name, *key) for key in (labelled - found).elements()]
        extra += [(sentence.name, *key) for key in (found - labelled).elements()]
        totals.update(contradicting=sum(_contradicts(key, sentence) for key in found.elements()))
        totals.update(silent=not labelled, fired=not labelled and bool(found))
        totals.update(_verdicts(sentence, claims))
        for claim in sentence.claims:
            totals.update(_counterfactual_verdicts(sentence, claim))
    counts = {f.name: totals[f.name] for f in fields(Agreement) if f.name not in ("missed", "extra")}
    return Agreement(**counts, missed=tuple(missed), extra=tuple(extra))


def _contradicts(key: tuple[str, str], sentence: GoldSentence) -> bool:
    """Whether the found claim is not labelled and cannot be true together with one that is."""
    if any(key == claim.key for claim in sentence.claims):
        return False
    return any(key[0] == c.cue.value and incompatible(c.cue, key[1], c.key[1]) for c in sentence.claims)


def _verified(sentence: GoldSentence, clip: MeasuredUtterance | None) -> list[Claim]:
    if clip is None:
        nothing = Measurement()
        return verify(sentence.text, nothing.profile, nothing.levels, sentence.transcript)
    return verify(sentence.text, clip.profile, clip.levels, clip.utterance.transcript)


def _verdicts(sentence: GoldSentence, claims: Iterable[Claim]) -> Counter[str]:
    """How many labelled verdicts belong to claims that were found, and how many of these are right."""
    labelled = Counter((*c.key, c.verdict.value) for c in sentence.claims if c.verdict is not None)
    given = Counter((*_key(c), c.verdict.value) for c in claims)
    keys: Counter[tuple[str, str]] = Counter()
    for (cue, value, _), number in labelled.items():
        keys[cue, value] += number
    judged = (keys & Counter(_key(c) for c in claims)).total()
    return Counter(judged=judged, judged_right=(labelled & given).total())


def _counterfactual_verdicts(sentence: GoldSentence, claim: GoldClaim) -> Counter[str]:
    """The claim checked against a measurement that says the same and one that says otherwise, where there are such."""
    counts: Counter[str] = Counter()
    made = counterfactuals(claim.cue, claim.value, sentence.transcript)
    if made is None:
        return counts
    for measured, total, contradicted in (
        (made.true, "true_claims", "false_alarms"),
        (made.flipped, "flipped", "detected"),
    ):
        verdicts = {
            c.verdict
            for c in verify(sentence.text, measured.profile, measured.levels, measured.transcript)
            if _key(c) == claim.key
        }
        counts[total] += 1
        counts[contradicted] += Verdict.CONTRADICTED in verdicts
        counts[f"{total}_found"] += bool(verdicts)
    return counts


def _sentence(row: Any, number: int) -> GoldSentence:
    claims = tuple(_claim(c) for c in row["claims"])
    if not row["text"].strip():
        raise ValueError("text is empty")
    name = str(row.get("id", f"line {number}"))
    version = row.get("format", FORMAT if any(_as_format_1(c.key) != c.key for c in claims) else 1)
    if version not in (1, FORMAT):
        raise ValueError(f"format is {version!r}, this version reads 1 and {FORMAT}")
    return GoldSentence(name, row["text"], claims, row.get("transcript"), row.get("clip"), version, row.get("style"))


def _claim(row: Mapping[str, Any]) -> GoldClaim:
    negation = NOT if row["value"].lower().startswith(NOT) else ""
    value = row["value"][len(negation) :]
    cue = _CUES.get(row["cue"].lower(), row["cue"].lower())
    if cue == "intonation" or (cue.startswith("contour_") and value.lower() in _DYNAMICS):
        cue = "contour_dynamics" if value.lower() in _DYNAMICS else "contour_shape"
    if cue in ("pitch", "energy", "rate", "pitch_range") and value.lower() in _MIDDLES:
        value = "normal"
    value = _VALUES.get(cue, {}).get(value.lower(), value)
    if cue not in _FREE and (number := quantity(value)) is not None:
        value = str(number)
    if cue == "stress" and value.lower() in ("none", "no words"):
        value = NO_WORD
    verdict = Verdict(row["verdict"]) if row.get("verdict") is not None else None
    return GoldClaim(Cue(cue), f"{negation}{value}", verdict)


def _keys(claims: Iterable[Claim], version: int) -> list[tuple[str, str]]:
    """Cue and value of each claim, as a format writes them; those that it lacks are left out."""
    keys = (_key(claim) for claim in claims)
    return list(keys) if version == FORMAT else [k for k in map(_as_format_1, keys) if k is not None]


def _as_format_1(key: tuple[str, str]) -> tuple[str, str] | None:
    """A claim as format 1 has it, without numbers, trends, evenness and *no word*; `None` for what it cannot say."""
    cue, value = key
    plain = value.removeprefix(NOT)
    number = None if cue in _FREE else quantity(plain)
    if cue == Cue.PAUSES and number is not None:
        return (cue, "present" if number.unit else "few" if number.high < MANY_PAUSES else "many")
    if number is not None or plain == NO_WORD:
        return None
    if is_of_time(Cue(cue), plain):
        return (cue, "normal") if key == (Cue.RATE, "steady") else None
    return key


def _key(claim: Claim) -> tuple[str, str]:
    return claim.cue.value, _folded(claim.value)


def _folded(value: str) -> str:
    """Without what quoting adds: case and marks at the ends."""
    return value.casefold().replace("’", "'").strip(" .,!?;:…")


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
