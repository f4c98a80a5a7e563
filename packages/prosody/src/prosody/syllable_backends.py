"""Syllables of words in other languages: espeak-ng's phonemes, or pyphen's hyphens, whichever is installed.

espeak-ng (`pip install espeakng-loader`) pronounces over a hundred languages, and each of its phonemes with a vowel or
a syllabic consonant is one syllable. Hyphenation (`pip install pyphen`) only approximates: it leaves short edges whole.
"""

from __future__ import annotations

import ctypes
import threading
import unicodedata
from functools import lru_cache
from importlib.util import find_spec
from typing import Final

_AUDIO_OUTPUT_RETRIEVAL: Final = 1
_CHARS_UTF8: Final = 1
_IPA: Final = 0x02
_SEPARATOR: Final = "_"
_IPA_VOWELS: Final = frozenset("aeiouyæøœɐɑɒɔəɘɚɛɜɝɞɤɨɪɯɵɶʉʊʌʏᵻ")
_SYLLABIC: Final = "\N{COMBINING VERTICAL LINE BELOW}"
_lock = threading.Lock()  # espeak-ng keeps one voice for the whole process


def count_with_installed(word: str, code: str) -> int | None:
    """Syllables of one word in the language `code`; `None` when no backend is installed or none knows the language."""
    if find_spec("espeakng_loader") is not None:
        counted = _count_with_espeak(word, code)
        if counted is not None:
            return counted
    return _count_with_pyphen(word, code) if find_spec("pyphen") is not None else None


@lru_cache(maxsize=1)
def _espeak() -> ctypes.CDLL:
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]
    library.espeak_Initialize(_AUDIO_OUTPUT_RETRIEVAL, 0, espeakng_loader.get_data_path().encode(), 0)
    return library


def _count_with_espeak(word: str, code: str) -> int | None:
    with _lock:
        library = _espeak()
        if library.espeak_SetVoiceByName(code.encode()) != 0:
            return None
        text = ctypes.c_char_p(word.encode())
        phonemes = library.espeak_TextToPhonemes(ctypes.byref(text), _CHARS_UTF8, _IPA | ord(_SEPARATOR) << 8)
    pieces = unicodedata.normalize("NFD", (phonemes or b"").decode()).replace(" ", _SEPARATOR).split(_SEPARATOR)
    return max(1, sum(bool(_IPA_VOWELS & set(piece)) or _SYLLABIC in piece for piece in pieces))


@lru_cache(maxsize=8)
def _hyphenator(code: str) -> object | None:
    import pyphen

    language = pyphen.language_fallback(code)
    return None if language is None else pyphen.Pyphen(lang=language, left=1, right=1)


def _count_with_pyphen(word: str, code: str) -> int | None:
    hyphenator = _hyphenator(code)
    if hyphenator is None:
        return None
    return len(hyphenator.positions(word)) + 1  # type: ignore[attr-defined]
