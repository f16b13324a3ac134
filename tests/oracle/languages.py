"""Makes tests/fixtures/languages: a tiny translator, the tokenizers of NLLB, mBART, mBART-50, M2M100, Marian and T5 with
small vocabularies, and what Transformers translates and summarises with them.

    pip install torch transformers==5.18.0 tokenizers sentencepiece safetensors
    python tests/oracle/languages.py

model.safetensors and config.json are one Marian with random weights (f16) for all tokenizers; NAME.json holds the files of
a tokenizer as `save_pretrained` writes them, what it changes in the configs, and cases. M2M100 and Marian have no fast
tokenizer in Transformers: `converted` writes tokenizer.json of theirs, and the cases come from the slow ones.
Transformers 5 has no translation pipeline: `inputs_of` does what that of Transformers 4 does (`_build_translation_inputs`
of the tokenizers, and `prefix`). A case is kept only if noise of 3e-4 on every logit, twice over, changes no token.
"""

import functools
import json
import os
import tempfile
import warnings

import sentencepiece
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    GenerationConfig, M2M100Tokenizer, MarianConfig, MarianMTModel, MarianTokenizer, MBart50Tokenizer, MBartTokenizer,
    NllbTokenizer, T5Tokenizer,
)
from transformers.utils import logging

warnings.filterwarnings("ignore")
logging.set_verbosity_error()
torch.set_num_threads(1)

NOISE, RUNS = 3e-4, 2
TO = os.path.join(os.path.dirname(__file__), "..", "fixtures", "languages")
VOCAB = 420

TEXTS = ["the boat sails on the sea", "das haus ist alt", "la maison", "Кошка спит.", "a b c, and 1 2 3!", "un deux trois quatre"]
TRAINING = TEXTS + [
    "the cat sleeps in the house all day", "das boot fährt auf dem meer und die katze schläft", "le bateau navigue sur la mer",
    "она сказала, что дом старый", "it was said that no one knew when or why", "translate English to German and French",
    "translate English to French: summarize: one two three four five six seven eight nine zero",
] * 4  # fmt: skip


def unigram(size):
    """Pieces and scores of a trained Unigram model, without special tokens."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(TRAINING, trainers.UnigramTrainer(vocab_size=size, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False))  # fmt: skip
    return [tuple(piece) for piece in json.loads(tokenizer.to_str())["model"]["vocab"] if piece[0] != "<unk>"]


def sentencepiece_model(folder):
    path = os.path.join(folder, "pieces")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TRAINING), model_prefix=path, vocab_size=130, hard_vocab_limit=False, minloglevel=2,
        normalization_rule_name="identity", bos_id=-1,
    )  # fmt: skip
    return path + ".model", sentencepiece.SentencePieceProcessor(model_file=path + ".model")


def nllb(**options):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(TRAINING, trainers.BpeTrainer(vocab_size=150, special_tokens=special, show_progress=False))  # fmt: skip
    model = json.loads(tokenizer.to_str())["model"]
    return NllbTokenizer(vocab=model["vocab"], merges=[tuple(pair) for pair in model["merges"]], **options)


def mbart(kind, **options):
    return kind(vocab=[("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *unigram(120), *(
        [(code, 0.0) for code in MBartTokenizer().lang_code_to_id] + [("<mask>", 0.0)] if kind is MBartTokenizer else [])], **options)  # fmt: skip


def m2m(folder):
    path, pieces = sentencepiece_model(folder)
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *(pieces.id_to_piece(i) for i in range(pieces.get_piece_size()))]
    vocab = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    with open(os.path.join(folder, "vocab.json"), "w") as file:
        json.dump(vocab, file)
    codes = M2M100Tokenizer(os.path.join(folder, "vocab.json"), path).lang_token_to_id
    return M2M100Tokenizer(os.path.join(folder, "vocab.json"), path, additional_special_tokens=list(codes))  # as on the Hub


def marian(folder):
    path, pieces = sentencepiece_model(folder)
    tokens = ["</s>", "<unk>", *(pieces.id_to_piece(i) for i in range(pieces.get_piece_size())), ">>fra<<", ">>deu<<", ">>por_BR<<", "<pad>"]  # fmt: skip
    vocab = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    with open(os.path.join(folder, "vocab.json"), "w") as file:
        json.dump(vocab, file)
    return MarianTokenizer(path, path, os.path.join(folder, "vocab.json"))


def t5():
    vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *unigram(120), *((f"<extra_id_{i}>", 0.0) for i in reversed(range(10)))]
    return T5Tokenizer(vocab=vocab, extra_ids=10)


def converted(tokenizer):
    """tokenizer.json of a slow tokenizer over SentencePiece pieces (Unigram, no normalisation)."""
    slow_marian = isinstance(tokenizer, MarianTokenizer)
    pieces = tokenizer.spm_source if slow_marian else tokenizer.sp_model
    scores = {pieces.id_to_piece(i): pieces.get_score(i) for i in range(pieces.get_piece_size())}
    ids = dict(tokenizer.encoder) if slow_marian else {**tokenizer.encoder, **tokenizer.lang_token_to_id}
    vocab = [[token, scores.get(token, 0.0)] for token in sorted(ids, key=ids.get)]
    special = [token for token in ids if token in ("<s>", "<pad>", "</s>", "<unk>") or token.startswith("__")]
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    end = {"</s>": {"id": "</s>", "ids": [ids["</s>"]], "tokens": ["</s>"]}}
    text = lambda name: {"Sequence": {"id": name, "type_id": 0}}
    closing = [{"SpecialToken": {"id": "</s>", "type_id": 0}}]
    return {
        "version": "1.0",
        "added_tokens": [
            dict(id=ids[token], content=token, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
            for token in sorted(special, key=ids.get)
        ],
        "normalizer": {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]},
        "post_processor": {
            "type": "TemplateProcessing", "single": [text("A"), *closing], "pair": [text("A"), text("B"), *closing],
            "special_tokens": end,
        },
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": ids["<unk>"], "vocab": vocab},
    }  # fmt: skip


def files_of(tokenizer):
    """tokenizer.json and tokenizer_config.json, without what says where they were made."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        read = lambda name: json.load(open(os.path.join(folder, name)))
        fast = "tokenizer.json" in os.listdir(folder)
        config = {k: v for k, v in read("tokenizer_config.json").items() if k not in ("vocab_file", "spm_file", "source_spm", "target_spm", "vocab", "name_or_path", "added_tokens_decoder")}  # fmt: skip
        return {"tokenizer.json": read("tokenizer.json") if fast else converted(tokenizer), "tokenizer_config.json": config}


def translator():
    config = MarianConfig(
        vocab_size=VOCAB, d_model=24, encoder_layers=1, decoder_layers=2, encoder_ffn_dim=32, decoder_ffn_dim=32,
        encoder_attention_heads=2, decoder_attention_heads=2, max_position_embeddings=64, activation_function="relu",
        scale_embedding=True, eos_token_id=2, pad_token_id=1, decoder_start_token_id=2, forced_eos_token_id=None,
    )  # fmt: skip
    model = MarianMTModel(config).eval()
    model.tie_weights()
    generator = torch.Generator().manual_seed(11)
    draw = lambda shape: torch.randn(shape, generator=generator)
    table = model.get_input_embeddings().weight
    for key, weight in model.named_parameters():
        if "embed_positions" in key:
            continue  # sinusoids
        if weight is table:
            value = draw(weight.shape) * 0.35
        elif weight.dim() > 1:
            value = draw(weight.shape) * 1.6 / weight.shape[-1] ** 0.5
        else:
            value = draw(weight.shape) * 0.3 + (0 if key.endswith("bias") else 1)
        weight.data.copy_(value.half().float())
    bias = draw(model.final_logits_bias.shape) * 0.7
    bias[:, :3] = torch.tensor([2.0, 2.0, 2.0])  # so that rows end
    bias[:, 3:110] += 3  # pieces of words rather than languages
    model.final_logits_bias.copy_(bias.half().float())
    return model


def write(path, value, **how):
    with open(path, "w") as file:
        json.dump(value, file, ensure_ascii=False, **how)


def save(model):
    os.makedirs(TO, exist_ok=True)
    config = {k: v for k, v in model.config.to_diff_dict().items() if k not in ("transformers_version", "dtype")}
    write(f"{TO}/config.json", {**config, "architectures": ["MarianMTModel"], "model_type": "marian"}, indent=1)
    weights, seen = {}, set()
    for key, value in model.state_dict().items():
        if value.data_ptr() in seen or "embed_positions" in key:
            continue
        seen.add(value.data_ptr())
        weights[key] = value.half().contiguous()
    save_file(weights, f"{TO}/model.safetensors", metadata={"format": "pt"})


def inputs_of(tokenizer, text, src, tgt, config, task):
    """The ids of a text and the options for its target, as the pipelines of Transformers 4 make them."""
    if hasattr(tokenizer, "_build_translation_inputs"):
        built = tokenizer._build_translation_inputs(text, return_tensors="pt", src_lang=src, tgt_lang=tgt)
        forced = built.pop("forced_bos_token_id")
        starts = isinstance(tokenizer, MBartTokenizer)  # mBART-25 starts with the target language
        return built, {"decoder_start_token_id" if starts else "forced_bos_token_id": forced}
    if isinstance(tokenizer, MarianTokenizer):
        return tokenizer(f">>{tgt}<< {text}", return_tensors="pt"), {}
    params = config["task_specific_params"][f"translation_{src}_to_{tgt}" if tgt else task]
    options = {k: v for k, v in params.items() if k != "prefix"}
    return tokenizer(params["prefix"] + text, return_tensors="pt"), options


def noisy(model, seed):
    """Adds noise to the logits of every pass; returns how to stop that."""
    plain = model.forward
    generator = torch.Generator().manual_seed(seed)

    @functools.wraps(plain)
    def forward(*args, **kwargs):
        out = plain(*args, **kwargs)
        out.logits = out.logits + NOISE * (2 * torch.rand(out.logits.shape, generator=generator) - 1)
        return out

    model.forward = forward
    return lambda: setattr(model, "forward", plain)


def run(model, tokenizer, defaults, inputs, options):
    def once():
        config = GenerationConfig(**{**defaults, **options})
        return model.generate(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], generation_config=config,
                              output_scores=True, return_dict_in_generate=True)  # fmt: skip

    plain = once()
    for seed in range(RUNS):
        stop = noisy(model, seed)
        same = torch.equal(once().sequences, plain.sequences)
        stop()
        if not same:
            return None
    ends = defaults["eos_token_id"]
    rows = []
    for row in plain.sequences.tolist():
        rows.append(row[: row.index(ends, 1) + 1] if ends in row[1:] else row)
    return {
        "token_ids": rows,
        "texts": [tokenizer.decode(row, skip_special_tokens=True) for row in rows],
        **({"scores": [round(score, 6) for score in plain.sequences_scores.tolist()]} if options.get("num_beams", 1) > 1 else {}),
    }  # fmt: skip


BEAMS = {"num_beams": 3, "num_return_sequences": 2, "max_length": 14, "length_penalty": 0.8}


def make(model, name, tokenizer, pairs, end, config, task="translation", like=None):
    """Writes NAME.json: each text to one of the languages, greedily and by beams; tokenizer.json may be that of `like`."""
    start = tokenizer.pad_token_id if name.startswith(("marian", "t5")) else end
    defaults = dict(eos_token_id=end, pad_token_id=tokenizer.pad_token_id, decoder_start_token_id=start, max_length=12, no_repeat_ngram_size=2)
    size = 1 + max(getattr(tokenizer, "lang_token_to_id", tokenizer.get_vocab()).values())
    defaults["suppress_tokens"] = list(range(size, VOCAB))  # the model has more tokens
    if name == "mbart":
        defaults["decoder_start_token_id"] = tokenizer.convert_tokens_to_ids("ro_RO")
    files = files_of(tokenizer)
    if like:
        del files["tokenizer.json"]
    cases = []
    for index, text in enumerate(TEXTS):
        src, tgt = pairs[index % len(pairs)]
        for options in [{}, BEAMS]:
            inputs, target = inputs_of(tokenizer, text, src, tgt, config, task)
            found = run(model, tokenizer, defaults, inputs, {**target, **options})
            if found is None:
                print(name, "noise decides", repr(text), options)
                continue
            cases.append({"text": text, **({"src_lang": src} if src else {}), **({"tgt_lang": tgt} if tgt else {}),
                          "input_ids": inputs["input_ids"][0].tolist(), "options": options, **found})  # fmt: skip
    write(f"{TO}/{name}.json", {"task": task, "like": like, "files": files, "config": config, "generation_config": defaults, "cases": cases})
    print(name, len(cases), "cases, vocabulary", size)
    assert size <= VOCAB and len(cases) >= 10


def main():
    model = translator()
    save(model)
    codes = [("eng_Latn", "fra_Latn"), ("deu_Latn", "zho_Hans"), ("fra_Latn", "eng_Latn")]
    make(model, "nllb", nllb(), codes, 2, {})
    make(model, "nllb-legacy", nllb(legacy_behaviour=True), codes, 2, {}, like="nllb")
    codes = [("en_XX", "ro_RO"), ("de_DE", "fr_XX"), ("ru_RU", "en_XX")]
    make(model, "mbart", mbart(MBartTokenizer), codes, 2, {})
    make(model, "mbart50", mbart(MBart50Tokenizer), codes, 2, {})
    with tempfile.TemporaryDirectory() as folder:
        make(model, "m2m_100", m2m(folder), [("en", "fr"), ("de", "ast"), ("fr", "en")], 2, {})
    with tempfile.TemporaryDirectory() as folder:
        make(model, "marian", marian(folder), [(None, "fra"), (None, "deu"), (None, "por_BR")], 0, {})
    beams = {"early_stopping": True, "num_beams": 4}
    config = {"task_specific_params": {
        "summarization": {**beams, "length_penalty": 2.0, "max_length": 20, "min_length": 6, "no_repeat_ngram_size": 3, "prefix": "summarize: "},
        "translation_en_to_de": {**beams, "max_length": 15, "prefix": "translate English to German: "},
        "translation_en_to_fr": {**beams, "max_length": 15, "prefix": "translate English to French: "},
    }}  # fmt: skip
    tokenizer = t5()
    make(model, "t5", tokenizer, [("en", "de"), ("en", "fr")], 1, config)
    make(model, "t5-summarization", tokenizer, [(None, None)], 1, config, "summarization", like="t5")


if __name__ == "__main__":
    main()
