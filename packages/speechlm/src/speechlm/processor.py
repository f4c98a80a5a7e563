"""From samples and questions to a batch: the place of Qwen2.5-Omni's processor, for speech alone.

The stock processor wants image and video processors, and with them torchvision, and pads every clip to its whole
window of 30 or 300 s. This one needs neither, makes the same ids and features, and pads to the longest clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from speechlm.batch import Hearing, SpeechBatch, clips_of_rows, collate
from speechlm.features import MAX_SECONDS, SAMPLE_RATE, FeatureSpec, log_mel
from speechlm.model import SpeechLM
from speechlm.windows import windows


@dataclass(frozen=True, slots=True)
class SpeechProcessor:
    """Makes batches for one model.

    - `features`: what the model hears; `system`: the message before every turn
    - `overlap`: how many seconds the windows of clips longer than 30 s reach into one another; without it such clips
      are refused
    """

    tokenizer: PreTrainedTokenizerFast
    features: FeatureSpec
    system: str | None = None
    overlap: float | None = None

    @classmethod
    def of(cls, model: SpeechLM, *, overlap: float | None = None) -> SpeechProcessor:
        """The processor of `model`."""
        return cls(model.tokenizer, model.features, model.system, overlap)

    def __call__(
        self,
        clips: Sequence[NDArray[np.float32]],
        questions: list[str],
        completions: Sequence[str | list[int]] | None = None,
        *,
        audio_index: Hearing | None = None,
    ) -> SpeechBatch:
        """`speechlm.collate` on mono samples at 16 kHz, one array for each clip.

        Raises what `log_mel`, `windows` and `collate` raise: for clips that are empty, too long, or hold NaN, and for
        counts that do not fit.
        """
        parts = [self._parts(samples) for samples in clips]
        first = [sum(map(len, parts[:i])) for i in range(len(parts))]
        rows = clips_of_rows(range(len(clips)) if audio_index is None else audio_index)
        heard: Hearing = [
            [first[clip] + k for clip in row for k in range(len(parts[clip]))]
            if all(0 <= clip < len(clips) for clip in row)
            else row  # `collate` names the clip that is not there
            for row in rows
        ]
        features = [log_mel(part, self.features) for clip in parts for part in clip]
        return collate(self.tokenizer, features, questions, completions, audio_index=heard, system=self.system)

    def _parts(self, samples: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        if self.overlap is None or samples.ndim != 1 or samples.size <= MAX_SECONDS * SAMPLE_RATE:
            return [samples]
        return windows(samples, overlap=self.overlap)
