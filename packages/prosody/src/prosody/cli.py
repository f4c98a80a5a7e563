"""The command `prosody`: data on stdout, everything else on stderr, status 1 when any input was bad."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from prosody.batch import (
    Extras,
    Measured,
    failed,
    find_audio,
    load_models,
    measure_files,
    measure_one,
)
from prosody.errors import ModelError, ModificationError, ProsodyError, ScaleError
from prosody.modification import Method, PauseAt
from prosody.output import (
    Align,
    Format,
    check_analyze,
    kept_rows,
    print_textgrid,
    progress,
    report,
    write,
    write_errors,
    write_file,
)
from prosody.parallel import DEFAULT_TIMEOUT_S
from speech_records import ContourShape, FailedItem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

app = typer.Typer(
    help="Measure, draw and modify the prosody of speech.", no_args_is_help=True, pretty_exceptions_enable=False
)
levels = typer.Typer(help="Scales that read a measurement as low, normal or high.", no_args_is_help=True)
app.add_typer(levels, name="levels")

_INLINE_FILES: Final = 1  # one file is measured in this process: starting another would take longer


def main() -> None:
    """Entry point: this package's errors become one line on stderr and status 1."""
    try:
        app(prog_name="prosody")
    except ProsodyError as error:
        _fail(str(error))
    except BrokenPipeError:
        # The reader of our output has left (`| head`): not an error of ours, and nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None


def _fail(message: str) -> None:
    typer.echo(f"prosody: {message}", err=True)
    raise SystemExit(1)


@app.command()
def analyze(
    paths: Annotated[
        list[Path], typer.Argument(help="Audio files, or folders to search for them.", metavar="FILE|DIR…")
    ],
    *,
    transcript: Annotated[str | None, typer.Option(help="The words spoken (one file only).")] = None,
    language: Annotated[str | None, typer.Option(help="Its language: en, de-AT, …; else by its words.")] = None,
    output_format: Annotated[Format, typer.Option("--format", help="Rows, or the tiers of one file.")] = Format.JSONL,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds allowed per clip.")] = DEFAULT_TIMEOUT_S,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write instead of stdout.")] = None,
    resume: Annotated[bool, typer.Option(help="Keep the rows OUT already has (JSON Lines only).")] = False,
    voice: Annotated[bool, typer.Option("--voice", help="Jitter and shimmer too (a pass of its own).")] = False,
    align: Annotated[
        Align | None, typer.Option(help="Stressed words of the transcript too, its words placed like this.")
    ] = None,
    words: Annotated[
        Path | None, typer.Option(help="TextGrid of the clip whose tier `words` has their boundaries, instead.")
    ] = None,
    stress_model: Annotated[
        Path | None, typer.Option(help="Folder of WhiStress, to judge them instead (English).")
    ] = None,
    speaker_model: Annotated[
        Path | None, typer.Option(help="Folder of audeering/wav2vec2-large-robust-24-ft-age-gender.")
    ] = None,
) -> None:
    """Measure files: one row a file, {"path", "sha256", "profile"}, in the order given.

    A file that cannot be measured is reported on stderr and, with -o, in OUT.errors.jsonl; the others are done, and the
    status is 1 at the end.
    """
    found, passed_over = find_audio(paths)
    files = [str(path) for path in found]
    if passed_over:
        names = ", ".join(f"{number} {suffix}" for suffix, number in sorted(passed_over.items()))
        typer.echo(f"prosody: passed over in folders: {names} (name a file to open it whatever its suffix)", err=True)
    check_analyze(files, paths, transcript, output_format, out, resume=resume)
    if words is not None and len(files) > 1:
        raise ProsodyError(f"--words belongs to one file, {len(files)} were given")
    if output_format is Format.TEXTGRID:
        print_textgrid(files[0], out)
        return
    extras = Extras(
        language,
        voice,
        None if align is None else align.value,
        _folder(words),
        _folder(stress_model),
        _folder(speaker_model),
    )
    kept = kept_rows(out, files, extras) if resume and out is not None else {}
    files = [file for file in files if file not in kept]
    transcripts = {} if transcript is None else dict.fromkeys(files, transcript)
    if len(files) == _INLINE_FILES:
        results: Iterable[Measured | FailedItem] = [_measure_here(files[0], transcript, extras)]
    else:
        load_models(extras)  # a bad folder is one error here, not a worker that dies
        results = measure_files(files, workers=workers, timeout_s=timeout, transcripts=transcripts, extras=extras)
    failures: list[FailedItem] = []
    measured = progress(report(results, failures), total=len(files), shown=out is not None)
    if out is None:
        write(measured, sys.stdout, output_format)
    else:
        write_file(measured, out, output_format, list(kept.values()))
        write_errors(failures, out.with_name(out.name + ".errors.jsonl"))
    if failures:
        _fail(f"{len(failures)} of {len(files)} files could not be measured")


def _measure_here(file: str, transcript: str | None, extras: Extras) -> Measured | FailedItem:
    try:
        return measure_one(file, transcript=transcript, extras=extras)
    except ModelError:
        raise
    except Exception as error:  # noqa: BLE001 - named in the failed item, as of the processes
        return failed(file, error)


@app.command()
def plot(
    file: Annotated[Path, typer.Argument(help="Audio file.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="PNG, SVG or PDF, by its suffix.")],
    title: Annotated[str | None, typer.Option(help="Title; default: the file's name.")] = None,
    transcript: Annotated[str | None, typer.Option(help="The words spoken, to write the stressed ones.")] = None,
    align: Annotated[Align | None, typer.Option(help="How they are placed; an even spread has no times.")] = None,
) -> None:
    """Draw one clip: waveform, pitch, energy, pauses, and stressed words where they have times."""
    from prosody.analysis import analyze as measure_clip
    from prosody.audio import load_audio
    from prosody.plotting import plot as draw

    _check_picture(out)
    audio = load_audio(file)
    stress, _ = load_models(Extras(align=None if align is None else align.value))
    profile = measure_clip(audio.samples, audio.sample_rate, transcript=transcript, stress=stress)
    _save(draw(audio.samples, audio.sample_rate, profile=profile, title=title or file.name), out)


@app.command()
def modify(
    file: Annotated[Path, typer.Argument(help="Audio file.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="WAV or FLAC, by its suffix.")],
    pitch: Annotated[str, typer.Option(help="Semitones, as +3 or -2.5st.")] = "0",
    pitch_range: Annotated[float, typer.Option("--range", help="Factor on the pitch range; 0 is monotone.")] = 1.0,
    energy: Annotated[str, typer.Option(help="Decibels, as +6 or -3dB.")] = "0",
    tempo: Annotated[float, typer.Option(help="2 is twice as fast.")] = 1.0,
    contour: Annotated[ContourShape | None, typer.Option(help="Intonation to impose.")] = None,
    whisper: Annotated[bool, typer.Option("--whisper", help="Take the voice away.")] = False,
    method: Annotated[Method, typer.Option(help="A vocoder, or the recording's own periods.")] = Method.WORLD,
    pause: Annotated[list[str] | None, typer.Option(help="AT:DURATION in seconds; may be repeated.")] = None,
) -> None:
    """Change the prosody of one clip through WORLD or PSOLA."""
    import soundfile

    from prosody.audio import load_audio
    from prosody.modification import modify as change

    audio = load_audio(file, sample_rate=None)
    changed = change(
        audio.samples,
        audio.sample_rate,
        pitch_st=_number(pitch, "st", "--pitch"),
        range_factor=pitch_range,
        energy_db=_number(energy, "db", "--energy"),
        tempo=tempo,
        contour=contour,
        whisper=whisper,
        pauses=[_pause(text) for text in pause or ()],
        method=method,
    )
    if out.suffix.lower() not in {".wav", ".flac"}:
        raise ProsodyError(f"{out}: sound is written as .wav or .flac")
    try:
        soundfile.write(out, changed, audio.sample_rate)
    except (OSError, soundfile.LibsndfileError) as error:
        raise ProsodyError(f"{out}: {error}") from error


def _folder(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _number(text: str, unit: str, option: str) -> float:
    try:
        return float(text.strip().lower().removesuffix(unit))
    except ValueError:
        raise ModificationError(f"{option} {text!r}: a number of {unit} is needed, as +3 or -2.5{unit}") from None


def _pause(text: str) -> PauseAt:
    at, _, duration = text.partition(":")
    return PauseAt(_number(at, "s", "--pause"), _number(duration, "s", "--pause"))


@levels.command("fit")
def fit_levels(
    profiles: Annotated[Path, typer.Argument(help="JSON Lines of `prosody analyze`.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="The scale, as JSON.")],
    name: Annotated[str | None, typer.Option(help="Name of the scale; default: the profiles' file name.")] = None,
) -> None:
    """Fit low / normal / high to the distribution of a corpus."""
    from prosody.levels import LevelScale
    from prosody.tables import read_rows

    scale = LevelScale.fit(((row.profile, None) for row in read_rows(profiles)), name=name or profiles.stem)
    try:
        scale.save(out)
    except OSError as error:
        raise ScaleError(f"{out}: {error.strerror}") from error
    sizes = {measure: {group: d.n for group, d in groups.items()} for measure, groups in scale.groups.items()}
    typer.echo(f"{out}: scale {scale.name!r}, hash {scale.hash}, sample sizes {sizes}", err=True)


@levels.command("report")
def report_levels(
    profiles: Annotated[
        list[Path], typer.Argument(help="JSON Lines of `prosody analyze`, one file a corpus.", metavar="PROFILES…")
    ],
    *,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Picture: PNG, SVG or PDF, by its suffix.")] = None,
) -> None:
    """Distributions of pitch, energy and rate per corpus and gender: a table on stdout, a picture in OUT."""
    from prosody import report as corpus_report
    from prosody.tables import read_rows

    if out is not None:
        _check_picture(out)
    names = [path.stem for path in profiles]
    if len(set(names)) < len(names):
        names = [str(path) for path in profiles]
    corpora = {name: [row.profile for row in read_rows(path)] for name, path in zip(names, profiles, strict=True)}
    groups = corpus_report.distributions(corpora)
    sys.stdout.write(corpus_report.as_text(groups))
    if out is not None:
        _save(corpus_report.draw(groups), out)


def _check_picture(out: Path) -> None:
    if out.suffix.lower() not in {".png", ".svg", ".pdf"}:
        raise ProsodyError(f"{out}: the picture is written as .png, .svg or .pdf")


def _save(figure: Figure, out: Path) -> None:
    try:
        figure.savefig(out, dpi=150)
    except OSError as error:
        raise ProsodyError(f"{out}: {error.strerror}") from error
