"""Makes tests/fixtures/mt5 and tests/fixtures/umt5: tiny checkpoints in 16 bits, and what Transformers gives for them.
Everything follows from the seeds below; the tests need no Python.

    pip install torch==2.13.0 transformers==5.18.0 safetensors
    python tests/oracle/t5.py

A case is kept only if the same tokens come out in float64 and under noise of 3e-4 on every logit, four times over: no
correct implementation can flip one by rounding. Scores are those in float64.
"""

import copy
import functools
import json
import os
import random
import warnings

import torch
from safetensors.torch import save_file
from transformers import MT5Config, MT5ForConditionalGeneration, UMT5Config, UMT5ForConditionalGeneration
from transformers.utils import logging

warnings.filterwarnings("ignore")
logging.set_verbosity_error()
torch.set_num_threads(1)

NOISE, RUNS, TRIES = 3e-4, 4, 60
TO = os.path.join(os.path.dirname(__file__), "..", "fixtures")
IDS = 90  # ids of options and inputs are below this

# Heads that are no equal parts of the width, a shallower decoder (Transformers has no cache for a deeper one), few and odd buckets, distances beyond the last.
MODELS = {
    "mt5": (MT5ForConditionalGeneration, torch.float16, dict(tie_word_embeddings=False), MT5Config(
        vocab_size=103, d_model=40, d_kv=12, d_ff=56, num_layers=3, num_decoder_layers=2, num_heads=3,
        relative_attention_num_buckets=8, relative_attention_max_distance=20)),
    "umt5": (UMT5ForConditionalGeneration, torch.bfloat16, dict(), UMT5Config(
        vocab_size=97, d_model=32, d_kv=10, d_ff=44, num_layers=3, num_decoder_layers=2, num_heads=2,
        relative_attention_num_buckets=9, relative_attention_max_distance=11, feed_forward_proj="gated-silu",
        layer_norm_epsilon=1e-5)),
}


def make(name):
    """A model with random weights that 16 bits hold exactly, large enough that its outputs vary."""
    kind, dtype, _, config = MODELS[name]
    config.decoder_start_token_id = 0
    config._attn_implementation = "eager"
    model = kind(config).eval()
    generator = torch.Generator().manual_seed(2000 + list(MODELS).index(name))
    draw = lambda shape: torch.randn(shape, generator=generator)
    if name == "mt5":  # as on the Hub: a head of its own
        model.lm_head.weight = torch.nn.Parameter(torch.empty_like(model.lm_head.weight))
    for key, weight in model.named_parameters():
        shape = weight.shape
        if key == "lm_head.weight":
            value = draw(shape) * 2.5 / shape[-1] ** 0.5
        elif "relative_attention_bias" in key or key == "shared.weight":
            value = draw(shape)
        elif "decoder.final_layer_norm" in key and name == "umt5":
            value = 2.5 * draw(shape).sign() + draw(shape) * 0.3  # of both signs: a token is not its own successor
        elif "norm" in key:
            value = 1 + draw(shape) * 0.3
        else:
            value = draw(shape) * (0.6 if ".q." in key or ".k." in key else 1.3) / shape[-1] ** 0.5
        weight.data.copy_(value.to(dtype).float())
    return model


def save(name, model):
    """Writes config.json, generation_config.json and the weights, each tied table once."""
    _, dtype, more, _ = MODELS[name]
    folder = os.path.join(TO, name)
    os.makedirs(folder, exist_ok=True)
    config = {k: v for k, v in model.config.to_diff_dict().items() if k not in ("transformers_version", "dtype")}
    own = dict(decoder_start_token_id=0, eos_token_id=1, pad_token_id=0)
    write(f"{folder}/config.json", dict(config, architectures=[type(model).__name__], model_type=name, **more))
    write(f"{folder}/generation_config.json", own)
    weights, seen = {}, set()
    for key, value in model.state_dict().items():
        if value.data_ptr() not in seen:
            weights[key] = value.to(dtype).contiguous()
        seen.add(value.data_ptr())
    save_file(weights, f"{folder}/model.safetensors", metadata={"format": "pt"})


def write(path, value):
    with open(path, "w") as file:
        json.dump(value, file, separators=(",", ":"))
        file.write("\n")


def rows(r, lengths, side="right", mask=True):
    """Random tokens in rows that are padded with 0 on one side, and which are tokens."""
    width = max(lengths)
    pad = lambda row, value: row + [value] * (width - len(row)) if side == "right" else [value] * (width - len(row)) + row
    out = {"input_ids": [pad([r.randrange(2, IDS) for _ in range(n)], 0) for n in lengths]}
    return dict(out, attention_mask=[pad([1] * n, 0) for n in lengths]) if mask else out


def begun(r, lengths):
    """The beginnings of targets, of which shorter ones have padding on the left."""
    width = max(lengths)
    ids = [[0] * (width - n) + [0] + [r.randrange(2, IDS) for _ in range(n - 1)] for n in lengths]
    mask = [[0] * (width - n) + [1] * n for n in lengths]
    return {"decoder_input_ids": ids, **({"decoder_attention_mask": mask} if min(lengths) < width else {})}


RAGGED, LONG = [7, 2, 5, 13], [45, 3, 30]
ENDS = lambda r: sorted(r.sample(range(2, IDS), 12))

# Name, inputs and options by a random generator. The first 20 are those of mt5.
CASES = [
    ("greedy", lambda r: (rows(r, RAGGED), dict(max_new_tokens=16))),
    ("greedy-left", lambda r: (rows(r, RAGGED, "left"), dict(max_new_tokens=12, eos_token_id=ENDS(r)))),
    ("greedy-long", lambda r: (rows(r, LONG), dict(max_new_tokens=40))),
    ("greedy-forced-ends", lambda r: (rows(r, RAGGED), dict(max_new_tokens=9, forced_bos_token_id=33, forced_eos_token_id=1))),
    ("greedy-suppressed", lambda r: (rows(r, RAGGED), dict(max_new_tokens=12, suppress_tokens=ENDS(r), begin_suppress_tokens=ENDS(r)))),
    ("greedy-bad-words", lambda r: (rows(r, RAGGED), dict(max_new_tokens=12, bad_words_ids=[[i] for i in ENDS(r)] + [[4, 7]], no_repeat_ngram_size=2))),
    ("greedy-penalty", lambda r: (rows(r, RAGGED), dict(max_new_tokens=16, repetition_penalty=1.3))),
    ("greedy-minimum", lambda r: (rows(r, RAGGED), dict(max_new_tokens=14, min_new_tokens=6, eos_token_id=ENDS(r)))),
    ("greedy-prefix", lambda r: (dict(rows(r, LONG), **begun(r, [4, 4, 4])), dict(max_new_tokens=10))),
    ("greedy-ragged-prefix", lambda r: (dict(rows(r, [7, 2, 5]), **begun(r, [26, 3, 1])), dict(max_new_tokens=10))),
    ("beam-2", lambda r: (rows(r, [9], mask=False), dict(max_new_tokens=14, num_beams=2))),
    ("beam-4", lambda r: (rows(r, RAGGED), dict(max_new_tokens=12, num_beams=4, num_return_sequences=4))),
    ("beam-4-long", lambda r: (rows(r, LONG), dict(max_new_tokens=30, num_beams=4, num_return_sequences=2))),
    ("beam-5-early", lambda r: (rows(r, RAGGED), dict(max_new_tokens=14, num_beams=5, num_return_sequences=3, early_stopping=True, eos_token_id=ENDS(r)))),
    ("beam-3-never", lambda r: (rows(r, RAGGED), dict(max_new_tokens=12, num_beams=3, num_return_sequences=3, early_stopping="never", length_penalty=0.6, eos_token_id=ENDS(r)))),
    ("beam-4-length-penalty-2", lambda r: (rows(r, RAGGED), dict(max_new_tokens=12, num_beams=4, length_penalty=2.0, eos_token_id=ENDS(r)))),
    ("beam-3-length-penalty-neg", lambda r: (rows(r, RAGGED), dict(max_new_tokens=12, num_beams=3, length_penalty=-1.0, eos_token_id=ENDS(r)))),
    ("beam-4-forced-ends", lambda r: (rows(r, RAGGED), dict(max_new_tokens=9, num_beams=4, forced_bos_token_id=50, forced_eos_token_id=1))),
    ("beam-3-prefix", lambda r: (dict(rows(r, [45, 30]), **begun(r, [24, 24])), dict(max_new_tokens=9, num_beams=3, num_return_sequences=2))),
    ("beam-6-rules", lambda r: (rows(r, RAGGED), dict(max_new_tokens=12, num_beams=6, num_return_sequences=2, no_repeat_ngram_size=2, suppress_tokens=ENDS(r), min_new_tokens=5))),
]
OF_UMT5 = ("greedy", "greedy-long", "greedy-ragged-prefix", "beam-4", "beam-4-long", "beam-5-early")
FORWARDS = [
    ("forward-ragged", lambda r: dict(rows(r, [6, 11, 1, 9]), decoder_input_ids=[[0] + [r.randrange(IDS) for _ in range(6)] for _ in range(4)])),
    ("forward-long", lambda r: dict(rows(r, [50]), decoder_input_ids=[[0] + [r.randrange(IDS) for _ in range(40)]])),
]


def tensors(inputs):
    return {key: torch.tensor(value) for key, value in inputs.items()}


def noisy(model, seed):
    """A model that adds noise to its logits."""
    other, generator = copy.copy(model), torch.Generator().manual_seed(seed)

    @functools.wraps(model.forward)
    def forward(*args, **kwargs):
        out = model.forward(*args, **kwargs)
        out.logits = out.logits + NOISE * (2 * torch.rand(out.logits.shape, generator=generator) - 1)
        return out

    other.forward = forward
    return other


def generate(model, inputs, options):
    out = model.generate(**tensors(inputs), **options, do_sample=False, return_dict_in_generate=True, output_scores=True)
    scores = getattr(out, "sequences_scores", None)
    given = len(inputs.get("decoder_input_ids", [[0]])[0])
    ends = options.get("eos_token_id", [1])
    return [padded(row, given, ends) for row in out.sequences.tolist()], None if scores is None else scores.tolist()


def padded(row, given, ends):
    """A row with pad_token_id after its end, where beam search of Transformers has an end id for a pad_token_id of 0."""
    last = next((t for t in range(given, len(row)) if row[t] in ends), len(row))
    return row[:last + 1] + [0] * (len(row) - last - 1)


def robust(model, double, case, r):
    """Inputs, options and the right answer of a case, drawn again until rounding decides nothing."""
    for _ in range(TRIES):
        inputs, options = case(r)
        sequences, scores = generate(double, inputs, options)
        others = [model] + [noisy(model, seed) for seed in range(RUNS)]
        if scores and min(scores) < -1e6:
            continue
        if all(generate(other, inputs, options)[0] == sequences for other in others):
            return inputs, options, sequences, scores
    raise RuntimeError("no robust case found")


def main():
    with torch.no_grad():
        for name in MODELS:
            model = make(name)
            save(name, model)
            double = copy.deepcopy(model).double()
            cases, found = [], {}
            for index, (title, case) in enumerate(FORWARDS):
                inputs = case(random.Random(100 + index))
                out = model(**tensors(inputs), output_attentions=True)
                expected = {key: f"{title}.{key}" for key in ("logits", "encoder_last_hidden_state")}
                found |= {value: out[key].contiguous() for key, value in expected.items()}
                if title == "forward-ragged":
                    found |= {f"{title}.attentions.{l}": a.contiguous() for l, a in enumerate(out.encoder_attentions)}
                cases.append(dict(name=title, kind="forward", inputs=inputs, expected=expected))
            for index, (title, case) in enumerate(CASES):
                if name == "umt5" and title not in OF_UMT5:
                    continue
                inputs, options, sequences, scores = robust(model, double, case, random.Random(index))
                expected = dict(sequences=sequences, **({"sequences_scores": scores} if scores else {}))
                cases.append(dict(name=title, kind="generate", inputs=inputs, options=options, expected=expected))
                print(name, title, sequences[0][:14], scores and round(scores[0], 4))
            source = "tests/oracle/t5.py: transformers 5.18.0, torch 2.13.0, float32 (scores float64), eager attention"
            write(os.path.join(TO, name, "golden.json"), dict(source=source, cases=cases))
            save_file(found, os.path.join(TO, name, "golden.safetensors"))


if __name__ == "__main__":
    main()
