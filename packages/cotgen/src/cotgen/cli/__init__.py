"""The command `cotgen`: data on stdout, everything else on stderr, status 1 when any record was left out."""

from __future__ import annotations

import typer

from cotgen.cli import screening, sets
from cotgen.cli.building import build
from cotgen.cli.joining import join
from cotgen.cli.options import NAME
from cotgen.errors import CotgenError
from speech_claims import ClaimsError
from speech_corpora import CorpusError
from speech_records import SpeechRecordsError

app = typer.Typer(
    help="From labelled, measured speech to verified reasoning and SFT examples. Knows no audio: profiles are given.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(build)
app.command()(join)
app.add_typer(screening.app)
app.add_typer(sets.app)


def main() -> None:
    """Entry point: errors of our packages become one line on stderr and status 1."""
    try:
        app(prog_name=NAME)
    except (CotgenError, ClaimsError, CorpusError, SpeechRecordsError, OSError) as error:
        typer.echo(f"{NAME}: {error}", err=True)
        raise SystemExit(1) from None
