"""The four single faults: each takes a draft and returns it damaged, with the points that this costs.

A fault returns `None` when the draft offers nothing that it could damage. What is taken off is measured on the
result; the table of couplings stands in `corruption`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import ceil, floor
from random import Random
from types import MappingProxyType

from rewardmodel.drafts import Draft, Sentence, share
from rewardmodel.graded import MAX_SEVERITY, Fault, Loss
from rewardmodel.wordings import distance, find_value, put, whole_word
from speech_records import Claim, Cue, Emotion, LabelSet, Verdict

PREMISE_COUPLING = 0.5
"""Points of interpretation lost for each point of factual alignment: a conclusion from wrong premises (our choice)."""
ARGUMENT_LOSS = 2.0
"""Points of interpretation lost with all sentences that weigh several cues (our choice)."""
MISLABEL_LOSS = 1.0
"""Points of interpretation that the nearest wrong emotion costs at least; the farthest costs 4 (our choice)."""


def _count(whole: int, severity: int, *, at_most: int) -> int:
    """How many of `whole` pieces a severity damages: s/4 of them, rounded half up, at least one."""
    return min(at_most, max(1, floor(whole * severity / MAX_SEVERITY + 0.5)))


def wrong_facts(draft: Draft, severity: int, generator: Random) -> Draft | None:
    """Cues whose every mention is rewritten to one other value, so that the text stays consistent in itself."""
    options = {cue: options for cue in sorted(draft.cues) if (options := _other_values(draft, cue))}
    if not options:
        return None
    chosen = generator.sample(sorted(options), _count(len(draft.cues), severity, at_most=len(options)))
    replacements: dict[Claim, Claim] = {}
    for cue in chosen:
        replacements |= generator.choice(options[cue])
    lost = 4.0 * share(len(chosen), len(draft.cues))
    return replace(
        draft,
        sentences=tuple(sentence.rewrite(replacements) for sentence in draft.sentences),
        loss=draft.loss + Loss(factual=lost, interpretation=PREMISE_COUPLING * lost),
    )


def _other_values(draft: Draft, cue: Cue) -> list[dict[Claim, Claim]]:
    """The ways to make all claims of `cue` say another value; none when one is not true or has no value word."""
    claims = [claim for claim in draft.claims if claim.cue is cue]
    if any(claim.verdict is not Verdict.SUPPORTED for claim in claims):
        return []
    if cue is Cue.STRESS:
        return _other_words(draft, claims)
    found = [(claim, find_value(claim.text, cue, claim.value)) for claim in claims]
    rows = [(claim, *hit) for claim, hit in found if hit is not None]
    if len(rows) < len(claims):
        return []
    values = set.intersection(*(set(row) for _, row, _ in rows)) - {claim.value for claim in claims}
    return [
        {claim: _claiming(claim, put(row[value], match), value) for claim, row, match in rows}
        for value in sorted(values)
    ]


def _other_words(draft: Draft, claims: Sequence[Claim]) -> list[dict[Claim, Claim]]:
    """The ways to call another word of the quoted transcript stressed."""
    quoted = [word for claim in draft.claims if claim.cue is Cue.QUOTE for word in _words(claim.text)]
    stressed = {claim.value for claim in claims}
    matches = [(claim, whole_word(claim.value).search(claim.text)) for claim in claims]
    hits = [(claim, match) for claim, match in matches if match is not None]
    if len(hits) < len(claims) or len(stressed) > 1:
        return []
    others = sorted({word.lower() for word in quoted} - {value.lower() for value in stressed})
    return [{claim: _claiming(claim, put(word, match), word) for claim, match in hits} for word in others]


def _words(text: str) -> list[str]:
    return [word for word in (raw.strip("“”\"'’‘.,;:!?…()") for raw in text.split()) if word]


def _claiming(claim: Claim, text: str, value: str) -> Claim:
    end = claim.start + len(text)
    return replace(claim, end=end, text=text, value=value, verdict=Verdict.CONTRADICTED)


def wrong_inference(draft: Draft, severity: int, generator: Random) -> Draft | None:
    """Another emotion in conclusion and answer: the nearest labels at severity 1, the farthest at 4."""
    others = sorted(
        (label for label in draft.label_set.labels if label is not draft.answer),
        key=lambda label: (distance(draft.answer, label, label_set=draft.label_set), label),
    )
    if not others:
        return None
    low = floor((severity - 1) * len(others) / MAX_SEVERITY)
    high = ceil(severity * len(others) / MAX_SEVERITY)
    wrong = generator.choice(others[low:high])
    lost = mislabel_loss(draft.answer, wrong, label_set=draft.label_set)
    sentences = tuple(_relabelled(s, draft.answer, wrong, draft.label_set) for s in draft.sentences)
    return replace(draft, sentences=sentences, answer=wrong, loss=draft.loss + Loss(interpretation=lost))


def mislabel_loss(right: Emotion, given: Emotion, *, label_set: LabelSet) -> float:
    """Points that a wrong answer costs, 0 for the right one."""
    if right is given:
        return 0.0
    return MISLABEL_LOSS + (4.0 - MISLABEL_LOSS) * distance(right, given, label_set=label_set)


def _relabelled(sentence: Sentence, right: Emotion, wrong: Emotion, label_set: LabelSet) -> Sentence:
    """The sentence with every mention of one label, outside claims, turned into the other.

    A label that stands in a claim is a quoted word of the speaker or a whispered voice: evidence, no conclusion.
    """
    spans = [
        match.span()
        for match in whole_word(label_set.text(right)).finditer(sentence.text)
        if not any(claim.start < match.end() and match.start() < claim.end for claim in sentence.claims)
    ]
    return sentence.replace_spans(spans, label_set.text(wrong))


def missing_cues(draft: Draft, severity: int, generator: Random) -> Draft | None:
    """Every sentence gone that speaks of a dropped cue; cues that are never weighed against others go first.

    The last sentence, the conclusion, stays.
    """
    *body, last = draft.sentences
    weighing = [sentence for sentence in body if len(sentence.cues) > 1]
    weighed = frozenset[Cue]().union(*(sentence.cues for sentence in weighing))
    removable = draft.cues - last.cues
    alone, together = sorted(removable - weighed), sorted(removable & weighed)
    order = generator.sample(alone, len(alone)) + generator.sample(together, len(together))
    if not order:
        return None
    dropped = frozenset(order[: _count(len(draft.cues), severity, at_most=len(order))])
    kept = [sentence for sentence in body if not sentence.cues & dropped]
    result = replace(draft, sentences=(*kept, last))
    missing = draft.cues - result.cues
    gone = sum(sentence not in kept for sentence in weighing)
    loss = Loss(
        completeness=4.0 * share(len(missing), len(draft.cues)),
        interpretation=ARGUMENT_LOSS * share(gone, len(weighing)),
    )
    return replace(result, loss=draft.loss + loss)


def broken_language(draft: Draft, severity: int, generator: Random) -> Draft | None:
    """Sentences whose words are shuffled, stuttered or cut off in the middle.

    Claims do not survive this, so it is the last of mixed faults.
    """
    sentences = draft.sentences
    chosen = generator.sample(range(len(sentences)), _count(len(sentences), severity, at_most=len(sentences)))
    texts = [sentence.text for sentence in sentences]
    left = {cue for i, sentence in enumerate(sentences) if i not in chosen for cue in sentence.cues}
    for i in chosen:
        breaks = [text for way in (_shuffled, _stuttered, _cut) if (text := way(texts[i], generator)) != texts[i]]
        texts[i] = generator.choice(breaks)
        # Only a cut text is a beginning of what it was; the words of others are all still there.
        is_cut = sentences[i].text.startswith(texts[i])
        left |= {c.cue for c in sentences[i].claims if not is_cut or c.end <= len(texts[i])}
    lost = Loss(
        fluency=4.0 * share(len(chosen), len(sentences)),
        completeness=4.0 * share(len(draft.cues - left), len(draft.cues)),
    )
    return replace(draft, sentences=tuple(Sentence(text) for text in texts), loss=draft.loss + lost)


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


FAULTS: Mapping[Fault, Callable[[Draft, int, Random], Draft | None]] = MappingProxyType(
    {
        Fault.WRONG_FACTS: wrong_facts,
        Fault.WRONG_INFERENCE: wrong_inference,
        Fault.MISSING_CUES: missing_cues,
        Fault.BROKEN_LANGUAGE: broken_language,
    }
)
"""Every single fault, in the order in which mixed faults are put in."""
