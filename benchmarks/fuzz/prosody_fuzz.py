"""Coverage-guided fuzzing of `prosody.load_audio` and `prosody.analyze` with atheris, for a limited time.

An input is the bytes of a file. It is loaded; what loads is analysed. The same bytes, read as numbers, are also
analysed as samples. Whatever comes, the result is a profile or a `ProsodyError`: any other exception, a crash, a hang
of more than ten seconds, or more than 2 GiB of memory is a finding, and atheris leaves the input in `crash-…` in the
working folder.

    pip install atheris                                        (CPython 3.11 to 3.13 on Linux)
    python benchmarks/fuzz/prosody_fuzz.py [--seconds 60] [--corpus DIR]
    python benchmarks/fuzz/prosody_fuzz.py --input crash-…     (one input again; needs no atheris)

Leaves with status 1 when something was found, 2 when atheris is not installed.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np

MAX_BYTES = 16_384
HANG_S = 10
MEMORY_MB = 2_048
RATES = (4_000, 8_000, 16_000, 44_100)


def seeds() -> list[bytes]:
    """Small files of each format that libsndfile writes, for the fuzzer to start from."""
    import soundfile

    t = np.arange(3_200) / 16_000
    wave = 0.3 * np.sin(2 * np.pi * 150 * t) * np.sin(np.pi * 5 * t) ** 2
    found = []
    for container, subtype in (
        ("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III"),
        ("AIFF", "PCM_24"), ("AU", "ULAW"), ("CAF", "PCM_16"), ("W64", "PCM_16"),
    ):  # fmt: skip
        buffer = io.BytesIO()
        soundfile.write(buffer, wave, 16_000, format=container, subtype=subtype)
        found.append(buffer.getvalue())
    return found


def one_input(data: bytes) -> None:
    """Load the bytes as a file and analyse them; analyse them as samples too."""
    import prosody

    path = Path(os.environ.get("TMPDIR", tempfile.gettempdir())) / f"prosody-fuzz-{os.getpid()}.wav"
    path.write_bytes(data)
    with suppress(prosody.ProsodyError):
        audio = prosody.load_audio(path, sample_rate=None, max_duration_s=10.0)
        prosody.analyze(audio.samples, audio.sample_rate)
    path.unlink(missing_ok=True)
    if len(data) >= 5:
        samples = np.frombuffer(data[1 : 1 + (len(data) - 1) // 4 * 4], dtype="<f4")
        with suppress(prosody.ProsodyError):
            prosody.analyze(samples, RATES[data[0] % len(RATES)])


def fuzz(seconds: int, corpus: Path) -> int:
    """Run atheris in a process of its own, which it ends itself; 0 when nothing was found."""
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return 0 if os.waitstatus_to_exitcode(status) == 0 else 1
    import atheris

    with atheris.instrument_imports(include=["prosody", "speech_records", "soundfile"]):
        import prosody.analysis
        import prosody.audio  # noqa: F401
    limits = (f"-max_total_time={seconds}", f"-max_len={MAX_BYTES}", f"-timeout={HANG_S}", f"-rss_limit_mb={MEMORY_MB}")
    atheris.Setup([sys.argv[0], *limits, str(corpus)], one_input)
    atheris.Fuzz()
    raise SystemExit(0)


def main() -> int:
    """Parse, and fuzz or replay."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="how long (default: 60)")
    parser.add_argument("--corpus", type=Path, help="folder of inputs, kept and grown (default: a temporary one)")
    parser.add_argument("--input", type=Path, help="run this one input and stop")
    arguments = parser.parse_args()
    os.environ["PATH"] = ""  # no ffmpeg: a process an input would test that program, slowly, and not this package
    if arguments.input is not None:
        one_input(arguments.input.read_bytes())
        print(f"{arguments.input}: nothing found")
        return 0
    if find_spec("atheris") is None:
        print("atheris is not installed: pip install atheris (CPython 3.11 to 3.13 on Linux)", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        found = fuzz(arguments.seconds, arguments.corpus or Path(folder))
    print(f"{arguments.seconds} s: {'FOUND something, see crash-… here' if found else 'nothing found'}")
    return found


if __name__ == "__main__":
    sys.exit(main())
