"""Many phrases in few words: `(high/raised) pitch` is two, `rise(/s)` the verb with and without its ending,
`soar~` all forms of a regular verb.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_MARK = re.compile(r"([(/)])")
_INFLECTED = re.compile(r"([a-z]+)~")
_DOUBLED = re.compile(r"[^aeiou]*[aeiou][^aeiouwxy]")
_LIST = re.compile(r"\{([a-z_]+)\}")


def expand(template: str) -> tuple[str, ...]:
    """Every text that the alternatives of `template` make, each once; alternatives may hold others.

    >>> expand("a (high/raised) (pitch/tone)")
    ('a high pitch', 'a high tone', 'a raised pitch', 'a raised tone')
    >>> expand("(glide(/s)/went) up")
    ('glide up', 'glides up', 'went up')
    """
    return tuple(_alternatives(iter(_MARK.split(template))))


def _alternatives(parts: Iterator[str]) -> dict[str, None]:
    """The texts up to the bracket that closes these alternatives, in order; no more are held than there are different
    ones.
    """
    found: dict[str, None] = {}
    texts = {"": None}
    for part in parts:
        if part == ")":
            break
        if part == "/":
            found |= texts
            texts = {"": None}
        else:
            more = _alternatives(parts) if part == "(" else (part,)
            texts = dict.fromkeys(begun + end for begun in texts for end in more)
    return found | texts


def listed(text: str, lists: Mapping[str, str]) -> tuple[str, ...]:
    """The phrases of a comma-separated list, each once; `{name}` is any phrase of the list of that name.

    >>> listed("loud, at the top of {own} voice", {"own": "his, her"})
    ('loud', 'at the top of his voice', 'at the top of her voice')
    """
    phrases: list[str] = []
    for template in filter(None, (" ".join(part.split()) for part in text.split(","))):
        written = _LIST.sub(lambda found: f"({'/'.join(listed(lists[found[1]], lists))})", template)
        phrases += expand(_INFLECTED.sub(lambda found: f"({'/'.join(inflected(found[1]))})", written))
    return tuple(dict.fromkeys(phrases))


def inflected(verb: str) -> tuple[str, str, str, str]:
    """A regular verb, its third person, its past and its participle.

    >>> inflected("drop"), inflected("vary")
    (('drop', 'drops', 'dropped', 'dropping'), ('vary', 'varies', 'varied', 'varying'))
    """
    if verb.endswith("e") and not verb.endswith("ee"):
        return verb, f"{verb}s", f"{verb}d", f"{verb[:-1]}ing"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb, f"{verb[:-1]}ies", f"{verb[:-1]}ied", f"{verb}ing"
    stem = verb + verb[-1] if _DOUBLED.fullmatch(verb) else verb
    return verb, verb + ("es" if verb.endswith(("s", "x", "z", "ch", "sh")) else "s"), f"{stem}ed", f"{stem}ing"
