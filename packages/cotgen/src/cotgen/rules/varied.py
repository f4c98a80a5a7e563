"""The varied style, `rules/4`: the same facts as the plain one, and more of them, in many structures and words.

A text gathers the evidence in any order, decides at one point (its verdict), and then weighs: what fits, in the
verdict's own sentence or in one of its own, and what speaks against it. It describes the speaker by gender and age
where they were measured, quotes the transcript somewhere on the way, names pitch range, pauses and stressed words,
leaves out a contour that is uncertain, puts it carefully where a reading lies near a border, and says so where cues
speak against the label. The label stands in the last sentence only.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cotgen.rules import varied_wording as wording
from cotgen.rules.draft import MAX_STRESSED, Draft, finish, sides_of, stressed_words
from cotgen.rules.marking import CLOSING, capitalised, mark, opening
from cotgen.rules.phrases import POSSESSIVE, SUBJECT, Agreeing, Fact, with_degree
from cotgen.rules.varied_facts import FACTS
from cotgen.rules.varied_moods import PORTRAITS, REASONS
from speech_claims.cue_values import CueValue
from speech_claims.quotes import ELLIPSIS, quote, words
from speech_records import Cue, Emotion, Gender, Level, MeasuredUtterance, ProsodyLevels
from speech_records.emotion_cues import Evidence

MAX_WEIGHED = 3
"""Most cues that one sentence of the weighing names; more makes no clearer sentence."""
EXTREME_PERCENTILES = 10.0
"""A level this close to an end of its scale is called very high or very low (our choice)."""
_SCALED = (Cue.PITCH, Cue.ENERGY, Cue.RATE)
_STATED = (
    *_SCALED,
    Cue.CONTOUR_SHAPE,
    Cue.CONTOUR_DYNAMICS,
    Cue.PITCH_RANGE,
    Cue.PAUSES,
    Cue.VOICING,
    Cue.VOICE_QUALITY,
)

# How often a text does what the name says: our choice, for variety and nothing else.
_ONLY_DYNAMICS, _ONLY_RANGE = 0.5, 0.8
_VOICED_IS_WORTH_A_WORD = 0.1
_DECIDES_ALONE = 0.45
_QUOTE_FIRST = 0.45
_SPEAKER_QUOTES = 0.4
_GIVES_REASON = 0.6
_LINKED = 0.3
_PRONOUN = 0.6


@dataclass(frozen=True, slots=True)
class _Said:
    """One cue of this clip: the phrases for it, and the adverbs that its measurement allows."""

    cue: Cue
    fact: Fact
    adverbs: Sequence[tuple[str, str]]
    is_close: bool


def write(
    measured: MeasuredUtterance,
    readings: Mapping[Cue, CueValue],
    *,
    emotion: Emotion,
    label: str,
    rng: random.Random,
) -> Draft:
    """A text of 50 to 200 words that leads to `label`, the name of `emotion`."""
    writer = _Writer(rng)
    facts = _facts(measured, readings, rng)
    sides = sides_of(emotion, readings, list(facts))
    has_quote = quote(measured.utterance.transcript) is not None
    evidence = writer.evidence(list(facts.values()))
    weighing = writer.weigh(facts, sides, emotion, has_quote=has_quote)
    stressed = list(stressed_words(measured))[:MAX_STRESSED]
    if stressed:
        evidence.insert(rng.randint(0, len(evidence)), writer.stress(stressed))
    body = writer.with_speaker_and_quote(evidence, measured, readings)
    sentences = writer.settle([*body, *weighing], readings)
    conclusion = capitalised(rng.choice(wording.CONCLUSIONS).format(label=label))
    return finish(sentences, conclusion, fillers=[capitalised(rng.choice(texts)) for texts in wording.FILLERS], rng=rng)


def _facts(measured: MeasuredUtterance, readings: Mapping[Cue, CueValue], rng: random.Random) -> dict[Cue, _Said]:
    """What is to be said of each cue, in an order drawn from `rng`."""
    cues = [cue for cue in _STATED if cue in readings]
    if Cue.CONTOUR_DYNAMICS in cues and Cue.PITCH_RANGE in cues:  # two names for about the same measurement
        draw = rng.random()
        if draw < _ONLY_RANGE:
            cues.remove(Cue.PITCH_RANGE if draw < _ONLY_DYNAMICS else Cue.CONTOUR_DYNAMICS)
    if _value(readings, Cue.VOICING) == "voiced" and rng.random() >= _VOICED_IS_WORTH_A_WORD:
        cues.remove(Cue.VOICING)
    rng.shuffle(cues)
    said = {}
    for cue in cues:
        key = _pauses(measured, readings[cue], rng) if cue is Cue.PAUSES else readings[cue].value
        close = cue in (*_SCALED, Cue.PITCH_RANGE) and len(readings[cue].accepted) > 1
        adverbs = wording.WEAK if close else wording.STRONG if _is_extreme(measured.levels, cue) else ()
        said[cue] = _Said(cue, FACTS[cue, key], adverbs, close)
    return said


def _value(readings: Mapping[Cue, CueValue], cue: Cue) -> str:
    return readings[cue].value if cue in readings else ""


def _is_extreme(levels: ProsodyLevels | None, cue: Cue) -> bool:
    reading = getattr(levels, cue.value) if levels is not None and cue in _SCALED else None
    if reading is None:
        return False
    return bool(
        (reading.level is Level.HIGH and reading.percentile >= 100 - EXTREME_PERCENTILES)
        or (reading.level is Level.LOW and reading.percentile <= EXTREME_PERCENTILES)
    )


def _pauses(measured: MeasuredUtterance, reading: CueValue, rng: random.Random) -> str:
    """Under which name the pauses are spoken of: their number or their length."""
    if reading.value == "none":
        return "none"
    length = "long" if reading.value == "long" else "short"
    if len(measured.profile.pauses) == 1:
        return f"one {length}"
    return rng.choice([length, length, "present", *(n for n in ("few", "many") if n in reading.accepted)])


class _Writer:
    """Sentences of one text: what was drawn for it once, and what is drawn for each sentence."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._links = rng.sample(wording.LINKS, k=len(wording.LINKS))
        self._used: set[str] = set()

    def evidence(self, facts: Sequence[_Said]) -> list[str]:
        """Sentences of one to three facts each."""
        sentences: list[str] = []
        rest = list(facts)
        while rest:
            count = min(len(rest), self._rng.choice((1, 1, 2, 2, 2, 3)))
            sentences.append(self._sentence(wording.EVIDENCE[count], rest[:count], linked=bool(sentences)))
            rest = rest[count:]
        return sentences

    def weigh(
        self, facts: Mapping[Cue, _Said], sides: Mapping[Evidence, Sequence[Cue]], emotion: Emotion, *, has_quote: bool
    ) -> list[str]:
        """The verdict, what fits it and what speaks against it."""
        fitting = [facts[cue] for cue in sides[Evidence.FITS][:MAX_WEIGHED]]
        opposing = [facts[cue] for cue in sides[Evidence.AGAINST][:MAX_WEIGHED]]
        verdict = self._rng.choice(wording.VERDICTS).format(portrait=self._rng.choice(PORTRAITS[emotion]))
        if not fitting:
            weighing = [self._rng.choice(wording.NOTHING_FITS).format(verdict=verdict)]
            if opposing:
                return [*weighing, self._weigh(wording.OPPOSING_ALONE, opposing)]
            return [*weighing, self._rng.choice(wording.NOTHING_AT_ALL)]
        if self._rng.random() < _DECIDES_ALONE:
            weighing = [f"{verdict}.", *self._reason(emotion), self._weigh(wording.FITTING_APART, fitting)]
        else:
            weighing = [self._weigh(wording.FITTING, fitting, verdict=verdict), *self._reason(emotion)]
        if not opposing:
            return [*weighing, self._rng.choice(wording.NOTHING_OPPOSES)]
        weighing.append(self._weigh(wording.OPPOSING, opposing))
        return [*weighing, *self._outcome(fitting, opposing, has_quote=has_quote)]

    def stress(self, stressed: Sequence[str]) -> str:
        """A sentence on the words that are stressed, each a claim of its own."""
        head, *tail = (" ".join(words(word)) for word in stressed)
        joint = f"”{CLOSING} and "
        others = zip(tail, stressed[1:], strict=True)
        listed = "".join(
            [f"“{stressed[0]}", *(f"{joint}{opening(Cue.STRESS, said)}“{word}" for said, word in others), "”"]
        )
        agreeing = self._rng.choice(wording.STRESS)
        return mark(agreeing.plural if tail else agreeing.singular, Cue.STRESS, head, word=listed)

    def with_speaker_and_quote(
        self, evidence: list[str], measured: MeasuredUtterance, readings: Mapping[Cue, CueValue]
    ) -> list[str]:
        """`evidence` with what is said of the speaker, and the quote, among it."""
        rng = self._rng
        speaker = wording.SPEAKERS.get((_value(readings, Cue.GENDER), _value(readings, Cue.AGE)))
        speaker = speaker or wording.SPEAKERS.get((_value(readings, Cue.GENDER), ""))
        said = quote(measured.utterance.transcript)
        sentences = list(evidence)
        place = 0 if rng.random() < _QUOTE_FIRST else rng.randint(0, len(sentences))
        if said is not None and speaker is not None and rng.random() < _SPEAKER_QUOTES:
            sentences.insert(place, _quoted(_introducing(wording.SPOKEN_QUOTES, said, rng), said, speaker=speaker))
            return sentences
        if said is not None:
            sentences.insert(place, _quoted(_introducing(wording.QUOTES, said, rng), said))
        if speaker is not None:
            sentences.insert(rng.randint(0, 1), rng.choice(wording.SPEAKER_SENTENCES).format(speaker=speaker))
        return sentences

    def settle(self, sentences: Sequence[str], readings: Mapping[Cue, CueValue]) -> list[str]:
        """The sentences with speaker and possessives named, and in capitals where they begin.

        A pronoun stands only after the sentence that says what the speaker is.
        """
        gender = _value(readings, Cue.GENDER)
        introduced = False
        settled = []
        for sentence in sentences:
            text = sentence
            for place, plain, pronouns in (
                (SUBJECT, "the speaker", wording.PRONOUNS),
                (POSSESSIVE, "the", wording.POSSESSIVES),
            ):
                while place in text:
                    other = introduced and gender and self._rng.random() < _PRONOUN
                    text = text.replace(place, pronouns[Gender(gender)] if other else plain, 1)
            introduced = introduced or _GENDER in sentence
            settled.append(capitalised(text))
        return settled

    def _sentence(self, templates: Sequence[Agreeing], facts: Sequence[_Said], *, linked: bool = False) -> str:
        agreeing = self._fresh(templates)
        template = agreeing.plural
        nouns = {f"n{i}": self._rng.choice(said.fact.nouns) for i, said in enumerate(facts) if f"{{n{i}}}" in template}
        if len(nouns) == 1 and not any(noun.plural for noun in nouns.values()):
            template = agreeing.singular
        is_linked = linked and self._links and template.startswith("{c0}") and self._rng.random() < _LINKED
        if is_linked:
            template = self._links.pop() + template
        fields = {
            name: with_degree(noun.indefinite, facts[int(name[1])].adverbs, self._rng) for name, noun in nouns.items()
        }
        for i, said in enumerate(facts):
            if f"{{c{i}}}" in template:
                fields[f"c{i}"] = self._clause(said, closes=i == len(facts) - 1 and not (is_linked and i == 0))
        return template.format(**fields)

    def _fresh(self, templates: Sequence[Agreeing]) -> Agreeing:
        """One of `templates` that this text does not have yet, unless that takes long to find."""
        agreeing = self._rng.choice(templates)
        for _ in range(3):
            if agreeing.plural not in self._used:
                break
            agreeing = self._rng.choice(templates)
        self._used.add(agreeing.plural)
        return agreeing

    def _clause(self, said: _Said, *, closes: bool) -> str:
        adverbs = said.adverbs
        closing = ""
        if said.is_close and closes and self._rng.random() < _LINKED:
            adverbs, closing = (), self._rng.choice(wording.ONLY_JUST)
        return with_degree(self._rng.choice(said.fact.clauses), adverbs, self._rng) + closing

    def _weigh(self, templates: Sequence[Agreeing], facts: Sequence[_Said], **fields: str) -> str:
        nouns = [self._rng.choice(said.fact.nouns) for said in facts]
        agreeing = self._rng.choice(templates)
        template = agreeing.plural if len(nouns) > 1 or nouns[0].plural else agreeing.singular
        *head, last = (with_degree(noun.definite, (), self._rng) for noun in nouns)
        cues = f"{', '.join(head)} and {last}" if head else last
        return template.format(cues=cues, **fields)

    def _reason(self, emotion: Emotion) -> list[str]:
        return [self._rng.choice(REASONS[emotion])] if self._rng.random() < _GIVES_REASON else []

    def _outcome(self, fitting: Sequence[_Said], opposing: Sequence[_Said], *, has_quote: bool) -> list[str]:
        """How a conflict is settled: the words leave it open, and one side weighs more or does not."""
        outcomes = wording.OUTWEIGHED if len(fitting) > len(opposing) else wording.UNDECIDED
        conflict = [self._rng.choice(wording.CONFLICTS)] if has_quote else []
        return [*conflict, self._rng.choice(outcomes)]


_GENDER = opening(Cue.GENDER, "female")[: len(Cue.GENDER.value) + 1]
"""How the mark of any claim of gender begins."""


def _introducing(templates: Sequence[str], said: str, rng: random.Random) -> str:
    """One of `templates`; for a single word one that says first that it is spoken, or it could be any quoted term."""
    template = rng.choice(templates)
    while template.startswith("[") and len(words(said)) == 1:
        template = rng.choice(templates)
    return template


def _quoted(template: str, said: str, **fields: str) -> str:
    """A sentence that quotes `said`: inside the marks it ends as the sentence does, when that ends with it."""
    if template.endswith("]"):
        text = said if said[-1] in ".!?" + ELLIPSIS else f"{said}."
    else:
        text = said.rstrip(".") or said
    return mark(template, Cue.QUOTE, text, text=text, **fields)
