"""The optional models: tiny ones of the same classes with random weights, saved as safetensors and compared with
transformers itself. Nothing here says how well the released weights do: they are not at hand.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

import prosody
from speech_records import AGE_GROUPS, Gender

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
safetensors = pytest.importorskip("safetensors.torch")

RATE = 16_000
WIDTH = 16
LAYER = 1
WORDS = (
    "I didn't say he stole the money, someone else said so and nobody, nobody at all, ever believed a word of it today"
)


def voice(seconds=1.0, f0_hz=150.0):
    t = np.arange(round(seconds * RATE)) / RATE
    wave = 0.1 * sum(np.sin(2 * np.pi * f0_hz * k * t) / k for k in range(1, 9))
    return (wave * (0.05 + np.sin(np.pi * 4 * t) ** 2)).astype(np.float32)


@pytest.fixture(scope="module")
def whistress_folder(tmp_path_factory):
    """A WhiStress of two layers of width 16 over a byte vocabulary: every part as the backend expects it."""
    from tokenizers.pre_tokenizers import ByteLevel

    folder = tmp_path_factory.mktemp("whistress")
    (folder / "whisper").mkdir()
    vocabulary = {character: index for index, character in enumerate(sorted(ByteLevel.alphabet()))}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    tokenizer = transformers.WhisperTokenizerFast(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer.add_tokens(["<|startoftranscript|>", "<|notimestamps|>"], special_tokens=True)
    tokenizer.save_pretrained(folder / "whisper")
    torch.manual_seed(0)
    config = transformers.WhisperConfig(
        vocab_size=300, num_mel_bins=8, d_model=WIDTH, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_target_positions=448,
        pad_token_id=256, bos_token_id=256, eos_token_id=256, decoder_start_token_id=257, init_std=0.5,
    )  # fmt: skip
    transformers.WhisperForConditionalGeneration(config).save_pretrained(folder / "whisper")
    transformers.WhisperFeatureExtractor(feature_size=8).save_pretrained(folder / "whisper")
    from transformers.models.whisper.modeling_whisper import WhisperDecoderLayer

    safetensors.save_file(
        {k: v.contiguous() for k, v in WhisperDecoderLayer(config).state_dict().items()},
        folder / "additional_decoder_block.safetensors",
    )
    head = {"fc1.weight": (2 * WIDTH, WIDTH), "fc1.bias": (2 * WIDTH,), "fc2.weight": (2, 2 * WIDTH), "fc2.bias": (2,)}
    safetensors.save_file({k: torch.randn(shape) for k, shape in head.items()}, folder / "classifier.safetensors")
    (folder / "metadata.json").write_text(json.dumps({"layer_for_head": LAYER}), encoding="utf-8")
    return folder


def reference(folder, samples, text):
    """P(stressed) of each place, computed the long way round: eager attention, every step written out."""
    from transformers.models.whisper.modeling_whisper import WhisperDecoderLayer

    model = transformers.WhisperForConditionalGeneration.from_pretrained(
        folder / "whisper", attn_implementation="eager"
    ).eval()
    tokenizer = transformers.WhisperTokenizerFast.from_pretrained(folder / "whisper")
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(folder / "whisper")
    ids = tokenizer(text, return_tensors="pt").input_ids
    features = extractor(samples / np.abs(samples).max(), sampling_rate=RATE, return_tensors="pt").input_features
    block = WhisperDecoderLayer(model.config)
    block.load_state_dict(safetensors.load_file(folder / "additional_decoder_block.safetensors"))
    w = safetensors.load_file(folder / "classifier.safetensors")
    with torch.inference_mode():
        out = model(input_features=features, decoder_input_ids=ids, output_hidden_states=True)
        places = []
        for end in range(1, ids.shape[1] + 1):  # causal by construction: each place sees the prefix alone
            hidden = block.eval()(
                out.decoder_hidden_states[LAYER][:, :end], encoder_hidden_states=out.encoder_hidden_states[LAYER]
            )
            hidden = hidden[0] if isinstance(hidden, tuple) else hidden
            logits = torch.relu(hidden[0, -1] @ w["fc1.weight"].T + w["fc1.bias"]) @ w["fc2.weight"].T + w["fc2.bias"]
            places.append(float(logits.softmax(-1)[1]))
    return ids[0].tolist(), places, tokenizer


def test_whistress_reads_the_whole_transcript(whistress_folder):
    """Truth: the reference above; a word's score is the highest of its bytes, each judged at the place before it. The
    transcript has over 100 tokens, so nothing can have been cut at 30."""
    backend = prosody.WhiStress(whistress_folder)
    ids, places, tokenizer = reference(whistress_folder, voice(2.0), WORDS)
    assert len(ids) > 100
    first = len(tokenizer("").input_ids) - 1
    expected, at = [], first
    for index, word in enumerate(WORDS.split()):
        width = len(word) + (index > 0)  # one token a byte, and the space before the word
        expected.append(max(places[at - 1 : at - 1 + width]))
        at += width
    found = backend.word_scores(voice(2.0), RATE, WORDS.split())
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.ptp(found) > 0.05  # the scores are of these words, not one number for all


def test_whistress_through_analyze(whistress_folder):
    """The words from the threshold on, without their punctuation; with an aligner that knows the times, with times."""

    class Given:
        def align(self, samples, sample_rate, transcript):
            segments = [prosody.Segment(w.strip(","), i / 20, (i + 1) / 20) for i, w in enumerate(transcript.split())]
            return prosody.Alignment(tuple(segments), "given")

    backend = prosody.WhiStress(whistress_folder, threshold=0.0, aligner=Given())
    profile = prosody.analyze(voice(2.0), RATE, transcript=WORDS, stress=backend)
    assert [word.word for word in profile.stressed_words] == [word.strip(",") for word in WORDS.split()]
    assert profile.stressed_words[3].start_s == pytest.approx(0.15)
    without = prosody.WhiStress(whistress_folder, threshold=0.0).stressed_words(voice(2.0), RATE, transcript="so it is")
    assert [(word.word, word.start_s) for word in without] == [("so", None), ("it", None), ("is", None)]
    assert prosody.WhiStress(whistress_folder, threshold=1.01).stressed_words(voice(), RATE, transcript="so") == ()


def test_whistress_refuses_what_does_not_fit(whistress_folder):
    """Longer than the decoder, longer than the window, empty, other words than the aligner's: an AlignmentError each;
    in a profile it is a note."""
    backend = prosody.WhiStress(whistress_folder)
    with pytest.raises(prosody.AlignmentError, match="reads at most 448"):
        backend.stressed_words(voice(), RATE, transcript="word " * 200)
    with pytest.raises(prosody.AlignmentError, match="window is 30 s"):
        backend.stressed_words(voice(31.0), RATE, transcript="word")
    with pytest.raises(prosody.AlignmentError, match="empty"):
        backend.stressed_words(voice(), RATE, transcript=" ")

    class Wrong:
        def align(self, samples, sample_rate, transcript):
            return prosody.Alignment((prosody.Segment("other", 0.0, 0.5),), "given")

    with pytest.raises(prosody.AlignmentError, match="other words"):
        prosody.WhiStress(whistress_folder, aligner=Wrong()).stressed_words(voice(), RATE, transcript="word")
    profile = prosody.analyze(voice(), RATE, transcript="word " * 200, stress=backend)
    assert profile.stressed_words is None
    assert any("448" in note for note in profile.notes)


def test_whistress_refuses_other_weights(whistress_folder, tmp_path):
    """A missing part, a part of another size, one with a tensor too few, a layer that is not there, pickled weights."""
    import shutil

    def broken(change):
        folder = tmp_path / "copy"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whistress_folder, folder)
        change(folder)
        return folder

    def narrow(folder):
        safetensors.save_file({"fc1.weight": torch.zeros(4, 4)}, folder / "classifier.safetensors")

    def fewer(folder):
        path = folder / "additional_decoder_block.safetensors"
        weights = safetensors.load_file(path)
        weights.pop("fc1.bias")
        safetensors.save_file(weights, path)

    def pickled(folder):
        (folder / "classifier.safetensors").rename(folder / "classifier.pt")

    def garbage(folder):
        (folder / "classifier.safetensors").write_bytes(b"not tensors")

    def headless(folder):
        path = folder / "whisper" / "model.safetensors"
        weights = safetensors.load_file(path)
        weights.pop("model.encoder.layer_norm.bias")
        safetensors.save_file(weights, path, metadata={"format": "pt"})

    for change, message in (
        (narrow, "other shapes"),
        (fewer, "missing.*fc1.bias"),
        (pickled, "classifier.pt is not read"),
        (garbage, "not a safetensors"),
        (headless, "layer_norm"),
        (lambda folder: (folder / "metadata.json").write_text('{"layer_for_head": 9}'), "has 2 layers"),
        (lambda folder: (folder / "metadata.json").write_text("[]"), "no layer_for_head"),
        (lambda folder: shutil.rmtree(folder / "whisper"), r"no model\.safetensors"),
        (lambda folder: (folder / "whisper" / "config.json").write_text("{"), "not a Whisper"),
    ):
        with pytest.raises(prosody.ModelError, match=message):
            prosody.WhiStress(broken(change))


HEADS = {"age": 1, "gender": 3}


@pytest.fixture(scope="module")
def speaker_parts():
    """A wav2vec 2.0 of one layer and two heads, random."""
    torch.manual_seed(1)
    config = transformers.Wav2Vec2Config(
        hidden_size=WIDTH, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, conv_dim=(8, 8),
        conv_kernel=(10, 3), conv_stride=(5, 4), num_feat_extract_layers=2, num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2, do_stable_layer_norm=True, feat_extract_norm="layer", vocab_size=32,
    )  # fmt: skip
    encoder = transformers.Wav2Vec2Model(config).eval()
    heads = {}
    for name, outputs in HEADS.items():
        heads |= {f"{name}.dense.weight": torch.randn(WIDTH, WIDTH), f"{name}.dense.bias": torch.randn(WIDTH)}
        heads |= {f"{name}.out_proj.weight": 0.3 * torch.randn(outputs, WIDTH)}
        heads |= {f"{name}.out_proj.bias": torch.full((outputs,), 0.3)}
    return config, encoder, heads


def save_speaker(folder, config, encoder, heads, *, old_names=False):
    folder.mkdir(exist_ok=True)
    config.save_pretrained(folder)
    weights = {f"wav2vec2.{k}": v.contiguous() for k, v in encoder.state_dict().items()}
    weights = {k: v for k, v in weights.items() if heads.get(k, v) is not None}
    heads = {k: v for k, v in heads.items() if v is not None}
    if old_names:
        weights = {
            k.replace("parametrizations.weight.original0", "weight_g").replace(
                "parametrizations.weight.original1", "weight_v"
            ): v
            for k, v in weights.items()
        }
        assert any(k.endswith("weight_g") for k in weights)
    safetensors.save_file({**weights, **heads}, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize("old_names", [False, True], ids=["names of today", "names before torch 2"])
def test_the_speaker_model_is_that_of_its_parts(tmp_path, speaker_parts, old_names):
    """Truth: transformers' encoder and the two heads written out, on the normalised wave."""
    config, encoder, heads = speaker_parts
    backend = prosody.AgeGender(save_speaker(tmp_path / "m", config, encoder, heads, old_names=old_names))
    samples = voice()
    wave = torch.tensor((samples - samples.mean()) / np.sqrt(samples.var() + 1e-7))[None]
    with torch.inference_mode():
        hidden = encoder(wave).last_hidden_state.mean(1)[0]
        age, gender = (
            torch.tanh(hidden @ heads[f"{n}.dense.weight"].T + heads[f"{n}.dense.bias"])
            @ heads[f"{n}.out_proj.weight"].T
            + heads[f"{n}.out_proj.bias"]
            for n in HEADS
        )
    guess = backend.speaker(samples, RATE)
    assert guess.age_years == pytest.approx(float(100 * age.clamp(0, 1)), abs=0.05)
    assert guess.gender_confidence == pytest.approx(float(gender.softmax(0).max()), abs=1e-4)
    assert guess.age_group in AGE_GROUPS


@pytest.mark.parametrize(
    ("bias", "age", "said_of_them"),
    [
        ([9.0, 0.0, 0.0], 0.34, (Gender.FEMALE, "Young Adult")),
        ([0.0, 9.0, 0.0], 0.61, (Gender.MALE, "Elderly")),
        ([0.0, 0.0, 9.0], 0.09, (None, "Child")),
    ],
)
def test_what_the_speaker_model_says_reaches_the_profile(tmp_path, speaker_parts, bias, age, said_of_them):
    """Truth: heads whose weights are zero say their bias, whatever they hear."""
    config, encoder, heads = speaker_parts
    said = {name: torch.zeros_like(tensor) for name, tensor in heads.items()}
    said["gender.out_proj.bias"], said["age.out_proj.bias"] = torch.tensor(bias), torch.tensor([age])
    backend = prosody.AgeGender(save_speaker(tmp_path / "m", config, encoder, said))
    profile = prosody.analyze(voice(), RATE, speaker=backend)
    assert (profile.gender, profile.age_group) == said_of_them
    confidence = float(torch.tensor(bias).softmax(0).max())
    assert profile.gender_confidence == (pytest.approx(confidence, abs=1e-5) if profile.gender else None)
    assert any("child" in note for note in profile.notes) == (profile.gender is None)
    assert prosody.analyze(np.zeros(RATE, np.float32), RATE, speaker=backend).age_group is None
    assert backend.speaker(voice(61.0), RATE).age_years == pytest.approx(100 * age, abs=1e-3)


def test_the_speaker_model_is_verified(tmp_path, speaker_parts):
    """A head that is missing, of another size, or beside a stranger is refused, not left at random; so is an encoder
    without a tensor, a folder without weights, and pickled weights."""
    config, encoder, heads = speaker_parts
    for number, (change, message) in enumerate((
        ({"age.dense.weight": None}, "missing.*dense.weight"),
        ({"gender.out_proj.weight": torch.zeros(2, WIDTH)}, "other shapes"),
        ({"classifier.weight": torch.zeros(2)}, "neither the encoder nor the heads"),
        ({"wav2vec2.feature_projection.projection.bias": None}, "missing.*projection.bias"),
        ({"age.extra": torch.zeros(2)}, "not of this model.*extra"),
    )):  # fmt: skip
        with pytest.raises(prosody.ModelError, match=message):
            prosody.AgeGender(save_speaker(tmp_path / str(number), config, encoder, {**heads, **change}))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(prosody.ModelError, match=r"no model\.safetensors there$"):
        prosody.AgeGender(empty)
    (empty / "pytorch_model.bin").touch()
    with pytest.raises(prosody.ModelError, match=r"pytorch_model\.bin is not read"):
        prosody.AgeGender(empty)


def test_the_command_takes_both_folders(tmp_path, whistress_folder, speaker_parts, monkeypatch, capsys):
    """One file with both models: the row has an age group and stressed words (or none: an empty list, not null); a
    folder without weights is one clear line."""
    import soundfile

    from prosody import cli

    soundfile.write(tmp_path / "a.wav", voice(), RATE)
    soundfile.write(tmp_path / "b.wav", voice(), RATE)
    folder = save_speaker(tmp_path / "m", *speaker_parts)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["prosody", "analyze", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return left.value.code or 0, capsys.readouterr()

    models = ("--speaker-model", folder, "--stress-model", whistress_folder)
    status, captured = run(tmp_path / "a.wav", "--transcript", "so it is", *models)
    profile = json.loads(captured.out)["profile"]
    assert (status, profile["age_group"] in AGE_GROUPS) == (0, True)
    assert isinstance(profile["stressed_words"], list)
    status, captured = run(tmp_path, "--speaker-model", tmp_path)
    assert (status, captured.out) == (1, "")
    assert captured.err.splitlines()[-1] == f"prosody: {tmp_path}: no model.safetensors there"
