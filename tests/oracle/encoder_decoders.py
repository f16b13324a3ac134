"""Makes tests/fixtures/m2m_100, mbart, pegasus and marian-untied: tiny checkpoints with random weights, and what Transformers
computes and generates with them. Everything follows from the seeds below; the tests need no Python.

    pip install torch==2.13.0 transformers==5.18.0 safetensors
    python tests/oracle/encoder_decoders.py [family ...]

Results are those of float64. A case of generate() is kept only if float32 gives the same tokens, also under noise of 3e-4 on every
logit, four times over; else other inputs are drawn. After the end of a row comes pad_token_id, always.
"""

import copy
import functools
import json
import os
import random
import sys
import warnings

import torch
from safetensors.torch import save_file
from transformers import (
    M2M100Config, M2M100ForConditionalGeneration, MarianConfig, MarianMTModel, MBartConfig, MBartForConditionalGeneration,
    PegasusConfig, PegasusForConditionalGeneration,
)
from transformers.utils import logging

warnings.filterwarnings("ignore")
logging.set_verbosity_error()
torch.set_num_threads(1)

NOISE, RUNS, TRIES = 3e-4, 4, 300
TO = os.path.join(os.path.dirname(__file__), "..", "fixtures")

SEEDS = {"m2m_100": 30, "mbart": 28, "pegasus": 6, "marian-untied": 14}  # of those tried, these end rows and vary most

# Class, config, stored type, fields of generation_config.json, and ids that texts are drawn from (those above are languages).
FAMILIES = {
    "m2m_100": (M2M100ForConditionalGeneration, M2M100Config(
        vocab_size=101, d_model=36, encoder_layers=2, decoder_layers=3, encoder_ffn_dim=50, decoder_ffn_dim=44,
        encoder_attention_heads=3, decoder_attention_heads=3, max_position_embeddings=40),
        torch.float16, dict(early_stopping=True, max_length=24, num_beams=5), (3, 90)),
    "mbart": (MBartForConditionalGeneration, MBartConfig(
        vocab_size=99, d_model=32, encoder_layers=3, decoder_layers=2, encoder_ffn_dim=48, decoder_ffn_dim=64,
        encoder_attention_heads=4, decoder_attention_heads=2, max_position_embeddings=40, scale_embedding=True,
        decoder_start_token_id=2),
        torch.bfloat16, dict(early_stopping=True, max_length=24, num_beams=5, forced_eos_token_id=2), (3, 90)),
    "pegasus": (PegasusForConditionalGeneration, PegasusConfig(
        vocab_size=96, d_model=33, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=60, decoder_ffn_dim=40,
        encoder_attention_heads=3, decoder_attention_heads=3, max_position_embeddings=40, scale_embedding=True,
        activation_function="relu"),
        torch.float32, dict(length_penalty=0.6, max_length=20, num_beams=8, forced_eos_token_id=1), (2, 96)),
    "marian-untied": (MarianMTModel, MarianConfig(
        vocab_size=70, decoder_vocab_size=83, share_encoder_decoder_embeddings=False, d_model=24, encoder_layers=2,
        decoder_layers=2, encoder_ffn_dim=40, decoder_ffn_dim=36, encoder_attention_heads=2, decoder_attention_heads=2,
        max_position_embeddings=40, scale_embedding=True, activation_function="swish", eos_token_id=0, pad_token_id=69,
        decoder_start_token_id=69, forced_eos_token_id=None),
        torch.float16, dict(num_beams=4, max_length=20), (1, 69)),
}


def make(name):
    """A model with random weights that the stored type holds exactly, large enough that its outputs vary."""
    kind, config, dtype, generation, _ = FAMILIES[name]
    config = copy.deepcopy(config)
    config._attn_implementation = "eager"
    model = kind(config).eval()
    model.tie_weights()
    generator = torch.Generator().manual_seed(SEEDS[name])
    draw = lambda shape: torch.randn(shape, generator=generator)
    last = "decoder.layers.1.final_layer_norm." if name == "marian-untied" else "decoder.layer_norm."
    tables = {id(m.weight) for m in (model.get_input_embeddings(), model.get_output_embeddings(), model.model.decoder.embed_tokens)}
    for key, weight in model.named_parameters():
        if "embed_positions" in key and name in ("pegasus", "marian-untied"):
            continue  # sinusoids
        if id(weight) in tables:
            value = draw(weight.shape) * 0.15  # small, so that a token is not its own successor
        elif key.endswith(last + "weight"):
            value = 5 + draw(weight.shape) * 0.8
        elif key.endswith(last + "bias"):
            value = draw(weight.shape) * 0.05
        elif weight.dim() > 1:
            gain = 0.8 if "embed_positions" in key else 5 if key.endswith(("out_proj.weight", "fc2.weight")) else 3
            value = draw(weight.shape) * gain / (1 if "embed_positions" in key else weight.shape[-1] ** 0.5)
        elif key.endswith("bias"):
            value = draw(weight.shape) * 0.2
        else:
            value = 1 + draw(weight.shape) * 0.3
        weight.data.copy_(value.to(dtype).float())
    if hasattr(model, "final_logits_bias"):
        model.final_logits_bias.copy_((draw(model.final_logits_bias.shape) * 0.6).to(dtype).float())
    names = ("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id")
    own = {name: getattr(config, name) for name in names if getattr(config, name, None) is not None}
    for key, value in dict(own, forced_eos_token_id=None, bos_token_id=own.get("bos_token_id")).items():
        setattr(model.generation_config, key, value)
    for key, value in generation.items():
        setattr(model.generation_config, key, value)
    return model, dict(own, **generation)


def save(name, model, generation):
    """Writes config.json, generation_config.json and the weights, tied ones once, as the Hub has them."""
    folder = os.path.join(TO, name)
    os.makedirs(folder, exist_ok=True)
    config = {k: v for k, v in model.config.to_diff_dict().items() if k not in ("transformers_version", "dtype", "id2label", "label2id")}
    config.update(architectures=[type(model).__name__], model_type=model.config.model_type)
    write(f"{folder}/config.json", config)
    write(f"{folder}/generation_config.json", generation)
    weights, seen = {}, set()
    for key, value in model.state_dict().items():
        if value.data_ptr() in seen or ("embed_positions" in key and name == "marian-untied"):
            continue
        seen.add(value.data_ptr())
        weights[key] = value.to(FAMILIES[name][2]).contiguous()
    save_file(weights, f"{folder}/model.safetensors", metadata={"format": "pt"})


def write(path, value):
    with open(path, "w") as file:
        json.dump(value, file, separators=(",", ":"))
        file.write("\n")


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


def tensors(inputs):
    return {key: torch.tensor(value) for key, value in inputs.items()}


def generate(model, inputs, options):
    """Rows with padding after their ends, and the scores of beams."""
    out = model.generate(**tensors(inputs), **options, return_dict_in_generate=True, output_scores=True)
    pad, end = model.config.pad_token_id, options.get("eos_token_id", model.config.eos_token_id)
    rows = out.sequences.tolist()
    given = len(inputs.get("decoder_input_ids", [[0]])[0])
    for row in rows:
        over = next((t for t in range(max(1, given), len(row)) if row[t] == end), len(row))
        row[over + 1:] = [pad] * len(row[over + 1:])
    scores = getattr(out, "sequences_scores", None)
    return rows, None if scores is None else scores.tolist()


def draw_inputs(r, name, rows=3, longest=9, exact=False, side="right", languages=True, mask=True, prefix=0):
    """Ragged texts, each with its language and its end."""
    config, (least, most) = FAMILIES[name][1], FAMILIES[name][4]
    text = lambda: [r.randrange(least, most) for _ in range(longest if exact else r.randint(1, longest))]
    begin = lambda: [r.randrange(90, 99)] if languages and name in ("m2m_100", "mbart") else []
    texts = [begin() + text() + [config.eos_token_id] for _ in range(rows)]
    width = max(map(len, texts))
    space = lambda row: [config.pad_token_id] * (width - len(row))
    right = side == "right"
    inputs = {"input_ids": [row + space(row) if right else space(row) + row for row in texts]}
    if mask:
        inputs["attention_mask"] = [[1] * len(row) + [0] * (width - len(row)) for row in texts]
        if not right:
            inputs["attention_mask"] = [bits[::-1] for bits in inputs["attention_mask"]]
    if prefix:
        inputs["decoder_input_ids"] = [[config.decoder_start_token_id] + [r.randrange(least, 69) for _ in range(prefix)] for _ in texts]
    return inputs


# Name, options of generate(), and how inputs are drawn. Without num_beams that of generation_config.json holds.
GENERATE = [
    ("greedy", dict(num_beams=1, max_new_tokens=12), {}),
    ("greedy, a language forced", dict(num_beams=1, max_new_tokens=12, forced_bos_token_id=66), {}),
    ("greedy, no n-gram of 2 twice", dict(num_beams=1, max_new_tokens=20, no_repeat_ngram_size=2), {}),
    ("the checkpoint's own options", dict(), {}),
    ("the checkpoint's own options, a language forced", dict(forced_bos_token_id=65), dict(rows=5)),
    ("2 beams", dict(num_beams=2, max_new_tokens=14), {}),
    ("3 beams, all returned, a language forced", dict(num_beams=3, num_return_sequences=3, max_new_tokens=12, forced_bos_token_id=67), {}),
    ("4 beams, short ones preferred", dict(num_beams=4, num_return_sequences=2, max_new_tokens=14, length_penalty=-1.0, early_stopping=False), {}),
    ("4 beams, long ones preferred", dict(num_beams=4, num_return_sequences=4, max_new_tokens=14, length_penalty=2.0, early_stopping=False), {}),
    ("4 beams, never early", dict(num_beams=4, max_new_tokens=16, early_stopping="never", length_penalty=0.6), dict(rows=4)),
    ("5 beams, early", dict(num_beams=5, num_return_sequences=3, max_new_tokens=16, early_stopping=True), {}),
    ("8 beams of one row", dict(num_beams=8, num_return_sequences=8, max_new_tokens=10), dict(rows=1)),
    ("a minimum length, no n-gram of 3 twice, as in summaries",
     dict(num_beams=4, min_length=9, max_length=20, no_repeat_ngram_size=3, length_penalty=2.0, early_stopping=True, forced_bos_token_id=66), {}),
    ("a minimum of new tokens", dict(num_beams=3, min_new_tokens=8, max_new_tokens=12), {}),
    ("targets begun, 1 beam", dict(num_beams=1, max_new_tokens=8), dict(prefix=3)),
    ("targets begun, 4 beams", dict(num_beams=4, num_return_sequences=2, max_new_tokens=9), dict(prefix=2)),
    ("an end that is forced", dict(num_beams=3, max_new_tokens=5, forced_eos_token_id=68), {}),
    ("repetition penalty and bad words", dict(num_beams=3, max_new_tokens=12, repetition_penalty=1.4, bad_words_ids=[[7], [9, 11], [66]]), {}),
    ("rows padded on their left", dict(num_beams=3, max_new_tokens=10), dict(side="left")),
    ("long sources", dict(num_beams=2, max_new_tokens=8), dict(rows=2, longest=36)),
    ("padding without a mask", dict(num_beams=2, max_new_tokens=10), dict(mask=False)),
]
FEW = ("greedy", "the checkpoint's own options", "3 beams, all returned, a language forced", "4 beams, never early", "targets begun, 4 beams",
       "repetition penalty and bad words", "long sources")


def chosen(name):
    for title, options, how in GENERATE:
        if name == "marian-untied" and title not in FEW:
            continue
        if how.get("side") == "left" and name != "m2m_100":
            continue  # elsewhere padding has positions in Transformers
        yield title, options, how


def generate_cases(name, model, double, r):
    for title, options, how in chosen(name):
        for _ in range(TRIES):
            inputs = draw_inputs(r, name, **how)
            rows, scores = generate(double, inputs, options)
            if scores and min(scores) < -1e6:
                continue  # fewer results than asked for
            if generate(model, inputs, options)[0] != rows or not any(len(set(row)) > 3 for row in rows):
                continue
            runs = []
            for seed in range(RUNS):
                stop = noisy(model, seed)
                runs.append(generate(model, inputs, options)[0] == rows)
                stop()
            if all(runs):
                break
        else:
            raise SystemExit(f"{name}: no inputs found for {title}")
        expected = {"sequences": rows, **({"sequences_scores": [round(score, 7) for score in scores]} if scores else {})}
        yield {"name": title, "kind": "generate", "inputs": inputs, "options": options, "expected": expected}


def forward_cases(name, double, r, results):
    hows = [("ragged sources", dict(rows=3)), ("sources without a mask", dict(rows=2, mask=False)), ("as many tokens as positions", dict(rows=1, longest=None, exact=True))]
    if name == "m2m_100":
        hows.append(("padding within and after, without a mask", dict(rows=2, mask=False)))
    for at, (title, how) in enumerate(hows):
        config = double.config
        full = config.max_position_embeddings
        if how.get("exact"):
            how["longest"] = full - (2 if name in ("m2m_100", "mbart") else 1)  # its language and its end
        inputs = draw_inputs(r, name, **how)
        least, most = FAMILIES[name][4]
        inputs["decoder_input_ids"] = [[config.decoder_start_token_id] + [r.randrange(least, most) for _ in range(full - 1 if how.get("exact") else 6)] for _ in inputs["input_ids"]]
        if title.startswith("padding"):
            inputs["input_ids"][0][1:3] = [config.pad_token_id] * 2
            inputs["decoder_input_ids"][1][5:] = [config.pad_token_id] * 2
        with torch.no_grad():
            out = double(**tensors(inputs))
        expected = {}
        for output in ("logits", "encoder_last_hidden_state"):
            expected[output] = f"{at}.{output}"
            results[expected[output]] = out[output].float().contiguous()
        yield {"name": title, "kind": "forward", "inputs": inputs, "expected": expected}


def main(names):
    for name in names:
        model, generation = make(name)
        double = copy.deepcopy(model).double()
        r = random.Random(7 + list(FAMILIES).index(name))
        results = {}
        cases = [*forward_cases(name, double, r, results), *generate_cases(name, model, double, r)]
        save(name, model, generation)
        source = "transformers 5.18.0, torch 2.13.0+cpu, float64, eager attention"
        write(f"{TO}/{name}/golden.json", {"source": source, "architecture": name, "cases": cases})
        save_file(results, f"{TO}/{name}/golden.safetensors")
        print(name, len(cases), "cases")


main(sys.argv[1:] or FAMILIES)
