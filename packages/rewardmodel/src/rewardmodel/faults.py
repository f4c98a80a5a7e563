"""The single faults: each takes a parsed trace and returns it damaged, with the points that this costs.

A fault returns `None` when the trace offers nothing that it could damage. What is taken off is measured on the result;
the table of couplings is in `corruption`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from math import ceil, floor
from random import Random

from rewardmodel.alteration import Rewriter
from rewardmodel.graded import COSTS, MAX_SEVERITY, Fault, Penalty
from rewardmodel.parsing import ParsedTrace, Sentence, parse_trace, share
from speech_claims import verify
from speech_records import Cue, Emotion, LabelSet, ProsodyProfile
from speech_records.emotion_cues import affect_distance

Damage = Callable[[ParsedTrace, int, Random], ParsedTrace | None]
PREMISE_COUPLING = COSTS[Fault.WRONG_FACTS].interpretation / COSTS[Fault.WRONG_FACTS].factual
"""Points of interpretation lost for each point of factual alignment: a conclusion from wrong premises."""
ARGUMENT_PENALTY = COSTS[Fault.MISSING_CUES].interpretation
"""Points of interpretation lost with all sentences that weigh several cues."""
_UNMEASURED = ProsodyProfile(duration_s=1.0, sample_rate=16_000)
MISLABEL_PENALTY = 1.0
"""Points of interpretation that the nearest wrong emotion costs at least; the farthest costs 4 (our choice)."""


def _count(whole: int, severity: int, *, at_most: int) -> int:
    """How many of `whole` pieces a severity damages: s/4 of them, rounded half up, at least one."""
    return min(at_most, max(1, floor(whole * severity / MAX_SEVERITY + 0.5)))


def wrong_facts(trace: ParsedTrace, severity: int, generator: Random, *, rewriter: Rewriter) -> ParsedTrace | None:
    """The trace as written from measurements some of which are another clip's; counts the facts that are wrong then."""
    count = _count(len(trace.cues), severity, at_most=len(trace.cues))
    written = rewriter.rewrite(count, generator)
    if written is None:
        return None
    parsed = parse_trace(written, label_set=trace.label_set)
    lost = parsed.penalty.factual
    return replace(parsed, penalty=parsed.penalty + Penalty(interpretation=PREMISE_COUPLING * lost)) if lost else None


def wrong_inference(trace: ParsedTrace, severity: int, generator: Random) -> ParsedTrace | None:
    """Another emotion in conclusion and answer: the nearest labels at severity 1, the farthest at 4."""
    others = sorted(
        (label for label in trace.label_set.labels if label is not trace.answer),
        key=lambda label: (affect_distance(trace.answer, label), label),
    )
    if not others:
        return None
    low = floor((severity - 1) * len(others) / MAX_SEVERITY)
    high = ceil(severity * len(others) / MAX_SEVERITY)
    wrong = generator.choice(others[low:high])
    lost = mislabel_penalty(trace.answer, wrong, label_set=trace.label_set)
    sentences = tuple(_relabelled(s, trace.answer, wrong, trace.label_set) for s in trace.sentences)
    return replace(trace, sentences=sentences, answer=wrong, penalty=trace.penalty + Penalty(interpretation=lost))


def mislabel_penalty(right: Emotion, given: Emotion, *, label_set: LabelSet) -> float:
    """Points that a wrong answer costs, 0 for the right one, 4 for the farthest label of `label_set`.

    >>> from speech_records import IEMOCAP_4
    >>> [round(mislabel_penalty(Emotion.ANGRY, label, label_set=IEMOCAP_4), 1) for label in IEMOCAP_4.labels]
    [2.9, 4.0, 3.7, 0.0]
    """
    if right is given:
        return 0.0
    farthest = max(affect_distance(right, label) for label in label_set.labels)
    distance = min(1.0, affect_distance(right, given) / farthest) if farthest else 0.0
    return MISLABEL_PENALTY + (4.0 - MISLABEL_PENALTY) * distance


def _relabelled(sentence: Sentence, right: Emotion, wrong: Emotion, label_set: LabelSet) -> Sentence:
    """The sentence with every mention of one label, outside claims, turned into the other.

    A label inside a claim is a quoted word of the speaker or a whispered voice: evidence, no conclusion.
    """
    label = re.compile(rf"(?<![\w-]){re.escape(label_set.text(right))}(?![\w-])", re.IGNORECASE)
    spans = [
        match.span()
        for match in label.finditer(sentence.text)
        if not any(claim.start < match.end() and match.start() < claim.end for claim in sentence.claims)
    ]
    return sentence.replace_spans(spans, label_set.text(wrong))


def missing_cues(trace: ParsedTrace, severity: int, generator: Random) -> ParsedTrace | None:
    """Every sentence gone that speaks of a dropped cue; cues that are never weighed against others go first.

    The last sentence, the conclusion, stays.
    """
    *body, last = trace.sentences
    weighing = [sentence for sentence in body if len(sentence.cues) > 1]
    weighed = frozenset[Cue]().union(*(sentence.cues for sentence in weighing))
    removable = trace.cues - last.cues
    alone, together = sorted(removable - weighed), sorted(removable & weighed)
    order = generator.sample(alone, len(alone)) + generator.sample(together, len(together))
    if not order:
        return None
    dropped = frozenset(order[: _count(len(trace.cues), severity, at_most=len(order))])
    kept = [sentence for sentence in body if not sentence.cues & dropped]
    result = replace(trace, sentences=(*kept, last))
    missing = trace.cues - result.cues - _claimed(result.think)
    gone = sum(sentence not in kept for sentence in weighing)
    penalty = Penalty(
        completeness=4.0 * share(len(missing), len(trace.cues)),
        interpretation=ARGUMENT_PENALTY * share(gone, len(weighing)),
    )
    return replace(result, penalty=trace.penalty + penalty)


def _claimed(think: str) -> frozenset[Cue]:
    """The cues that a text speaks of by itself: what a sentence claims may depend on those before it, now gone."""
    return frozenset(claim.cue for claim in verify(think, _UNMEASURED, None, None))


def broken_language(trace: ParsedTrace, severity: int, generator: Random) -> ParsedTrace | None:
    """Sentences whose words are shuffled, stuttered or cut off in the middle.

    Claims do not survive this, so it is the last of mixed faults.
    """
    sentences = trace.sentences
    chosen = generator.sample(range(len(sentences)), _count(len(sentences), severity, at_most=len(sentences)))
    texts = [sentence.text for sentence in sentences]
    left = {cue for i, sentence in enumerate(sentences) if i not in chosen for cue in sentence.cues}
    for i in chosen:
        breaks = [text for way in (_shuffled, _stuttered, _cut) if (text := way(texts[i], generator)) != texts[i]]
        texts[i] = generator.choice(breaks)
        # Only a cut text is a beginning of what it was; the words of others are all still there.
        is_cut = sentences[i].text.startswith(texts[i])
        left |= {c.cue for c in sentences[i].claims if not is_cut or c.end <= len(texts[i])}
    lost = Penalty(
        fluency=4.0 * share(len(chosen), len(sentences)),
        completeness=4.0 * share(len(trace.cues - left), len(trace.cues)),
    )
    return replace(trace, sentences=tuple(Sentence(text) for text in texts), penalty=trace.penalty + lost)


def _shuffled(text: str, generator: Random) -> str:
    words = text.split()
    return " ".join(generator.sample(words, len(words)))


def _stuttered(text: str, generator: Random) -> str:
    words = text.split()
    again = set(generator.sample(range(len(words)), ceil(len(words) / 2)))
    return " ".join(word for i, word in enumerate(words) for _ in range(3 if i in again else 1))


def _cut(text: str, generator: Random) -> str:
    words = text.split(" ")
    return " ".join(words[: max(1, generator.randint(len(words) // 3, len(words) // 2))])
