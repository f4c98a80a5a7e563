"""Stressed words by WhiStress (Yosha, Shteyman & Adi 2025, Interspeech, arXiv 2505.19103), from a folder of weights.

A frozen Whisper (small.en) reads the clip and the transcript; the hidden states of one layer of its encoder and of its
decoder go through one more decoder block and a classifier of two layers, and each place says whether the token after
it is stressed. WhiStress is no package, so the parts are put together here, from this folder:

    whisper/                              as transformers saves Whisper: config, safetensors, tokenizer, preprocessor
    additional_decoder_block.safetensors  one Whisper decoder layer
    classifier.safetensors                fc1, fc2
    metadata.json                         {"layer_for_head": 9}

Unlike the released helper, which cuts a given transcript, this reads the whole of it and refuses what does not fit.
"""

from __future__ import annotations

import json
import re
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prosody.alignment import Aligner
from prosody.audio import DEFAULT_SAMPLE_RATE, resample
from prosody.energy import peak
from prosody.errors import AlignmentError, ModelError
from prosody.measurement import checked_samples
from prosody.neural import file_of, fill, optional, tensors
from speech_records import StressedWord

THRESHOLD: Final = 0.5
"""Of two classes, the likelier one."""
_EDGES: Final = re.compile(r"^\W+|\W+$")


class WhiStress:
    """A stress backend (`analyze(…, stress=WhiStress(folder))`) for English clips of up to 30 s.

    `aligner` gives the words their times; without one they have none. Raises `ModelError` when torch or transformers
    is missing, or when the folder's parts are incomplete or do not fit one another.
    """

    def __init__(self, folder: str | Path, *, threshold: float = THRESHOLD, aligner: Aligner | None = None) -> None:
        folder = Path(folder)
        self._torch = optional("torch")
        self._threshold, self._aligner = threshold, aligner
        self._whisper, self._tokenizer, self._extractor = _load_whisper(folder / "whisper")
        config = self._whisper.config
        self._layer = _layer(file_of(folder, "metadata.json"), config)
        layers = optional("transformers.models.whisper.modeling_whisper")
        nn = self._torch.nn
        self._block = layers.WhisperDecoderLayer(config)
        self._fc1, self._fc2 = nn.Linear(config.d_model, 2 * config.d_model), nn.Linear(2 * config.d_model, 2)
        name = file_of(folder, "additional_decoder_block.safetensors")
        fill(self._block, tensors(name), str(name))
        name = file_of(folder, "classifier.safetensors")
        head = nn.ModuleDict({"fc1": self._fc1, "fc2": self._fc2})
        fill(head, tensors(name), str(name))

    def stressed_words(self, samples: ArrayLike, sample_rate: int, *, transcript: str) -> tuple[StressedWord, ...]:
        """The words of `transcript` whose chance to be stressed is at least the threshold.

        `AlignmentError` when the clip is longer than Whisper's window, the transcript longer than its decoder, its
        tokens do not divide into its words, or the aligner finds other words.
        """
        signal = checked_samples(samples, sample_rate)
        words = transcript.split()
        scores = self.word_scores(signal, sample_rate, words)
        times = self._times(signal, sample_rate, transcript, words)
        return tuple(
            StressedWord(spoken, float(score), *time)
            for word, score, time in zip(words, scores, times, strict=True)
            if score >= self._threshold and (spoken := _EDGES.sub("", word))
        )

    def word_scores(self, samples: NDArray[np.float32], sample_rate: int, words: list[str]) -> NDArray[np.float64]:
        """Each word's chance to be stressed, [words]: that of its most stressed token."""
        if not words:
            raise AlignmentError("the transcript is empty: there are no words to judge")
        ids, first, counts = self._tokens(words)
        features = self._features(samples, sample_rate)
        torch = self._torch
        with torch.inference_mode():
            heard = self._whisper(
                input_features=features, decoder_input_ids=torch.tensor([ids]), output_hidden_states=True
            )
            # A place sees those before it and no later one, whatever transformers assumes without a mask.
            mask = torch.full((len(ids), len(ids)), torch.finfo(torch.float32).min).triu(1)[None, None]
            hidden = self._block(
                heard.decoder_hidden_states[self._layer],
                attention_mask=mask,
                encoder_hidden_states=heard.encoder_hidden_states[self._layer],
            )
            hidden = hidden[0] if isinstance(hidden, tuple) else hidden
            chance = self._fc2(torch.relu(self._fc1(hidden))).softmax(-1)[0, :, 1].double().numpy()
        # The place before a token speaks for it.
        of_token = chance[first - 1 : first - 1 + sum(counts)]
        return np.asarray(np.maximum.reduceat(of_token, [0, *accumulate(counts[:-1])]))

    def _tokens(self, words: list[str]) -> tuple[list[int], int, list[int]]:
        """All token ids, where those of the words begin, and how many each word has."""
        text = " ".join(words)
        parts = [self._ids(word if index == 0 else f" {word}", special=False) for index, word in enumerate(words)]
        body, ids = [token for part in parts for token in part], self._ids(text, special=True)
        first = len(self._ids("", special=True)) - 1  # what surrounds an empty text, less the end
        if not all(parts) or first < 1 or ids[first : first + len(body)] != body:
            raise AlignmentError(f"the tokens of {text[:60]!r} do not divide into its words")
        limit = self._whisper.config.max_target_positions
        if len(ids) > limit:
            raise AlignmentError(f"the transcript has {len(ids)} tokens, WhiStress reads at most {limit}: cut the clip")
        return ids, first, [len(part) for part in parts]

    def _ids(self, text: str, *, special: bool) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=special)["input_ids"])

    def _features(self, samples: NDArray[np.float32], sample_rate: int) -> Any:
        signal = resample(samples, sample_rate, DEFAULT_SAMPLE_RATE)
        if len(signal) > self._extractor.n_samples:
            longest = self._extractor.n_samples / DEFAULT_SAMPLE_RATE
            raise AlignmentError(
                f"the clip lasts {len(signal) / DEFAULT_SAMPLE_RATE:.1f} s, Whisper's window is {longest:g} s: cut it"
            )
        loud = signal / max(peak(signal), 1e-9)  # as in its training
        return self._extractor(loud, sampling_rate=DEFAULT_SAMPLE_RATE, return_tensors="pt")["input_features"]

    def _times(
        self, samples: NDArray[np.float32], sample_rate: int, transcript: str, words: list[str]
    ) -> list[tuple[float | None, float | None]]:
        if self._aligner is None:
            return [(None, None)] * len(words)
        found = self._aligner.align(samples, sample_rate, transcript)
        if [_plain(word.label) for word in found.words] != [_plain(word) for word in words]:
            raise AlignmentError(f"the aligner found other words than {transcript[:60]!r} has")
        timed = found.method != "even"
        return [(word.start_s, word.end_s) if timed else (None, None) for word in found.words]


def _plain(word: str) -> str:
    return _EDGES.sub("", word).casefold()


def _load_whisper(folder: Path) -> tuple[Any, Any, Any]:
    """Whisper, its tokenizer and its feature extractor from `folder`, and from nowhere else."""
    transformers = optional("transformers")
    file_of(folder, "model.safetensors")
    try:
        whisper, found = transformers.WhisperModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
        tokenizer = transformers.WhisperTokenizerFast.from_pretrained(folder, local_files_only=True)
        extractor = transformers.WhisperFeatureExtractor.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise ModelError(f"{folder}: not a Whisper as transformers saves it ({error})") from error
    if found["missing_keys"] or found["mismatched_keys"]:
        raise ModelError(f"{folder}: weights missing or of other shapes: {sorted(map(str, found['missing_keys']))[:5]}")
    if len(tokenizer) > whisper.config.vocab_size:
        raise ModelError(f"{folder}: {len(tokenizer)} tokens for a vocabulary of {whisper.config.vocab_size}")
    if extractor.feature_size != whisper.config.num_mel_bins or extractor.sampling_rate != DEFAULT_SAMPLE_RATE:
        raise ModelError(f"{folder}: the preprocessor makes other features than the encoder reads")
    return whisper.eval(), tokenizer, extractor


def _layer(path: Path, config: Any) -> int:
    """The layer whose hidden states are read, from `metadata.json`."""
    try:
        layer = json.loads(path.read_text(encoding="utf-8"))["layer_for_head"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: no layer_for_head in it ({type(error).__name__})") from error
    deepest = min(config.encoder_layers, config.decoder_layers)
    if not isinstance(layer, int) or not -deepest - 1 <= layer <= deepest:
        raise ModelError(f"{path}: layer_for_head is {layer!r}, this Whisper has {deepest} layers")
    return layer
