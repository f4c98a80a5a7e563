"""Three ways to find the prosodic claims of a text, on labelled files kept out of the development of all three.

- `patterns`: the package's reader
- `parse`: a dependency parse (spaCy, a small English model) with the same lexicon: heads, negations and suppositions
  are looked for along the tree
- `tagger`: logistic regression on windows of words, trained on texts of the rule generator, whose claims are known, and
  on the labelled files that served to write the lexicon

Quotes and stressed words are found alike by all. Needs scikit-learn; `parse` needs spaCy and a model package.

    python benchmarks/claims_readers.py [FILE.jsonl …] [--model en_core_web_sm] [--generated 600]
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from speech_claims.counterfactuals import incompatible
from speech_claims.gold import GoldSentence, read_gold
from speech_claims.lexicon import GENERIC, HYPOTHETICAL, Kind
from speech_claims.mentions import find_quotes, find_stress, quoted_spans
from speech_claims.quantities import quantity
from speech_claims.reader import find
from speech_claims.senses import ALONE, SENSES
from speech_claims.tokens import tokenise
from speech_claims.word import Word

DATA = Path(__file__).resolve().parents[1] / "packages" / "speech_claims" / "tests" / "data"
TUNED = ("claims.jsonl", "claims_tuned.jsonl", "claims_tuned_2.jsonl", "claims_tuned_3.jsonl", "claims_unseen_1.jsonl")
KEPT_OUT = ("claims_kept_out.jsonl", "claims_unseen_2.jsonl", "claims_unseen_3.jsonl")
Key = tuple[str, str]
Reader = Callable[[str, Sequence[tuple[int, int]]], list[Key]]
"""The claims (cue, value) of a text outside its quotes."""


def main(arguments_given: Sequence[str] | None = None) -> int:
    """Print a line for each reader and file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("files", nargs="*", type=Path, help="labelled sentences (docs/claims.md)")
    parser.add_argument("--model", default="en_core_web_sm", help="a spaCy model or its folder (default: %(default)s)")
    parser.add_argument("--generated", type=int, default=600, help="texts of the rule generator for the tagger")
    arguments = parser.parse_args(arguments_given)
    readers: dict[str, Reader] = {"patterns": patterns, "tagger": tagger(arguments.generated)}
    try:
        spacy = importlib.import_module("spacy")
        readers["parse"] = parse(spacy.load(arguments.model, disable=["ner", "lemmatizer"]))
    except (ImportError, OSError) as error:
        print(f"parse is left out: {error}", file=sys.stderr)
    print(
        f"{'reader':<10}{'file':<26}{'precision':>10}{'recall':>8}{'F1':>7}{'contradicting':>15}{'fires':>7}{'ms/text':>9}"
    )
    for file in arguments.files or [DATA / name for name in KEPT_OUT]:
        sentences, _ = read_gold(file)
        for name, reader in readers.items():
            print(f"{name:<10}{file.name:<26}{_scored(reader, sentences)}", flush=True)
    return 0


def patterns(text: str, quotes: Sequence[tuple[int, int]]) -> list[Key]:
    """The package's reader."""
    return [_key(f.cue.value, f.value, negated=f.negated) for f in find(text, quotes=quotes)]


def parse(nlp: Any) -> Reader:
    """The lexicon over a dependency tree."""

    def read(text: str, quotes: Sequence[tuple[int, int]]) -> list[Key]:
        blanked = list(text)
        for start, end in quotes:
            blanked[start:end] = "x" * (end - start)
        tree = nlp("".join(blanked))
        words = [w for w in tokenise(text, quotes=quotes) if w.end > w.start]
        roots = {w: tree.char_span(w.start, w.end, alignment_mode="expand").root for w in words}
        groups = {roots[w].i: w.group for w in words if w.kind is Kind.HEAD and w.group}
        return [
            key
            for w in words
            if w.kind is Kind.VALUE and w.quantity is None
            for key in _along_tree(w, roots[w], groups)
        ]

    return read


_DENIALS = ("no", "neither", "nor", "never", "hardly", "barely", "scarcely")


def _along_tree(word: Word, token: Any, groups: dict[int, str]) -> Iterator[Key]:
    """The claims of a value word: of the first heads on its way through the tree, or of the word alone."""
    if _is_supposed(token):
        return
    for heads in _heads(token):
        senses = [s for h in heads if h.i in groups and (s := SENSES[groups[h.i]].get(word.phrase)) is not None]
        if senses:
            for cue, value in dict.fromkeys(senses):
                yield _key(cue.value, value, negated=_is_denied(token, heads))
            return
    sense = word.sense or SENSES[ALONE].get(word.phrase)
    if sense is not None:
        yield _key(sense[0].value, sense[1], negated=_is_denied(token, []))


def _heads(token: Any) -> Iterator[list[Any]]:
    """Where a head may be: what the value modifies, its subject, its object, what it is in; each with its conjuncts."""
    above = token
    while above.dep_ == "conj" and above.head is not above:
        above = above.head
    if above.dep_ in ("amod", "compound", "nmod", "appos"):
        yield _with_conjuncts(above.head)
    verb = above if above.pos_ in ("VERB", "AUX") else above.head
    subjects = [c for c in (*verb.children, *above.children) if c.dep_ in ("nsubj", "nsubjpass")]
    yield [h for s in subjects for h in _with_conjuncts(s)]
    yield [h for c in token.children if c.dep_ in ("dobj", "obj") for h in _with_conjuncts(c)]
    yield [h for c in token.children if c.dep_ == "prep" for o in c.children for h in _with_conjuncts(o)]
    yield [t for t in token.sent if abs(t.i - token.i) <= 3]


def _with_conjuncts(token: Any) -> list[Any]:
    return [token, *token.conjuncts]


def _is_denied(token: Any, heads: Sequence[Any]) -> bool:
    """A negation at the value, its verb or its head; *without*, *lack*, *neither* above it."""
    near = [token, token.head, *heads, *(h.head for h in heads)]
    below = [c for t in near for c in t.children if abs(c.i - token.i) <= 8]
    if any(
        c.dep_ == "neg" or c.lower_ in ("no", "neither", "nor", "never", "hardly", "barely", "scarcely") for c in below
    ):
        return True
    return any(a.lower_ in ("without", "lacks", "lack", "nothing", "nobody") for a in (*near, *token.ancestors))


def _is_supposed(token: Any) -> bool:
    """In a question, under *if* or *would*, or beside what speaks of speech in general."""
    clause = [t for t in (token, *token.ancestors) if t.pos_ in ("VERB", "AUX") or t is token]
    below = {c.lower_ for t in clause for c in t.children}
    return not below.isdisjoint(HYPOTHETICAL | GENERIC) or token.sent.text.rstrip().endswith("?")


def tagger(generated: int) -> Reader:
    """Logistic regression over windows of words; the label of a word is the claim that it makes, or none."""
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.linear_model import SGDClassifier

    features: list[list[str]] = []
    labels: list[str] = []
    for text, quotes, spans in _training(generated):
        words = tokenise(text, quotes=quotes)
        features += _windows(words)
        labels += _labels(words, spans)
    hasher = FeatureHasher(2**18, input_type="string", alternate_sign=False)
    model = SGDClassifier(loss="log_loss", alpha=1e-5, max_iter=10, tol=None, random_state=0)
    model.fit(hasher.transform(features), labels).sparsify()
    print(f"tagger: {len(labels)} words, {len(model.classes_)} labels", file=sys.stderr)

    def read(text: str, quotes: Sequence[tuple[int, int]]) -> list[Key]:
        words = tokenise(text, quotes=quotes)
        said = model.predict(hasher.transform(_windows(words))) if words else []
        found = [label for i, label in enumerate(said) if label and (i == 0 or said[i - 1] != label)]
        return [(cue, value) for cue, _, value in (label.partition(" ") for label in found)]

    return read


def _training(generated: int) -> Iterator[tuple[str, list[tuple[int, int]], list[tuple[int, int, str]]]]:
    """Texts with the spans of their claims: of the rule generator, exact; of labelled files, where `find` agrees."""
    from instruments.made_up import measured_utterances

    from cotgen import Style, generate
    from speech_records import Emotion, LabelSet

    every = LabelSet("every", tuple(Emotion))

    for item in measured_utterances(generated, seed=1):
        trace = generate(item, label_set=every, seed=0, style=Style.VARIED)
        quotes = quoted_spans(trace.think)
        spans = [
            (c.start, c.end, f"{c.cue.value} {c.value}") for c in trace.claims if c.cue.value not in ("quote", "stress")
        ]
        yield trace.think, quotes, spans
    for sentence in (s for name in TUNED for s in read_gold(DATA / name)[0]):
        quotes = quoted_spans(sentence.text)
        keys = {c.key for c in sentence.claims}
        found = [(f, _key(f.cue.value, f.value, negated=f.negated)) for f in find(sentence.text, quotes=quotes)]
        yield sentence.text, quotes, [(f.start, f.end, " ".join(key)) for f, key in found if key in keys]


def _labels(words: Sequence[Word], spans: Sequence[tuple[int, int, str]]) -> list[str]:
    """The claim of the first value word of each span, or of its first head."""
    labels = [""] * len(words)
    for start, end, label in spans:
        inside = [i for i, w in enumerate(words) if start <= w.start < end]
        chosen = [i for i in inside if words[i].kind is Kind.VALUE] or [i for i in inside if words[i].kind is Kind.HEAD]
        if chosen:
            labels[chosen[0]] = label
    return labels


def _windows(words: Sequence[Word]) -> list[list[str]]:
    made = []
    for i, word in enumerate(words):
        near = range(max(0, i - 8), min(len(words), i + 7))
        own = [f"w={word.phrase}", f"k={word.kind.value}"]
        at = [f"{k - i}={words[k].phrase}" for k in near if abs(k - i) <= 3]
        kinds = [f"{k - i}k={words[k].kind.value}{words[k].group or ''}" for k in near]
        joined = [f"w={word.phrase}&{'l' if k < i else 'r'}{words[k].group}" for k in near if words[k].group]
        denied = [f"neg&{word.phrase}" for k in near if k < i and words[k].kind in (Kind.NEGATION, Kind.NEGATED_COPULA)]
        made.append([*own, *at, *kinds, *joined, *denied])
    return made


def _scored(reader: Reader, sentences: Sequence[GoldSentence]) -> str:
    matched = labelled = found = contradicting = silent = fired = 0
    began = time.process_time()
    for sentence in sentences:
        keys = _claims(reader, sentence)
        gold = [c.key for c in sentence.claims]
        both = sum(min(keys.count(k), gold.count(k)) for k in set(keys))
        matched, labelled, found = matched + both, labelled + len(gold), found + len(keys)
        silent, fired = silent + (not gold), fired + (not gold and bool(keys))
        contradicting += sum(
            any(c.cue.value == k[0] and incompatible(c.cue, k[1], c.key[1]) for c in sentence.claims)
            for k in keys
            if k not in gold
        )
    ms = 1000 * (time.process_time() - began) / len(sentences)
    precision, recall = matched / max(1, found), matched / max(1, labelled)
    f1 = 2 * matched / max(1, found + labelled)
    share = contradicting / max(1, found)
    return f"{precision:>10.3f}{recall:>8.3f}{f1:>7.3f}{share:>15.3f}{f'{fired}/{silent}':>7}{ms:>9.2f}"


def _claims(reader: Reader, sentence: GoldSentence) -> list[Key]:
    """The reader's claims, and the quotes and stressed words that all readers find alike, in format 1."""
    text, transcript = sentence.text, sentence.transcript
    quotes = quoted_spans(text)
    stress = find_stress(text, quotes=quotes, transcript=transcript)
    stressed = [(f.start, f.end) for f in stress]
    free = [q for q in quotes if not any(a <= q[0] < b for a, b in stressed)]
    mentioned = [*stress, *find_quotes(text, quotes=free, transcript=transcript)]
    masked = sorted({*free, *stressed})
    keys = [_key(f.cue.value, f.value.strip(" .,!?;:…"), negated=f.negated) for f in mentioned]
    return [*(k for k in keys if "no word" not in k[1]), *(k for k in reader(text, masked) if _is_of_format_1(k))]


def _is_of_format_1(key: Key) -> bool:
    plain = key[1].removeprefix("not ")
    return quantity(plain) is None and not (
        key[0] in ("energy", "rate") and plain in ("steady", "varying", "rising", "falling")
    )


def _key(cue: str, value: str, *, negated: bool) -> Key:
    return cue, f"{'not ' if negated else ''}{value}".casefold()


if __name__ == "__main__":
    sys.exit(main())
