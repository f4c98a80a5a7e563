"""Every corpus by its name: how it is read, its label set, its layout and licence, and what is known of the whole.

A new corpus is a module with a `load(root)` and a row in `CORPORA`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from types import MappingProxyType

from speech_corpora import (
    cremad,
    ears,
    emodb,
    emovo,
    expresso,
    gigaspeech,
    iemocap,
    manifest,
    mead,
    meld,
    msp_podcast,
    nemo,
    ravdess,
    savee,
    stress17k,
    urdu,
)
from speech_corpora.checking import Count, Fold, counts
from speech_corpora.checking import folds as folds_by
from speech_corpora.errors import CorpusError
from speech_corpora.listing import CorpusListing
from speech_records import (
    CREMAD_6,
    EMODB_7,
    EMOVO_7,
    IEMOCAP_4,
    MELD_7,
    NEMO_6,
    PAPER_9,
    RAVDESS_8,
    SAVEE_7,
    URDU_4,
    LabelSet,
    Utterance,
)

NOT_RECORDED = "not recorded"


def _speaker(utterance: Utterance) -> str:
    return utterance.speaker_id


@dataclass(frozen=True, slots=True)
class Corpus:
    """How one corpus is read, which label set it asks for, and what is below its root.

    `recorded` are counts of the whole corpus as published, by the names that `checking.counts` uses; `group` says
    what may not be on both sides of a fold.
    """

    load: Callable[[Path], CorpusListing]
    label_set: LabelSet
    layout: str
    licence: str = NOT_RECORDED
    source: str = NOT_RECORDED
    recorded: tuple[tuple[str, int], ...] = ()
    group: Callable[[Utterance], str] = _speaker


CORPORA: Mapping[str, Corpus] = MappingProxyType(
    {
        "demo": Corpus(
            partial(manifest.load, corpus="demo"),
            PAPER_9,
            "manifest.jsonl (trainer stage=demo_corpus)",
            "synthetic, made on your machine",
            "trainer stage=demo_corpus",
        ),
        "ravdess": Corpus(
            ravdess.load,
            RAVDESS_8,
            "Actor_##/MM-VV-EE-II-SS-RR-AA.wav or .flac",
            "CC-BY-NC-SA-4.0",
            "https://zenodo.org/records/1188976",
            (("utterances", 1440), ("speakers", 24)),
        ),
        "emodb": Corpus(
            emodb.load,
            EMODB_7,
            "wav/03a01Fa.wav or .flac",
            source="http://emodb.bilderbar.info",
            recorded=(("utterances", 535), ("speakers", 10)),
        ),
        "manifest": Corpus(manifest.load, PAPER_9, "manifest.jsonl, or the path of one", "your own", "your own"),
        "iemocap": Corpus(
            iemocap.load,
            IEMOCAP_4,
            "Session{1-5}/dialog/EmoEvaluation/*.txt, dialog/transcriptions/*.txt, sentences/wav/<dialog>/<utt>.wav",
            "licence agreement",
            "https://sail.usc.edu/iemocap",
            (("speakers", 10), ("IEMOCAP_4", 5531)),
            iemocap.session,
        ),
        "meld": Corpus(
            meld.load,
            MELD_7,
            "{train,dev,test}_sent_emo.csv, dia#_utt#.mp4 in train_splits, dev_splits_complete, "
            "output_repeated_splits_test",
            source="https://affective-meld.github.io",
            recorded=(("split train", 9988), ("split dev", 1108), ("split test", 2610)),
        ),
        "expresso": Corpus(
            expresso.load,
            PAPER_9,
            "audio_48khz/read/{spk}/{style}/{base,longform}/*.wav, "
            "audio_48khz/conversational/{spk-spk}/{style[-style]}/*.wav, read_transcriptions.txt, splits/*.txt, "
            "VAD_segments.txt",
            "CC-BY-NC-4.0",
            "https://speechbot.github.io/expresso",
            (("speakers", 4),),
        ),
        "mead": Corpus(
            mead.load,
            PAPER_9,
            "{M###,W###}/audio/{emotion}/level_{1-3}/###.m4a",
            source="https://wywu.github.io/projects/MEAD/MEAD.html",
            recorded=(("speakers", 48),),
        ),
        "ears": Corpus(
            ears.load,
            PAPER_9,
            "p001 to p107/emo_anger_sentences.wav, transcripts.json, speaker_statistics.json",
            "CC-BY-NC-4.0",
            "https://github.com/facebookresearch/ears_dataset",
            (("speakers", 107),),
        ),
        "msp_podcast": Corpus(
            msp_podcast.load,
            PAPER_9,
            "Labels/labels_consensus.csv, Audios/MSP-PODCAST_0001_0001.wav",
            "licence agreement",
            "https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html",
        ),
        "savee": Corpus(
            savee.load,
            SAVEE_7,
            "DC/a01.wav or DC_a01.wav",
            "research use",
            "http://kahlan.eps.surrey.ac.uk/savee",
            (("utterances", 480), ("speakers", 4)),
        ),
        "cremad": Corpus(
            cremad.load,
            CREMAD_6,
            "AudioWAV/1001_DFA_ANG_XX.wav",
            "ODbL",
            "https://github.com/CheyneyComputerScience/CREMA-D",
            (("utterances", 7442), ("speakers", 91)),
        ),
        "nemo": Corpus(
            nemo.load,
            NEMO_6,
            "samples/SPEAKER_EMOTION_SENTENCE.wav, data.tsv; or wav/ and utterances.tsv",
            "CC-BY-NC-SA-4.0",
            "https://github.com/amu-cai/nEMO",
            (("utterances", 4481), ("speakers", 9)),
        ),
        "emovo": Corpus(
            emovo.load,
            EMOVO_7,
            "EMOVO/{f1,f2,f3,m1,m2,m3}/EMOTION-SPEAKER-SENTENCE.wav",
            "research use",
            "http://voice.fub.it/activities/corpora/emovo",
            (("utterances", 588), ("speakers", 6), *((f"label {emotion}", 84) for emotion in EMOVO_7.labels)),
        ),
        "urdu": Corpus(
            urdu.load,
            URDU_4,
            "{Angry,Happy,Neutral,Sad}/SPEAKER_FILE_EMOTION.wav",
            "research use",
            "https://github.com/siddiquelatif/URDU-Dataset",
            (("utterances", 400), ("speakers", 38), *((f"label {emotion}", 100) for emotion in URDU_4.labels)),
        ),
        "stress17k": Corpus(
            stress17k.load,
            PAPER_9,
            "train_full.jsonl, train_fine.jsonl: transcription, gt_stress_indices, audio",
            "CC-BY-NC-4.0",
            "https://huggingface.co/datasets/slprl/Stress-17K-raw",
        ),
        "gigaspeech": Corpus(
            gigaspeech.load,
            PAPER_9,
            "GigaSpeech.json (audios with segments), audio/*/*/*.opus",
            source="https://github.com/SpeechColab/GigaSpeech",
        ),
    }
)
"""Every corpus by its name, as configurations spell it. MELD's counts are the published ones less its broken clips."""


def load(name: str, root: str | PathLike[str]) -> CorpusListing:
    """The utterances of corpus `name` below `root`, in a fixed order, and what was rejected.

    Raises `CorpusError` when the name is unknown, the root is missing or nothing in it is usable.
    """
    corpus = _corpus(name)
    try:
        return corpus.load(Path(root))
    except CorpusError as error:
        raise CorpusError(f"{error} (expected: {corpus.layout})") from error


def label_set(name: str, utterances: Iterable[Utterance] = ()) -> LabelSet:
    """The label set that corpus `name` is judged by; of a manifest, that of the one corpus its `utterances` come from.

    >>> label_set("emodb").name, label_set("manifest").name
    ('EMODB_7', 'PAPER_9')
    """
    sources = {utterance.corpus for utterance in utterances}
    if name == "manifest" and len(sources) == 1:
        return CORPORA.get(sources.pop(), CORPORA[name]).label_set
    return _corpus(name).label_set


def check(name: str, listing: CorpusListing) -> tuple[Count, ...]:
    """What `listing` holds, count by count, beside what is recorded of the whole corpus `name`."""
    return counts(listing, label_set(name, listing.utterances), _corpus(name).recorded)


def folds(name: str, utterances: Sequence[Utterance], count: int = 5) -> Iterator[Fold]:
    """Speaker-independent folds of corpus `name`; of IEMOCAP, whose sessions are pairs of speakers, by session.

    See `checking.folds` for how groups are dealt out. Raises `CorpusError` when there are too few of them.
    """
    return folds_by(utterances, count, group=_corpus(name).group)


def _corpus(name: str) -> Corpus:
    if name not in CORPORA:
        raise CorpusError(f"unknown corpus {name!r}; known are {', '.join(CORPORA)}")
    return CORPORA[name]
