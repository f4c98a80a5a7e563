"""A thin wrapper of the espeak-ng library: SSML in, samples out.

The library is global to the process and keeps state between calls (the same call repeated differs in its last bits),
and it seeds the noise of breathy voices with the clock. So give every call a seed, speak what belongs together in a
process of its own and in a fixed order, and the samples repeat exactly.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from xml.sax.saxutils import escape

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from trainer.errors import SpeechSynthesisError

# Names and values of espeak-ng's public header, speak_lib.h (1.52).
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_CHARS_UTF8 = 0x01
_SSML = 0x10
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4

PITCH_STEPS = (0, 99)
"""Lowest and highest value of the pitch parameter."""
ST_PER_PITCH_STEP = 0.187
"""Semitones per step of the pitch parameter: F0 measured by Praat at 0, 10, …, 100 on two voices, 18.7 st in all."""
RATE_WPM = (80, 450)
"""Lowest and highest speaking rate, words per minute."""

_SynthCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def _library() -> ctypes.CDLL:
    return ctypes.CDLL(espeakng_loader.get_library_path())


def library_version() -> str:
    """Version of espeak-ng.

    >>> library_version()
    '1.52.0'
    """
    library = _library()
    library.espeak_Info.restype = ctypes.c_char_p
    return str(library.espeak_Info(None).decode())


class Espeak:
    """The library, started; one per process.

    >>> espeak = Espeak()
    >>> espeak.sample_rate
    22050
    >>> espeak.use_voice("en-us+f2")
    >>> espeak.speak("<speak>Hello</speak>", rate_wpm=180, pitch_range=20, volume=60, seed=0).dtype
    dtype('float32')
    """

    def __init__(self) -> None:
        self._library = _library()
        data = espeakng_loader.get_data_path().encode()
        self.sample_rate: int = self._library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, data, 0)
        if self.sample_rate <= 0:
            raise SpeechSynthesisError(f"espeak-ng did not start (code {self.sample_rate}); its data: {data.decode()}")
        self._pieces: list[NDArray[np.int16]] = []
        self._callback = _SynthCallback(self._collect)  # referenced here, or ctypes would let it be collected
        self._library.espeak_SetSynthCallback(self._callback)

    def use_voice(self, name: str) -> None:
        """Speak with the voice `LANGUAGE+VARIANT` from now on. Raises `SpeechSynthesisError` if there is none."""
        if self._library.espeak_SetVoiceByName(name.encode()) != 0:
            raise SpeechSynthesisError(f"espeak-ng {library_version()} has no voice {name!r}")

    def speak(self, ssml: str, *, rate_wpm: int, pitch_range: int, volume: int, seed: int) -> NDArray[np.float32]:
        """Speak `ssml`; mono samples in [-1, 1) at `sample_rate`.

        `pitch_range` (0 to 100) scales the library's own intonation, 50 being its habit and 0 a monotone; `volume`
        is linear in amplitude; `seed` is that of the noise in the voice. Raises `SpeechSynthesisError` when nothing
        was spoken.
        """
        for parameter, value in ((_RATE, rate_wpm), (_VOLUME, volume), (_PITCH, 50), (_RANGE, pitch_range)):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(seed))
        self._pieces.clear()
        text = ssml.encode() + b"\0"
        status = self._library.espeak_Synth(text, len(text), 0, 0, 0, _CHARS_UTF8 | _SSML, None, None)
        if status != 0 or not self._pieces:
            raise SpeechSynthesisError(f"espeak-ng spoke nothing (code {status}) for {ssml!r}")
        return np.concatenate(self._pieces).astype(np.float32) / 32768.0

    def _collect(self, samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int | None) -> int:
        if count > 0:
            self._pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0


def ssml(words: Sequence[str], *, pitches: Sequence[int], rates: Sequence[int], volumes: Sequence[int]) -> str:
    """A sentence whose words carry each their own pitch (parameter steps), rate (percent) and volume.

    >>> ssml(["So", "what"], pitches=[50, 62], rates=[100, 85], volumes=[60, 80])
    '<speak><prosody pitch="50" rate="100%" volume="60">So</prosody> <prosody pitch="62" rate="85%" volume="80">what</prosody></speak>'
    """  # noqa: E501
    spoken = (
        f'<prosody pitch="{pitch}" rate="{rate}%" volume="{volume}">{escape(word)}</prosody>'
        for word, pitch, rate, volume in zip(words, pitches, rates, volumes, strict=True)
    )
    return f"<speak>{' '.join(spoken)}</speak>"
