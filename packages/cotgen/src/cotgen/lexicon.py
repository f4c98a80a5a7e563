"""The words in which English text speaks of prosody, as tables.

A claim joins a *value word* (`high`, `rises`) to a *head* (`pitch`, `voice`); which cue and value that makes is read in
`SENSES[group of the head][value word]`. Some value words claim something by themselves (`loud`, `whispers`): the group
`ALONE`. All other words that matter are grammar: negation, degree, copula, joins, boundaries.

Each word has one letter of grammar (`Kind`); `finding` matches patterns over the string of these letters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from speech_records import Cue

ALONE = "alone"


class Kind(StrEnum):
    """What a word does in a clause, as one letter."""

    HEAD = "H"
    VALUE = "V"
    NEGATION = "N"
    COPULA = "B"
    NEGATED_COPULA = "M"
    DEGREE = "D"
    ARTICLE = "A"
    AND = "C"
    OR = "R"
    BUT = "T"
    PREPOSITION = "P"
    AT_END = "E"
    COMMA = "K"
    BOUNDARY = "X"
    QUOTE = "Q"
    OTHER = "O"


def _split(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in text.split(",") if phrase.strip())


HEADS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "pitch": _split("pitch, pitch level, f0, fundamental frequency, vocal pitch, pitch register, register"),
        "energy": _split(
            "energy, vocal energy, loudness, volume, intensity, amplitude, sound level, energy level, volume level"
        ),
        "rate": _split(
            "rate, speaking rate, speech rate, articulation rate, rate of speech, pace, pacing, tempo, speed,"
            " speaking speed, speech tempo, speaking pace, speech speed, rate of speaking"
        ),
        "range": _split(
            "range, pitch range, vocal range, pitch span, pitch variation, pitch variability, pitch movement,"
            " variation in pitch, variation of pitch, variability, pitch excursions, variation, pitch swings"
        ),
        "contour": _split(
            "contour, pitch contour, intonation, melody, tune, intonation contour, inflection, intonation pattern,"
            " pitch curve, pitch movement at the end, speech melody, pitch pattern, prosody"
        ),
        "voice": _split("voice, tone, tone of voice, speech, delivery, voices, utterance, sentence, phrase"),
        "pauses": _split("pauses, pause, pausing, hesitations, silences, breaks"),
    }
)
"""Nouns that a value is said of, by group."""

_SCALE_HIGH = "high, higher, highest, elevated, raised, heightened, increased, above average, above normal"
_SCALE_LOW = "low, lower, lowest, lowered, reduced, decreased, below average, below normal, dropped"
_SCALE_NORMAL = (
    "normal, medium, moderate, average, mid, middle, ordinary, usual, typical, neutral, mid range, mid level,"
    " unremarkable, balanced, moderate level, regular, in the normal range, within the normal range, around average"
)
_RISING = (
    "rising, rises, rise, ascending, ascends, upward, climbing, climbs, goes up, going up, moves up, moves upward,"
    " lifts, rose, turns upward, upturn, goes upward, swings up"
)
_FALLING = (
    "falling, falls, fall, descending, descends, downward, drops, dropping, drop, goes down, going down, sinks,"
    " sinking, declines, declining, fell, moves down, moves downward, drifts down, drifts downward, downturn"
)
_RISE_FALL = (
    "rising falling, rise fall, rises and falls, rises then falls, rises and then falls, rises before falling,"
    " first rises and then falls, rising then falling, rising and then falling, goes up and then down, up and down"
)
_FALL_RISE = (
    "falling rising, fall rise, falls and rises, falls then rises, falls and then rises, falls before rising,"
    " dips and then rises, first falls and then rises, falling then rising, dips and recovers, falling and then rising"
)
_FLAT = "flat, monotone, monotonous, unvarying, lifeless, singsong free, flattened"
_LEVEL = "level, steady, stable, constant, even, unchanging"
_EXPRESSIVE = "expressive, lively, animated, varied, dynamic, melodic, vivid, highly variable, colourful, colorful"
_MODERATE = "moderate, moderately expressive, moderately varied, moderately lively, moderately animated"

_MOVEMENT: Mapping[tuple[Cue, str], str] = {
    (Cue.CONTOUR_SHAPE, "rising"): _RISING,
    (Cue.CONTOUR_SHAPE, "falling"): _FALLING,
    (Cue.CONTOUR_SHAPE, "rising-falling"): _RISE_FALL,
    (Cue.CONTOUR_SHAPE, "falling-rising"): _FALL_RISE,
    (Cue.CONTOUR_SHAPE, "level"): _LEVEL,
    (Cue.CONTOUR_DYNAMICS, "flat"): _FLAT,
    (Cue.CONTOUR_DYNAMICS, "expressive"): _EXPRESSIVE,
}

_LOUD = "loud, louder, strong, powerful, intense, strongly projected"
_QUIET = "quiet, quieter, soft, softer, weak, faint, hushed, gentle, feeble"
_FAST = "fast, faster, quick, quicker, rapid, brisk, swift, hurried, rushed, speedy, accelerated, quickened, hasty"
_SLOW = "slow, slower, unhurried, leisurely, sluggish, deliberate, drawn out, dragging, slowed, halting, measured"

_TABLE: Mapping[str, Mapping[tuple[Cue, str], str]] = {
    "pitch": {
        **_MOVEMENT,
        (Cue.PITCH, "high"): f"{_SCALE_HIGH}, shrill, sharp, high level",
        (Cue.PITCH, "low"): f"{_SCALE_LOW}, deep, deeper, low level",
        (Cue.PITCH, "normal"): _SCALE_NORMAL,
        (Cue.PITCH_RANGE, "high"): "varies widely, varies a lot, varies strongly, varies greatly, varies considerably, "
        "wide ranging, swings widely, moves a lot, wide, jumps around",
        (Cue.PITCH_RANGE, "low"): "varies little, barely varies, hardly varies, barely moves, hardly moves, narrow, "
        "scarcely varies, scarcely moves, varies only little",
    },
    "energy": {
        (Cue.ENERGY, "high"): f"{_SCALE_HIGH}, {_LOUD}, high level",
        (Cue.ENERGY, "low"): f"{_SCALE_LOW}, {_QUIET}, low level",
        (Cue.ENERGY, "normal"): _SCALE_NORMAL,
    },
    "rate": {
        (Cue.RATE, "high"): f"{_SCALE_HIGH}, {_FAST}",
        (Cue.RATE, "low"): f"{_SCALE_LOW}, {_SLOW}",
        (Cue.RATE, "normal"): f"{_SCALE_NORMAL}, comfortable, even, steady",
    },
    "range": {
        (Cue.PITCH_RANGE, "high"): "wide, wider, large, larger, broad, great, big, high, expanded, extended, much, "
        "considerable, strong, a lot of, lots of, rich, substantial, wide ranging, pronounced",
        (Cue.PITCH_RANGE, "low"): "narrow, narrower, small, smaller, limited, restricted, compressed, low, little, "
        "minimal, reduced, tight, hardly any, barely any, very little",
        (Cue.PITCH_RANGE, "normal"): _SCALE_NORMAL,
    },
    "contour": {
        **_MOVEMENT,
        (Cue.CONTOUR_DYNAMICS, "moderate"): _MODERATE,
        (Cue.PITCH_RANGE, "high"): "wide",
        (Cue.PITCH_RANGE, "low"): "narrow",
    },
    "voice": {
        **_MOVEMENT,
        (Cue.PITCH, "high"): "high, higher, shrill, elevated",
        (Cue.PITCH, "low"): "low, lower, deep, deeper",
        (Cue.ENERGY, "high"): "strong, powerful, raised, booming, thunderous",
        (Cue.ENERGY, "low"): "weak, faint, gentle, feeble",
    },
    "pauses": {
        (Cue.PAUSES, "long"): "long, longer, lengthy, extended, prolonged",
        (Cue.PAUSES, "short"): "short, brief, shorter",
        (Cue.PAUSES, "many"): "many, frequent, numerous, repeated, a lot of, lots of",
        (Cue.PAUSES, "few"): "few, occasional, rare, hardly any, barely any",
    },
    ALONE: {
        (Cue.PITCH, "high"): "high pitched, higher pitched",
        (Cue.PITCH, "low"): "low pitched, lower pitched, deep voiced",
        (Cue.PITCH, "normal"): "medium pitched, normally pitched",
        (Cue.ENERGY, "high"): "loud, louder, loudly, shouts, shouting, shouted, yells, yelling, screams, screaming, "
        "raises his voice, raises her voice, raises their voice, at the top of his voice, at the top of her voice, "
        "energetic, forcefully projected, with a raised voice, boldly projected",
        (Cue.ENERGY, "low"): "quiet, quieter, quietly, soft, softer, softly, hushed, murmurs, mutters, murmured, "
        "muttered, soft spoken, softly spoken, lowers his voice, lowers her voice, lowers their voice, barely audible, "
        "faintly, under his breath, under her breath",
        (Cue.RATE, "high"): "fast, faster, quick, quickly, quicker, rapid, rapidly, brisk, briskly, hurried, "
        "hurriedly, rushed, rushes, hastily, swiftly, in a hurry, rapid fire, fast paced, races through, hurries",
        (Cue.RATE, "low"): "slow, slower, slowly, unhurried, unhurriedly, drawn out, drawls, sluggish, slow paced, "
        "drags, dragging, takes his time, takes her time",
        (Cue.CONTOUR_DYNAMICS, "flat"): "monotone, monotonous, monotonously, in a monotone, flatly",
        (Cue.CONTOUR_DYNAMICS, "expressive"): "expressively, melodiously",
        (Cue.CONTOUR_SHAPE, "rising"): "final rise, ends on a rise, ends with a rise, ends higher, turns up",
        (Cue.CONTOUR_SHAPE, "falling"): "final fall, ends on a fall, ends with a fall, ends lower, trails off",
        (Cue.VOICING, "whispered"): "whispered, whispers, whispering, in a whisper, a whisper, whispery, unvoiced, "
        "voiceless, no voicing, almost no voicing, hardly any voicing, lack of voicing, without voicing, "
        "lacks voicing, barely any voicing, absence of voicing, little voicing, devoid of voicing, whisper like, "
        "toneless, barely voiced, hardly voiced",
        (Cue.VOICING, "voiced"): "voiced, fully voiced, clearly voiced, normally voiced, clear voicing, "
        "normal voicing, phonated, strong voicing, plenty of voicing",
        (Cue.GENDER, "female"): "female, woman, feminine, lady, girl",
        (Cue.GENDER, "male"): "male, man, masculine, guy, boy",
    },
}

FINAL_PHRASES = frozenset(
    _split(
        "final rise, ends on a rise, ends with a rise, ends higher, turns up, final fall, ends on a fall,"
        " ends with a fall, ends lower, trails off"
    )
)
"""Value words of the contour that speak of its end only."""

SENSES: Mapping[str, Mapping[str, tuple[Cue, str]]] = MappingProxyType(
    {
        group: MappingProxyType({word: sense for sense, listed in rows.items() for word in _split(listed)})
        for group, rows in _TABLE.items()
    }
)
"""What a value word means when it is said of a head of a group: cue and value."""

GROUP_OF_HEAD: Mapping[str, str] = MappingProxyType({head: group for group, heads in HEADS.items() for head in heads})

GRAMMAR: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {
        Kind.NEGATION: _split(
            "not, no, never, neither, nor, without, without any, hardly, barely, scarcely, rather than, instead of,"
            " far from, anything but, lacks, lacking, lack of, doesn't, don't, didn't, does not, do not, did not,"
            " cannot, absence of, devoid of, free of"
        ),
        Kind.NEGATED_COPULA: _split("isn't, aren't, wasn't, weren't"),
        Kind.COPULA: _split(
            "is, are, was, were, be, being, been, stays, stay, remains, remain, sounds, sound, seems, seem, appears,"
            " appear, lies, lie, sits, becomes, becoming, turns, gets, feels, comes across as, registers as, keeps,"
            " counts as, stayed, remained, sounded, seemed, appeared, staying, remaining, sounding, runs, rated"
        ),
        Kind.DEGREE: _split(
            "very, quite, rather, fairly, somewhat, slightly, relatively, extremely, really, too, so, notably,"
            " noticeably, clearly, distinctly, markedly, comparatively, pretty, a bit, a little, overall, vocal,"
            " particularly, especially, unusually, remarkably, considerably, much, more, most, less, also, both,"
            " gradually, gently, steadily, then, generally speaking, on the whole, all, not only, not just, here,"
            " just, rated as, described as, perceived as, heard as, measured as, of the voice, in the voice,"
            " of the speaker, of the speech, of speech, of his voice, of her voice, of their voice, in his voice,"
            " in her voice, of this voice, this time, throughout, consistently, mostly, mainly, only, even more,"
            " equally, similarly, as, well, at, moderately, decidedly, strikingly, strongly, sharply, on, than usual,"
            " than normal, than average, than expected, than others, for this speaker, for a man, for a woman,"
            " for a male speaker, for a female speaker, for a male voice, for a female voice, clear, pure, overly, any,"
            " again, rather more, mildly, marked, steep, tense, warm, certain, trembling, bright, thin, husky,"
            " breathy, hard, cold, firm, heavy"
        ),
        Kind.ARTICLE: _split("the, a, an, this, that, these, those, his, her, their, its, such, speaker's, some"),
        Kind.AND: _split("and, as well as, &, plus, along with, together with"),
        Kind.OR: _split("or"),
        Kind.BUT: _split("but, yet, but also, but rather"),
        Kind.PREPOSITION: _split("in, of, with, in terms of, regarding"),
        Kind.AT_END: _split(
            "towards the end, toward the end, at the end, near the end, by the end, at the close, in the end,"
            " on the last word, on the final word, on the last syllable, on the final syllable"
        ),
        Kind.BOUNDARY: _split(
            "although, though, while, whereas, however, because, since, despite, in spite of, even though, which means,"
            " suggesting, whilst, unlike, when, where, as if, as though"
        ),
        Kind.OTHER: _split(
            "emotional intensity, emotional energy, emotional range, dynamic range, emotional tone,"
            " intensity of emotion, frequency range, no doubt, no wonder, no less, parts of speech, high arousal,"
            " low arousal, fall into, falls into, falls under, falls on, fall on, falls within, falls upon,"
            " rise to, rises to"
        ),
    }
)
"""Words that carry no claim but join, negate or separate; the last row keeps idioms from being read as claims."""

HYPOTHETICAL = frozenset(_split("if, would, were it, unless, imagine, whether, could have, might have"))
"""Words in whose clause nothing is claimed of this clip."""
GENERIC = frozenset(
    _split("usually, typically, often, generally, commonly, tend, tends, normally, in general, classically, always")
)
"""Words in whose clause only definite phrases (`the high pitch`) are claims of this clip."""
DEFINITE = frozenset(_split("the, this, these, that, those, his, her, their, its, speaker's"))


def kinds() -> Mapping[str, Kind]:
    """Every phrase of the lexicon with its letter. Where a phrase has two, the one that can carry a claim wins."""
    table: dict[str, Kind] = {}
    for kind, phrases in GRAMMAR.items():
        _add(table, phrases, kind)
    for senses in SENSES.values():
        _add(table, senses, Kind.VALUE)
    _add(table, GROUP_OF_HEAD, Kind.HEAD)
    return MappingProxyType(table)


def _add(table: dict[str, Kind], phrases: Iterable[str], kind: Kind) -> None:
    for phrase in phrases:
        table[phrase] = kind
