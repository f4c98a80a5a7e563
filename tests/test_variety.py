"""distinct-n and self-BLEU, against cases worked by hand and against a slow implementation of the definitions."""

from __future__ import annotations

import random
from collections import Counter
from math import exp, log

import pytest
from instruments.made_up import measured_utterances
from instruments.variety import EPSILON, distinct, self_bleu, variety

from speech_records import Emotion


def test_a_case_worked_by_hand() -> None:
    """*a b c d e* and *a b c d f*: 6 of 10 words, 5 of 8 pairs, 4 of 6 triples differ. Each has 4 of 5 words, 3 of 4
    pairs, 2 of 3 triples, 1 of 2 quadruples in the other, and the same length: BLEU (4/5 · 3/4 · 2/3 · 1/2)^¼ = 0.2^¼.
    """
    found = variety(["A b c d, e.", "a b c d f"])
    assert (found.texts, found.distinct_1, found.distinct_2) == (2, 0.6, 0.625)
    assert found.distinct_3 == pytest.approx(2 / 3)
    assert found.self_bleu_4 == pytest.approx(0.2**0.25)


def test_short_texts_pay_for_brevity_and_clipped_counts() -> None:
    """*a b c d* is all in *a b c d e f*, but two words shorter: exp(1 − 6/4). The other way (4/6 · 3/5 · 2/4 ·
    1/3)^¼. A word that stands twice here and once there counts once: *a a* against *a* has 1 of 2 words and no pair.
    """
    expected = (exp(-0.5) + (4 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25) / 2
    assert self_bleu([list("abcd"), list("abcdef")]) == pytest.approx(expected)
    assert self_bleu([["a", "a"], ["a"]]) == pytest.approx(((1 / 2 * EPSILON) ** 0.5 + exp(1 - 2 / 1)) / 2)


def test_edges() -> None:
    assert variety([]).self_bleu_4 is None
    assert variety(["one text"]).self_bleu_4 is None
    assert variety(["word"]).distinct_2 is None
    assert variety(["same here"] * 3).self_bleu_4 == 1.0


def test_quotes_do_not_count_as_variety() -> None:
    """Two texts that differ in what they quote only are alike."""
    assert variety(["The words are “one two”", "The words are “three four five”"]).self_bleu_4 == 1.0


def test_samples_are_drawn_by_seed() -> None:
    texts = [f"text number {i} of many" for i in range(50)]
    assert variety(texts, sample=10, seed=1) == variety(texts, sample=10, seed=1)
    assert variety(texts, sample=10).texts == 10
    assert variety(texts, sample=None).texts == 50


def slow_bleu(candidate: list[str], references: list[list[str]]) -> float:
    """Papineni et al. (2002), straight from the definition."""
    logs = []
    for n in range(1, min(4, len(candidate)) + 1):
        counts = Counter(tuple(candidate[i : i + n]) for i in range(len(candidate) - n + 1))
        best: Counter[tuple[str, ...]] = Counter()
        for reference in references:
            best |= Counter(tuple(reference[i : i + n]) for i in range(len(reference) - n + 1))
        logs.append(log(((counts & best).total() or EPSILON) / counts.total()))
    closest = min((len(r) for r in references), key=lambda length: (abs(length - len(candidate)), length))
    brevity = 1.0 if len(candidate) >= closest else exp(1 - closest / len(candidate))
    return brevity * exp(sum(logs) / len(logs))


@pytest.mark.parametrize("seed", range(5))
def test_self_bleu_is_the_mean_of_a_slow_bleu(seed: int) -> None:
    rng = random.Random(seed)
    texts = [[rng.choice("abcdef") for _ in range(rng.randint(1, 12))] for _ in range(12)]
    expected = sum(slow_bleu(t, texts[:i] + texts[i + 1 :]) for i, t in enumerate(texts)) / len(texts)
    assert self_bleu(texts) == pytest.approx(expected)
    runs = [tuple(t[i : i + 2]) for t in texts for i in range(len(t) - 1)]
    assert distinct(texts, 2) == pytest.approx(len(set(runs)) / len(runs))


def test_made_up_utterances_are_seeded_labelled_and_marked_synthetic() -> None:
    """All emotions in turn; the same seed makes the same clips, of any number."""
    made = list(measured_utterances(28, seed=5))
    assert made[:14] == list(measured_utterances(14, seed=5))
    assert made != list(measured_utterances(28, seed=6))
    assert Counter(m.utterance.emotion for m in made) == dict.fromkeys(Emotion, 2)
    assert all(m.utterance.synthetic for m in made)
