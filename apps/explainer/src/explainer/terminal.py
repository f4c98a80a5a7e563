"""An explanation as coloured text for a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from explainer.basis import basis
from explainer.explanation import Explanation
from prosody.page import SYMBOLS
from speech_records import Claim, PolicyCard, Verdict

STYLES = {Verdict.SUPPORTED: "green", Verdict.CONTRADICTED: "bold red", Verdict.UNVERIFIABLE: "yellow"}
_GRAVEST_LAST = (Verdict.SUPPORTED, Verdict.UNVERIFIABLE, Verdict.CONTRADICTED)
INDENT = (0, 2)


def render(explanation: Explanation) -> RenderableType:
    """Emotion, the reasoning with claims coloured by verdict, a table of the claims, what they were checked against,
    and where the policy is from.
    """
    return Group(
        Rule(Text(printable(explanation.source)), align="left"),
        Padding(_headline(explanation), INDENT),
        Padding(_likeliest(explanation), INDENT),
        Padding(_reasoning(explanation), (1, 2)),
        Padding(_claims(explanation), INDENT),
        Padding(Text(printable("\n".join(basis(explanation))), style="dim"), INDENT),
        Padding(_origin(explanation.policy), (0, 2, 1, 2)),
    )


def printable(text: str) -> str:
    r"""The text, character for character, with whatever could steer a terminal replaced by `�`.

    >>> printable("a\x1b[31mb")
    'a�[31mb'
    """
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _headline(explanation: Explanation) -> Text:
    if explanation.label is None:
        return Text.assemble(("no emotion", "bold yellow"), f": {printable(explanation.problem or '')}")
    off = f"  ({printable(explanation.problem)})" if explanation.problem else ""
    return Text.assemble((explanation.label, "bold cyan"), (off, "yellow"))


def _likeliest(explanation: Explanation, *, shown: int = 3) -> Text:
    if not explanation.probabilities:
        return Text("Asked for the label alone: an answer that this policy never learnt", style="dim")
    likeliest = sorted(explanation.probabilities.items(), key=lambda entry: -entry[1])[:shown]
    listed = ", ".join(f"{label} {100 * share:.0f} %" for label, share in likeliest)
    return Text(f"Asked for the label alone: {listed}", style="dim")


def _reasoning(explanation: Explanation) -> Text:
    if explanation.reasoning is None:
        return Text(printable(explanation.text), style="dim")
    text = Text(printable(explanation.reasoning))
    for claim in sorted(explanation.claims, key=lambda c: _GRAVEST_LAST.index(c.verdict)):
        text.stylize(STYLES[claim.verdict], claim.start, claim.end)
    return text


def _claims(explanation: Explanation) -> RenderableType:
    if not explanation.claims:
        return Text("No claim about the sound that could be checked.", style="italic")
    table = Table("claim", "verdict", "measured", box=box.SIMPLE_HEAD, pad_edge=False)
    for claim in explanation.claims:
        table.add_row(*_row(claim))
    return table


def _row(claim: Claim) -> tuple[Text, Text, Text]:
    verdict = Text(f"{SYMBOLS[claim.verdict]} {claim.verdict.value}", style=STYLES[claim.verdict])
    return Text(printable(claim.text)), verdict, Text(printable(claim.measured or "nothing to check it against"))


def _origin(card: PolicyCard) -> Text:
    origin = Text(printable(f"Policy: stage {card.stage}, corpus {card.corpus}."), style="dim")
    if card.synthetic:
        origin.append(" Trained on synthetic speech only: what it says of people proves nothing.", style="yellow")
    return origin
