"""Makes tests/fixtures/t5-texts: a tiny random T5 whose tokenizer is T5's kind (Unigram, "</s>" after each text, ten
sentinels) with the pieces of tests/fixtures/tokenizers/unigram.json, and what Transformers reads and writes with it: the
token ids of texts, ids that are generated for them, and their texts with and without special tokens.

    pip install torch==2.13.0 transformers==5.18.0 safetensors
    python tests/oracle/t5_texts.py

Its tokenizer.json is as Transformers 5 writes it; `hub.json` has what differs in one as it lies on the Hub.
"""

import base64
import copy
import json
import os
import warnings

import torch
from safetensors.torch import save_file
from t5 import RUNS, noisy
from tokenizers import Tokenizer
from transformers import T5Config, T5ForConditionalGeneration, T5Tokenizer
from transformers.utils import logging

warnings.filterwarnings("ignore")
logging.set_verbosity_error()
FIXTURES = os.path.join(os.path.dirname(__file__), "..", "fixtures")
TO = os.path.join(FIXTURES, "t5-texts")
SENTINELS, BEYOND = 10, 9  # rows of the table beyond the tokenizer's, as T5 has them
OWN = [
    "translate English to German: The house is wonderful.",
    "summarize: the boat sails on the sea and the cat sleeps in the house all day",
    "The <extra_id_0> walks in <extra_id_1> park",
    "<extra_id_0>",
    "a<extra_id_2>b <extra_id_2> c  <extra_id_9>",
    "<extra_id_10> is none, <extra_id_0 neither",
    "ends</s> and <pad> <unk> within",
    "▁a ▁ b▁c",
]
GENERATED = [0, 1, 2, 4, len(OWN), len(OWN) + 9]  # of all texts


def read(name):
    with open(os.path.join(FIXTURES, "tokenizers", name)) as file:
        return json.load(file)


def tokenizer():
    definition = read("unigram.json")
    vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    vocab += [(piece, score) for piece, score in definition["model"]["vocab"] if piece not in ("<s>", "<pad>", "</s>", "<unk>")]
    vocab += [(f"<extra_id_{i}>", 0.0) for i in reversed(range(SENTINELS))]
    charsmap = definition["normalizer"]["normalizers"][0]["precompiled_charsmap"]
    return T5Tokenizer(vocab=vocab, _spm_precompiled_charsmap=base64.b64decode(charsmap), extra_ids=SENTINELS, model_max_length=512)


def model(V):
    config = T5Config(vocab_size=V, d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2,
                      relative_attention_num_buckets=8, relative_attention_max_distance=16)  # fmt: skip
    config.decoder_start_token_id = 0
    config._attn_implementation = "eager"
    made = T5ForConditionalGeneration(config).eval()
    generator = torch.Generator().manual_seed(7)
    for key, weight in made.named_parameters():
        value = torch.randn(weight.shape, generator=generator)
        if "norm" in key:
            value = 5 * value.sign() if "decoder.final" in key else 1 + 0.3 * value
        elif "shared" not in key and "relative" not in key:
            value = value * 1.3 / weight.shape[-1] ** 0.5
        weight.data.copy_(value.half().float())
    return made


def write(name, value):
    with open(os.path.join(TO, name), "w") as file:
        json.dump(value, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")


def main():
    os.makedirs(TO, exist_ok=True)
    texts = tokenizer()
    V = len(texts) + BEYOND
    t5 = model(V)
    texts.save_pretrained(TO)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        write(name, json.load(open(os.path.join(TO, name))))
    config = {k: v for k, v in t5.config.to_diff_dict().items() if k not in ("transformers_version", "dtype")}
    write("config.json", dict(config, architectures=["T5ForConditionalGeneration"], model_type="t5"))
    write("generation_config.json", dict(decoder_start_token_id=0, eos_token_id=1, pad_token_id=0))
    save_file({k: v.half().contiguous() for k, v in t5.state_dict().items() if "embed_tokens" not in k and k != "lm_head.weight"},
              os.path.join(TO, "model.safetensors"), metadata={"format": "pt"})  # fmt: skip
    hub = {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [
        {"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True}]},
        "decoder": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True}}  # fmt: skip
    write("hub.json", hub)
    old = Tokenizer.from_str(json.dumps({**json.loads(texts._tokenizer.to_str()), **hub}))
    cases = []
    for index, text in enumerate(OWN + read("texts.json")["texts"]):
        ids = texts(text).input_ids
        assert ids == old.encode(text).ids
        case = dict(text=text, ids=ids, decoded=texts.decode(ids, skip_special_tokens=True), whole=texts.decode(ids))
        if index in GENERATED:
            options = dict(max_new_tokens=12, num_beams=3, suppress_tokens=[2, *range(len(texts), V)])
            with torch.no_grad():
                answers = [m.generate(torch.tensor([ids]), **options)[0].tolist()
                           for m in (copy.deepcopy(t5).double(), t5, *(noisy(t5, seed) for seed in range(RUNS)))]
            out = answers[0]
            assert all(other == out for other in answers), text  # rounding decides nothing
            case |= dict(generated=out, answer=texts.decode(out, skip_special_tokens=True), marked=texts.decode(out))
        cases.append(case)
    write("texts.json", dict(source="tests/oracle/t5_texts.py, transformers 5.18.0", cases=cases))


main()
