"""What a copy of a corpus holds and what is recorded of it; label maps with what they drop; folds of speakers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from speech_corpora.errors import CorpusError
from speech_corpora.listing import CorpusListing
from speech_records import LabelSet, Utterance


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """Utterances by their label in a label set, and by the label that the set leaves out; `None` is not a label."""

    label_set: str
    kept: dict[str, int]
    dropped: dict[str, int]


@dataclass(frozen=True, slots=True)
class Count:
    """One count of a check: of what, what was found, and what is recorded of the whole corpus, where it is."""

    name: str
    found: int
    recorded: int | None = None

    @property
    def differs(self) -> bool:
        """Whether another number is recorded than was found."""
        return self.recorded is not None and self.recorded != self.found


@dataclass(frozen=True, slots=True)
class Fold:
    """One fold of a cross-validation: the groups that test, and the utterances of either side."""

    held_out: tuple[str, ...]
    train: tuple[Utterance, ...]
    test: tuple[Utterance, ...]


def label_counts(utterances: Iterable[Utterance], label_set: LabelSet) -> LabelCounts:
    """How the labels of `utterances` fall into `label_set`, and how many are left out under which label.

    >>> from speech_records import IEMOCAP_4, Emotion
    >>> clips = [Utterance(n, "c", "a.wav", "s", Emotion(n)) for n in ("excited", "fear")]
    >>> label_counts(clips, IEMOCAP_4)
    LabelCounts(label_set='IEMOCAP_4', kept={'happy': 1}, dropped={'fear': 1})
    """
    kept: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    for utterance in utterances:
        label = label_set.map(utterance.emotion) if utterance.emotion is not None else None
        if label is not None:
            kept[label.value] += 1
        else:
            dropped[utterance.emotion.value if utterance.emotion else "none"] += 1
    return LabelCounts(label_set.name, dict(sorted(kept.items())), dict(sorted(dropped.items())))


def counts(listing: CorpusListing, label_set: LabelSet, recorded: Iterable[tuple[str, int]]) -> tuple[Count, ...]:
    """Utterances, speakers, splits, labels of the corpus and of `label_set`, each beside what is recorded."""
    utterances = listing.utterances
    mapped = label_counts(utterances, label_set)
    found = {"utterances": len(utterances), "speakers": len({u.speaker_id for u in utterances})}
    found |= _histogram("split", (u.split or "none" for u in utterances))
    found |= _histogram("label", (u.emotion.value if u.emotion else "none" for u in utterances))
    found[label_set.name] = sum(mapped.kept.values())
    found |= {f"{label_set.name} {label}": n for label, n in mapped.kept.items()}
    known = dict(recorded)
    found |= {name: 0 for name in known if name not in found}
    return tuple(Count(name, n, known.get(name)) for name, n in found.items())


def folds(
    utterances: Sequence[Utterance],
    count: int = 5,
    *,
    group: Callable[[Utterance], str] = lambda utterance: utterance.speaker_id,
) -> Iterator[Fold]:
    """`count` folds in which no group (by default: speaker) is on both sides, and each tests exactly once.

    Groups are dealt out by size, the largest first, to the fold with the fewest utterances, so that the folds come out
    about equal; with as many folds as groups, each tests alone, in the order of names. Same input, same folds.
    Raises `CorpusError` when there are fewer groups than folds, or fewer than two folds.
    """
    members: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        members[group(utterance)].append(utterance)
    if not 2 <= count <= len(members):
        raise CorpusError(f"{count} folds of {len(members)} groups: need 2 folds or more and a group for each")
    shares: list[list[str]] = [[] for _ in range(count)]
    sizes = [0] * count
    for name in sorted(members, key=lambda n: (-len(members[n]), n)):
        smallest = min(range(count), key=lambda i: (sizes[i], i))
        shares[smallest].append(name)
        sizes[smallest] += len(members[name])
    for held_out in sorted(tuple(sorted(share)) for share in shares):
        inside = set(held_out)
        yield Fold(
            held_out=held_out,
            train=tuple(u for u in utterances if group(u) not in inside),
            test=tuple(u for u in utterances if group(u) in inside),
        )


def _histogram(name: str, values: Iterable[str]) -> dict[str, int]:
    return {f"{name} {value}": n for value, n in sorted(Counter(values).items())}
