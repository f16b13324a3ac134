"""Writes tests/fixtures/speech: a tiny random Whisper with a vocabulary laid out as Whisper's, and what Transformers transcribes.

cases.json: { cases: [{ name, audio, spoken?, options, generation?, expected }] }; audio.safetensors: the log-mel features of
each recording, f32[mels, frames]. `spoken`: frames that are no padding. `generation`: fields of generation_config.json that the
case changes (null: without it). `expected`: prefix (the first window's decoder_input_ids), sequences (the text of all windows,
timestamps among them), segments, runs (calls of the search), text, and where words are asked for those of each segment.
words.json: [ids, words in English, words in Chinese].

A case is kept only if float64, noise of 3e-4 on every logit and noise on the features (1e-5, or 1e-4 where
they were made of audio) change nothing.
"""

import copy
import functools
import json
import pathlib
import sys
import wave

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import GenerationMixin, WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperTokenizer
from transformers.generation.logits_process import WhisperNoSpeechDetection
from transformers.models.whisper.generation_whisper import WhisperGenerationMixin
from transformers.models.whisper.tokenization_whisper import LANGUAGES as LANGUAGE_NAMES
from transformers.models.whisper.tokenization_whisper import _collate_word_timestamps, _combine_tokens_into_words

FOLDER = pathlib.Path(__file__).parent.parent / "fixtures" / "speech"
SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 1
MELS = 16

# The vocabulary: letters and marks, bytes of longer characters, merged tokens; then the special tokens in Whisper's order.
LETTERS = [*"abcdefghijklmnopqrstuvwxyz", *"ABC", *"0123", *".,!?'\"-([)]", "Ġ"]
BYTES = [c for c in "é日本¿".encode()]
MERGES = ["Ġ t", "h e", "Ġt he", "Ġ a", "i n", "Ġ s", "o r", "Ġ w", "Ġw or", "l d", "Ġ ¿"]
LANGUAGES = ["<|en|>", "<|de|>", "<|zh|>"]
SPECIAL = ["<|endoftext|>", "<|startoftranscript|>", *LANGUAGES, "<|translate|>", "<|transcribe|>", "<|startoflm|>",
           "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]


def byte_letters():
    """The letters by which byte-level BPE spells bytes."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in shown}
    letters.update({byte: chr(256 + n) for n, byte in enumerate(b for b in range(256) if b not in shown)})
    return letters


def make_tokenizer():
    letters = byte_letters()
    merges = [tuple(letters.get(ord("¿"), "") if part == "¿" else part for part in merge.split()) for merge in MERGES]
    spelled = [letters[byte] for byte in dict.fromkeys(BYTES)]
    merges = [m for m in merges if m[1] != letters.get(ord("¿"))]
    tokens = list(dict.fromkeys([*LETTERS, *spelled, *("".join(m) for m in merges)]))
    tokenizer = Tokenizer(models.BPE({token: n for n, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.add_tokens([AddedToken(f"<|{n * 0.02:.2f}|>", normalized=False, special=False) for n in range(51)])
    tokenizer.save(str(FOLDER / "tokenizer.json"))
    config = {"tokenizer_class": "WhisperTokenizer", "bos_token": SPECIAL[0], "eos_token": SPECIAL[0], "unk_token": SPECIAL[0],
              "pad_token": SPECIAL[0], "additional_special_tokens": SPECIAL, "clean_up_tokenization_spaces": False}
    (FOLDER / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
    return len(tokens)


def make_model(text):
    torch.manual_seed(SEED)
    ids = {token: text + n for n, token in enumerate(SPECIAL)}
    end, start = ids["<|endoftext|>"], ids["<|startoftranscript|>"]
    config = WhisperConfig(
        vocab_size=text + len(SPECIAL) + 51, num_mel_bins=MELS, d_model=32, encoder_layers=2, decoder_layers=2,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64,
        max_source_positions=50, max_target_positions=40, decoder_start_token_id=start, bos_token_id=end,
        eos_token_id=end, pad_token_id=end, suppress_tokens=None, begin_suppress_tokens=None)
    model = WhisperForConditionalGeneration(config).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() >= 2 and "embed" not in name:
                p.normal_(0, 1.4 / np.sqrt(p[0].numel()))
            if "decoder.embed_positions" in name:
                p.normal_(0, 0.9)  # so that tokens do not repeat themselves all the time
            if "embed_tokens" in name:
                p.normal_(0, 0.4)
                p[text + len(SPECIAL):].mul_(0.75)
            if name.endswith("bias"):
                p.normal_(0, 0.1)
            if "encoder_attn.out_proj.weight" in name:
                p.mul_(3)
            if "embed_tokens" in name:
                p[ids["<|nospeech|>"]].normal_(0, 2)  # now likely, now not
    model.tie_weights()
    model.save_pretrained(FOLDER)
    generation = {
        "alignment_heads": [[0, 1], [1, 0]],
        "begin_suppress_tokens": [LETTERS.index("Ġ"), end],
        "bos_token_id": end,
        "decoder_start_token_id": start,
        "eos_token_id": end,
        "forced_decoder_ids": [[1, None], [2, ids["<|transcribe|>"]]],
        "is_multilingual": True,
        "lang_to_id": {name: ids[name] for name in LANGUAGES},
        "max_initial_timestamp_index": 10,
        "max_length": 40,
        "no_timestamps_token_id": ids["<|notimestamps|>"],
        "pad_token_id": end,
        "prev_sot_token_id": ids["<|startofprev|>"],
        "return_timestamps": False,
        "suppress_tokens": [1, 2, *(ids[t] for t in SPECIAL[1:] if t != "<|notimestamps|>")],
        "task_to_id": {"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]},
    }
    (FOLDER / "generation_config.json").write_text(json.dumps(generation, indent=1) + "\n")
    extractor = {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": MELS, "sampling_rate": 16000,
                 "hop_length": 160, "chunk_length": 1, "n_fft": 400, "padding_value": 0.0, "return_attention_mask": False,
                 "nb_max_frames": 100, "n_samples": 16000}
    (FOLDER / "preprocessor_config.json").write_text(json.dumps(extractor, indent=1) + "\n")
    return ids


def make_audio():
    torch.manual_seed(SEED + 1000)
    recordings, heard = {}, {}
    for name, frames in {"one": 100, "two": 100, "long": 260, "longer": 350, "longest": 430}.items():
        x = torch.randn(MELS, frames).cumsum(-1) * 0.1 + torch.randn(MELS, frames) * 0.6
        recordings[name] = x
    recordings["one"][:, 73:] = -1
    extractor = WhisperFeatureExtractor.from_pretrained(FOLDER)
    with wave.open(str(FOLDER.parent / "audio" / "speech.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
    for name, part in {"speech": samples, "a second of speech": samples[16000:31000]}.items():
        long = len(part) > 16000
        given = extractor(part, sampling_rate=16000, return_tensors="pt", truncation=not long, padding="longest" if long else "max_length")
        heard[name] = given.input_features[0]
    save_file(recordings, FOLDER / "audio.safetensors")
    return {**recordings, **heard}


class Watch:
    """Follows one transcription: calls of the search, and the numbers that thresholds are held against."""

    def __enter__(self):
        self.runs, self.logprobs, self.ratios, self.silence = 0, [], [], []
        self.kept = (GenerationMixin.generate, WhisperGenerationMixin._retrieve_avg_logprobs,
                     WhisperGenerationMixin._retrieve_compression_ratio, WhisperNoSpeechDetection.__call__)
        watch = self

        def generate(model, *given, **named):
            watch.runs += 1
            return watch.kept[0](model, *given, **named)

        def silence(processor, input_ids, scores):
            result = watch.kept[3](processor, input_ids, scores)
            if input_ids.shape[1] == processor.begin_index:
                watch.silence.append(float(processor.no_speech_prob[0]))
            return result

        GenerationMixin.generate = generate
        WhisperGenerationMixin._retrieve_avg_logprobs = staticmethod(lambda *g: self.note(self.logprobs, self.kept[1](*g)))
        WhisperGenerationMixin._retrieve_compression_ratio = staticmethod(lambda *g: self.note(self.ratios, self.kept[2](*g)))
        WhisperNoSpeechDetection.__call__ = silence
        return self

    @staticmethod
    def note(values, value):
        values.append(float(value))
        return value

    def __exit__(self, *_):
        GenerationMixin.generate = self.kept[0]
        WhisperGenerationMixin._retrieve_avg_logprobs = staticmethod(self.kept[1])
        WhisperGenerationMixin._retrieve_compression_ratio = staticmethod(self.kept[2])
        WhisperNoSpeechDetection.__call__ = self.kept[3]


def words_of(tokenizer, segment, code):
    """Words of a segment with their times, as _decode_asr has them: token t was said from the time of token t-1 to its own."""
    end = tokenizer.convert_tokens_to_ids(SPECIAL[0])
    times = [segment["start"], *segment["token_timestamps"]]
    text = [(t, token) for t, token in enumerate(segment["tokens"]) if token < end]
    stamps = [(round(times[t], 2), round(times[t + 1], 2)) for t, _ in text]
    return _collate_word_timestamps(tokenizer, [token for _, token in text], stamps, LANGUAGE_NAMES[code], False)


def combine(count):
    """Lists of tokens, and the words that they spell in English and in Chinese."""
    tokenizer = WhisperTokenizer.from_pretrained(FOLDER)
    random = np.random.default_rng(5)
    lists = []
    for n in range(count):
        ids = random.integers(0, len(tokenizer) - 51 - len(SPECIAL), size=1 + n % 14).tolist()
        lists.append([ids, *(_combine_tokens_into_words(tokenizer, ids, name)[0] for name in ("english", "chinese"))])
    return lists


@functools.cache
def loaded(dtype):
    return WhisperForConditionalGeneration.from_pretrained(FOLDER, attn_implementation="eager", dtype=dtype).eval()


def transcribe(case, recordings, noise=0.0, features_noise=0.0, dtype=torch.float32):
    model = copy.deepcopy(loaded(dtype))
    for name, value in case.get("generation", {}).items():
        if value is None:
            delattr(model.generation_config, name)
        else:
            setattr(model.generation_config, name, value)
    features = recordings[case["audio"]][None].to(dtype)
    features = features + features_noise * torch.randn_like(features)
    mask = torch.zeros(1, features.shape[-1], dtype=torch.long)
    mask[:, : case.get("spoken", features.shape[-1])] = 1
    options = dict(case["options"])
    words = options.get("return_timestamps") == "word"
    if features.shape[-1] > 100:
        options.setdefault("return_timestamps", True)  # Transformers refuses the checkpoint's own false there
    if "return_timestamps" in options:
        options["return_timestamps"] = bool(options["return_timestamps"])
    if isinstance(options.get("temperature"), list):
        options["temperature"] = tuple(options["temperature"])
    if "prompt_ids" in options:
        options["prompt_ids"] = torch.tensor(options["prompt_ids"])
    if noise:
        project = model.proj_out.forward
        model.proj_out.forward = lambda x: (y := project(x)) + noise * torch.randn_like(y)
    with torch.no_grad(), Watch() as watch:
        out = model.generate(features, attention_mask=mask, return_segments=True, return_token_timestamps=words, **options)
    segments = out["segments"][0]
    result = [s["result"] if torch.is_tensor(s["result"]) else s["result"]["sequences"] for s in segments]
    tokenizer = WhisperTokenizer.from_pretrained(FOLDER)
    end = tokenizer.convert_tokens_to_ids(SPECIAL[0])
    expected = {"runs": watch.runs, "sequence": out["sequences"][0].tolist(), "segments": []}
    for segment in segments:
        tokens = segment["tokens"].tolist()
        one = {"start": round(float(segment["start"]), 4), "end": round(float(segment["end"]), 4), "tokens": tokens,
               "text": tokenizer.decode([token for token in tokens if token < end])}
        if words:
            one["token_timestamps"] = [round(t, 4) for t in segment["token_timestamps"].tolist()]
        expected["segments"].append(one)
    if segments:
        begin = segments[0]["idxs"][0] if "idxs" in segments[0] else None
        expected["prefix"] = result[0][:begin].tolist()
    text, _ = tokenizer._decode_asr([{"tokens": out["sequences"]}], return_timestamps=False, return_language=False,
                                    time_precision=0.02)
    expected["text"] = text
    if words:
        for segment in expected["segments"]:
            segment["words"] = words_of(tokenizer, segment, case["options"]["language"])
    return expected, watch


def gap(values):
    """The middle of the widest gap between values, and how wide it is."""
    ordered = sorted(values)
    width, at = max((b - a, (a + b) / 2) for a, b in zip(ordered, ordered[1:]))
    return round(at, 4), width


def main():
    torch.set_num_threads(1)
    FOLDER.mkdir(exist_ok=True)
    ids = make_model(make_tokenizer())
    recordings = make_audio()
    sop = ids["<|startofprev|>"]
    prompt = [sop, 5, 6, 7, 8]
    cases = [
        dict(name="a language that is given", audio="one", options=dict(language="en")),
        dict(name="a language by its name", audio="two", options=dict(language="German", task="translate")),
        dict(name="a language by its token", audio="two", options=dict(language="<|zh|>", task="transcribe")),
        dict(name="a language that is detected", audio="one", options={}),
        dict(name="a language that is detected, another recording", audio="two", options={}),
        dict(name="a task alone", audio="one", options=dict(task="translate")),
        dict(name="timestamps", audio="one", spoken=73, options=dict(language="en", return_timestamps=True)),
        dict(name="timestamps without a limit of the first", audio="two", options=dict(return_timestamps=True), generation=dict(max_initial_timestamp_index=None)),
        dict(name="beams", audio="one", options=dict(language="en", num_beams=4)),
        dict(name="beams with timestamps", audio="two", options=dict(language="de", num_beams=3, return_timestamps=True)),
        dict(name="beams with timestamps, another recording", audio="one", options=dict(language="zh", num_beams=4, return_timestamps=True)),
        dict(name="few new tokens", audio="two", options=dict(language="de", max_new_tokens=5)),
        dict(name="several windows", audio="long", options={}),
        dict(name="more windows", audio="longer", options=dict(language="de")),
        dict(name="many windows", audio="longest", options=dict(language="zh", task="translate")),
        dict(name="windows by beams", audio="longer", options=dict(language="en", num_beams=3)),
        dict(name="windows that see the text before", audio="longer", options=dict(language="en", condition_on_prev_tokens=True)),
        dict(name="windows by beams that see the text before", audio="long", options=dict(num_beams=2, condition_on_prev_tokens=True)),
        dict(name="a prompt", audio="one", options=dict(language="en", prompt_ids=prompt)),
        dict(name="a prompt before every window", audio="longer", options=dict(language="en", prompt_ids=prompt)),
        dict(name="a prompt before the first window", audio="longer", options=dict(language="de", prompt_ids=prompt, condition_on_prev_tokens=True)),
        dict(name="a prompt before all windows and the text", audio="longer", options=dict(language="de", prompt_ids=prompt, condition_on_prev_tokens=True, prompt_condition_type="all-segments")),
        dict(name="an English model", audio="one", options={}, generation=dict(is_multilingual=False, lang_to_id=None, task_to_id=None, forced_decoder_ids=[[1, ids["<|notimestamps|>"]]])),
        dict(name="an English model with timestamps", audio="long", options=dict(return_timestamps=True), generation=dict(is_multilingual=False, lang_to_id=None, task_to_id=None, forced_decoder_ids=[[1, ids["<|notimestamps|>"]]])),
        dict(name="forced tokens", audio="one", options={}, generation=dict(forced_decoder_ids=[[1, ids["<|de|>"]], [2, ids["<|translate|>"]], [3, ids["<|notimestamps|>"]]])),
        dict(name="a checkpoint that names its language", audio="two", options={}, generation=dict(language="de", task="translate")),
        dict(name="words", audio="one", spoken=73, options=dict(language="en", return_timestamps="word")),
        dict(name="words of another language", audio="two", spoken=91, options=dict(language="zh", return_timestamps="word")),
        dict(name="words by beams", audio="two", options=dict(language="de", num_beams=3, return_timestamps="word")),
        dict(name="words of several windows", audio="longer", options=dict(language="en", return_timestamps="word")),
        dict(name="words of windows that see the text before", audio="longest", options=dict(language="de", return_timestamps="word", condition_on_prev_tokens=True)),
    ]
    # Of tests/fixtures/audio/speech.wav: all of it, and from 1 s on for 15,000 samples.
    cases += [
        dict(name="a recording", audio="speech", options={}),
        dict(name="a recording by beams", audio="speech", options=dict(language="en", num_beams=3)),
        dict(name="a recording that sees the text before", audio="speech", options=dict(language="de", condition_on_prev_tokens=True)),
        dict(name="a recording in words", audio="speech", options=dict(language="en", return_timestamps="word")),
        dict(name="a short recording", audio="a second of speech", spoken=94, options={}),
        dict(name="a short recording with timestamps", audio="a second of speech", spoken=94, options=dict(language="zh", return_timestamps=True)),
        dict(name="a short recording in words", audio="a second of speech", spoken=94, options=dict(language="en", return_timestamps="word")),
    ]
    # Thresholds in the widest gap of what they are held against.
    watched = dict(language="en", temperature=[0.0, 0.00002], logprob_threshold=-1000.0, compression_ratio_threshold=1000.0, no_speech_threshold=1.1)
    for audio in ("longer", "longest"):
        _, watch = transcribe(dict(audio=audio, options=watched), recordings)
        logprob, ratio, silence = gap(watch.logprobs), gap(watch.ratios), gap(watch.silence)
        print(audio, "gaps", logprob, ratio, silence, file=sys.stderr)
        cases += [
            dict(name=f"fallback by log-probability, {audio}", audio=audio, options=dict(language="en", temperature=[0.0, 0.00002], logprob_threshold=logprob[0])),
            dict(name=f"fallback by compression, {audio}", audio=audio, options=dict(language="en", temperature=[0.0, 0.00002, 0.00003], compression_ratio_threshold=ratio[0])),
            dict(name=f"no speech, {audio}", audio=audio, options=dict(language="en", temperature=[0.0, 0.00002], logprob_threshold=0.0, no_speech_threshold=silence[0])),
            dict(name=f"no speech after a prompt, {audio}", audio=audio, options=dict(language="en", prompt_ids=prompt, temperature=[0.0, 0.00002], logprob_threshold=logprob[0], no_speech_threshold=silence[0])),
        ]
    kept = []
    for case in cases:
        try:
            expected, _ = transcribe(case, recordings)
        except Exception as error:
            print(f"FAILED {case['name']}: {error!r}", file=sys.stderr)
            continue
        runs = [dict(dtype=torch.float64), *[dict(noise=3e-4)] * 2, dict(features_noise=1e-4 if case["audio"].endswith("speech") else 1e-5)]
        same = all(json.dumps(transcribe(case, recordings, **run)[0]) == json.dumps(expected) for run in runs)
        text = expected["text"]
        print("kept" if same else "LEFT OUT", case["name"], expected["runs"], len(expected["segments"]), repr(text[:60]), file=sys.stderr)
        if same:
            kept.append({**case, "expected": expected})
    (FOLDER / "words.json").write_text("[\n" + ",\n".join(json.dumps(one) for one in combine(140)) + "\n]\n")
    (FOLDER / "cases.json").write_text("{\"cases\": [\n" + ",\n".join(json.dumps(case) for case in kept) + "\n]}\n")


main()
