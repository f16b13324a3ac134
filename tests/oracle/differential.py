"""Makes tests/differential: six tiny checkpoints of odd sizes, and what Transformers generates with them under 300 random
sets of options. Everything follows from the seeds below; the tests need no Python.

    pip install torch==2.13.0 transformers==5.18.0 safetensors
    python tests/oracle/differential.py [family ...]

A case is kept only if noise of 4e-4 on every logit, twice over, changes no token: no correct implementation can flip
one by rounding. Rows are normalised where Transformers slips: after the end of a row comes pad_token_id, always.
Diverse groups of beams, which Transformers 5 has no more, are searched here, over its logits and with its rules.
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
    GenerationConfig, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, MarianConfig, MarianMTModel,
    Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM,
)
from transformers.utils import logging

warnings.filterwarnings("ignore")
logging.set_verbosity_error()
torch.set_num_threads(1)

SETS = 300
NOISE, RUNS = 4e-4, 2
IDS = 85  # ids of options and inputs are below this, which every vocabulary has
TO = os.path.join(os.path.dirname(__file__), "..", "differential")

SIZES = {
    "gpt2": (GPT2LMHeadModel, GPT2Config(
        vocab_size=99, n_positions=47, n_embd=30, n_layer=2, n_head=3, n_inner=37, bos_token_id=1, eos_token_id=7,
        pad_token_id=0)),
    "llama": (LlamaForCausalLM, LlamaConfig(
        vocab_size=101, hidden_size=30, intermediate_size=41, num_hidden_layers=2, num_attention_heads=3,
        num_key_value_heads=1, max_position_embeddings=53, bos_token_id=1, eos_token_id=9, pad_token_id=3)),
    "llama-heads": (LlamaForCausalLM, LlamaConfig(
        vocab_size=89, hidden_size=27, intermediate_size=35, num_hidden_layers=2, num_attention_heads=3,
        num_key_value_heads=1, head_dim=14, max_position_embeddings=59, attention_bias=True, tie_word_embeddings=True,
        bos_token_id=1, eos_token_id=[4, 11], pad_token_id=4)),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(
        vocab_size=97, hidden_size=36, intermediate_size=45, num_hidden_layers=2, num_attention_heads=6,
        num_key_value_heads=2, max_position_embeddings=61, tie_word_embeddings=False, eos_token_id=5, pad_token_id=2)),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config(
        vocab_size=103, hidden_size=33, intermediate_size=39, num_hidden_layers=2, num_attention_heads=3,
        num_key_value_heads=3, head_dim=12, max_position_embeddings=51, tie_word_embeddings=True, eos_token_id=6)),
    "marian": (MarianMTModel, MarianConfig(
        vocab_size=99, d_model=30, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=37, decoder_ffn_dim=41,
        encoder_attention_heads=3, decoder_attention_heads=3, max_position_embeddings=47, activation_function="swish",
        scale_embedding=True, eos_token_id=0, pad_token_id=98, decoder_start_token_id=98, forced_eos_token_id=None)),
}


def make(name):
    """A model with random weights that f16 holds exactly, large enough that its outputs vary."""
    kind, config = SIZES[name]
    config = copy.deepcopy(config)
    config.attn_implementation = "eager"
    model = kind(config).eval()
    model.tie_weights()
    generator = torch.Generator().manual_seed(1000 + list(SIZES).index(name))
    draw = lambda shape: torch.randn(shape, generator=generator)
    tied = model.get_input_embeddings().weight is model.get_output_embeddings().weight
    tables = {id(model.get_input_embeddings().weight), id(model.get_output_embeddings().weight)}
    for key, weight in model.named_parameters():
        if "embed_positions" in key:
            continue  # sinusoids
        if id(weight) in tables:
            value = draw(weight.shape) * (0.35 if tied else 0.8)  # small ones, so that a token is not its own successor
        elif tied and key.endswith(("ln_f.weight", "model.norm.weight")):
            value = 2.5 + draw(weight.shape) * 0.5
        elif weight.dim() > 1:
            value = draw(weight.shape) * 1.6 / weight.shape[-1] ** 0.5
        elif key.endswith("bias"):
            value = draw(weight.shape) * 0.3
        else:
            value = 1 + draw(weight.shape) * 0.3
        weight.data.copy_(value.half().float())
    if name == "marian":
        model.final_logits_bias.copy_((draw(model.final_logits_bias.shape) * 0.7).half().float())
    return model


def other_defaults(name):
    """A second generation config, which says more, with fields that change nothing."""
    own = dict(num_beams=3, min_length=4, repetition_penalty=1.2, max_length=19, length_penalty=0.8, chat_format="raw",
               guidance_scale=1.0, eos_token_id=[12, 30, 31], pad_token_id=8, no_repeat_ngram_size=3)
    return dict(own, decoder_start_token_id=98, forced_bos_token_id=21) if name == "marian" else own


def save(name, model):
    """Writes config.json, both generation configs and the weights in f16."""
    folder = os.path.join(TO, name)
    os.makedirs(folder, exist_ok=True)
    config = {k: v for k, v in model.config.to_diff_dict().items() if k not in ("transformers_version", "dtype")}
    config["architectures"] = [type(model).__name__]
    config["model_type"] = model.config.model_type
    own = {k: v for k, v in model.generation_config.to_diff_dict().items()
           if k not in ("_from_model_config", "transformers_version")}
    write(f"{folder}/config.json", config)
    write(f"{folder}/generation_config.json", own)
    write(f"{folder}/other_generation_config.json", other_defaults(name))
    weights, seen = {}, set()
    for key, value in model.state_dict().items():
        if value.data_ptr() in seen or "embed_positions" in key:
            continue
        seen.add(value.data_ptr())
        weights[key] = value.half().contiguous()
    save_file(weights, f"{folder}/model.safetensors", metadata={"format": "pt"})


def write(path, value):
    with open(path, "w") as file:
        json.dump(value, file, separators=(",", ":"))
        file.write("\n")


def draw_options(r):
    """A random set of options, and which generation config it is for: "own", "other", or "none" (config.json)."""
    o = {}
    chance = lambda share: r.random() < share
    ids = lambda least, most: r.sample(range(IDS), r.randint(least, most))
    beams = r.choice([1, 1, 1, 2, 2, 3, 4, 5])
    groups = 1
    if chance(0.08):
        beams, groups = r.choice([(2, 2), (4, 2), (6, 3), (6, 2)])
    defaults = r.choice(["own", "own", "own", "other", "none"]) if groups == 1 else "own"
    if beams > 1 or defaults == "other":
        o["num_beams"] = beams
    if groups > 1:
        o["num_beam_groups"] = groups
        o["diversity_penalty"] = r.choice([0.3, 1.0, 2.5])
    if beams > 1:
        if chance(0.6):
            o["num_return_sequences"] = r.randint(1, beams)
        if chance(0.5):
            o["length_penalty"] = r.choice([0.0, 0.6, 1.7, 2.5, -1.0])
        if chance(0.5):
            o["early_stopping"] = r.choice([True, False, "never"])
    length = r.random()
    if length < 0.65:
        o["max_new_tokens"] = r.randint(1, 12)
    elif length < 0.85:
        o["max_length"] = r.randint(10, 20)
    if chance(0.2):
        o["min_new_tokens"] = r.randint(1, 7)
    if chance(0.15):
        o["min_length"] = r.randint(2, 14)
    if chance(0.25) and groups == 1:
        o["repetition_penalty"] = r.choice([0.7, 1.15, 1.6, 4.0])
    if chance(0.2):
        o["no_repeat_ngram_size"] = r.choice([1, 2, 2, 3])
    if chance(0.2):
        o["bad_words_ids"] = [ids(1, 3) for _ in range(r.randint(1, 6))]
    if chance(0.2):
        o["suppress_tokens"] = ids(1, 30)
    if chance(0.15):
        o["begin_suppress_tokens"] = ids(1, 40)
    if chance(0.1):
        o["forced_bos_token_id"] = r.randrange(IDS)
    if chance(0.12):
        o["forced_eos_token_id"] = r.randrange(IDS)
    if chance(0.1) and groups == 1:
        o["renormalize_logits"] = True
    ends = r.random()
    if ends < 0.25:
        o["eos_token_id"] = ids(2, 14)
    elif ends < 0.35:
        o["eos_token_id"] = r.randrange(IDS)
    elif ends < 0.43:
        o["eos_token_id"] = None
    if chance(0.12):
        o["pad_token_id"] = r.randrange(IDS)
    if defaults == "other" and chance(0.4):
        o[r.choice(["repetition_penalty", "no_repeat_ngram_size", "min_length"])] = None  # as few as Transformers takes
    if beams > 1 and o.get("max_new_tokens") == 1:
        o.pop("forced_eos_token_id", None)  # leaves one candidate
    forced = {o.get("forced_bos_token_id"), o.get("forced_eos_token_id"), 21} - {None}
    if "suppress_tokens" in o:
        o["suppress_tokens"] = [i for i in o["suppress_tokens"] if i not in forced] or [84]
    return defaults, o


def draw_inputs(r, name, pad):
    """Random inputs: ragged rows, padded with and without a mask, holes, other ids as padding; prefixes of targets."""
    rows = [[r.randrange(IDS) for _ in range(r.randint(1, 8))] for _ in range(r.randint(1, 3))]
    width = max(map(len, rows))
    masked = r.random() < 0.7
    if not masked:
        rows = [[i for i in row if i != pad] or [20] for row in rows]
        width = max(map(len, rows))
    if pad is None and not masked:
        rows = [[r.randrange(IDS) for _ in range(width)] for _ in rows]
    filler = lambda: r.randrange(IDS) if masked and name != "marian" and r.random() < 0.4 else (pad or 0)
    spaces = [[filler() for _ in range(width - len(row))] for row in rows]
    right = name == "marian"
    inputs = {"input_ids": [row + space if right else space + row for row, space in zip(rows, spaces)]}
    if masked:
        ones = [[1] * len(row) for row in rows]
        zeros = [[0] * len(space) for space in spaces]
        inputs["attention_mask"] = [a + b if right else b + a for a, b in zip(ones, zeros)]
        if not right and r.random() < 0.1:
            for mask in inputs["attention_mask"]:
                if sum(mask) > 2:
                    mask[-2] = 0
    if right and r.random() < 0.3:
        length = r.randint(1, 4)
        begin = [98] if r.random() < 0.5 else []
        inputs["decoder_input_ids"] = [begin + [r.randrange(IDS) for _ in range(length)] for _ in rows]
    return inputs


def noisy(model, scale, seed):
    """Adds noise to the logits of every pass; returns how to stop that."""
    plain = model.forward
    generator = torch.Generator().manual_seed(seed)

    @functools.wraps(plain)
    def forward(*args, **kwargs):
        out = plain(*args, **kwargs)
        out.logits = out.logits + scale * (2 * torch.rand(out.logits.shape, generator=generator) - 1)
        return out

    model.forward = forward
    return lambda: setattr(model, "forward", plain)


def tensors(inputs):
    return {key: torch.tensor(value) for key, value in inputs.items()}


def resolved(model, options):
    """The generation config of a call as Transformers settles it, with its token ids as tensors."""
    config, _ = model._prepare_generation_config(None, **options)
    model._prepare_special_tokens(config, True, device="cpu")
    return config


def generate(model, inputs, options):
    """Rows and their scores; None where Transformers has no sensible answer."""
    if "num_beam_groups" in options:
        return grouped(model, inputs, options)
    out = model.generate(**tensors(inputs), **options, return_dict_in_generate=True, output_scores=True)
    scores = getattr(out, "sequences_scores", None)
    if scores is None:
        steps = torch.stack(out.scores, 1)
        new = out.sequences[:, -steps.shape[1]:]
        chosen = steps.gather(2, new[:, :, None])[:, :, 0]
        live = alive(new, ends_of(model, options))
        return (out.sequences, None) if chosen[live].isfinite().all() else None
    return (out.sequences, scores) if (scores > -1e6).all() else None


def ends_of(model, options):
    ends = resolved(model, options)._eos_token_tensor
    return [] if ends is None else ends.tolist()


def alive(new, ends):
    """Which tokens are at or before the end of their row."""
    over = torch.isin(new, torch.tensor(ends, dtype=torch.long)).cumsum(1) - torch.isin(new, torch.tensor(ends, dtype=torch.long)).long()
    return over == 0


def grouped(model, inputs, options):
    """Diverse beam search: each group of beams of a row is searched by itself, but for what earlier groups chose."""
    own = {k: v for k, v in options.items() if k not in ("num_beam_groups", "diversity_penalty")}
    config = resolved(model, own)
    groups, penalty = options["num_beam_groups"], options["diversity_penalty"]
    per = config.num_beams // groups
    ends = [] if config._eos_token_tensor is None else config._eos_token_tensor.tolist()
    given = tensors(inputs)
    encoder = model.config.is_encoder_decoder
    ids, mask = given["input_ids"], given.get("attention_mask")
    if mask is None:
        mask = torch.ones_like(ids) if encoder else model._prepare_attention_mask_for_generation(ids, config, {})
    start = ids
    if encoder:
        start, _ = model._prepare_decoder_input_ids_for_generation(
            len(ids), "input_ids", given, config._decoder_start_token_tensor, device="cpu")
    width = start.shape[1]
    if config.max_new_tokens is not None:
        limit = width + config.max_new_tokens
    elif options.get("max_length") is not None:
        limit = config.max_length
    else:
        limit = min(width + 20, model.config.max_position_embeddings)
    config.max_length = limit
    config.min_length = width + config.min_new_tokens if config.min_new_tokens is not None else config.min_length
    rules = model._get_logits_processor(config, width, ids, device="cpu", model_kwargs={})

    def log_probs(b, rows):
        rows = torch.tensor(rows)
        if encoder:
            logits = model(input_ids=ids[b:b + 1].expand(len(rows), -1), decoder_input_ids=rows,
                           attention_mask=mask[b:b + 1].expand(len(rows), -1)).logits[:, -1]
        else:
            m = torch.cat([mask[b:b + 1].expand(len(rows), -1), torch.ones(len(rows), rows.shape[1] - width).long()], 1)
            positions = (m.cumsum(1) - 1).clamp(min=0)
            logits = model(input_ids=rows, attention_mask=m, position_ids=positions).logits[:, -1]
        return rules(rows, logits.float().log_softmax(-1))

    sequences, scores = [], []
    for b in range(len(ids)):
        row = start[b].tolist()
        begin = [(row, 0.0)] + [(row, -1e9)] * (per - 1)  # as in Transformers
        state = [dict(running=begin, finished=[], done=False) for _ in range(groups)]
        for length in range(width + 1, limit + 1):
            chosen = []
            for group in state:
                if group["done"]:
                    continue
                found = []
                table = log_probs(b, [row for row, _ in group["running"]])
                for id_ in chosen:
                    table[:, id_] -= penalty
                for (row, total), line in zip(group["running"], table.tolist()):
                    found += [(row + [v], total + score) for v, score in enumerate(line) if score > -1e30]
                found.sort(key=lambda one: -one[1])
                stops = lambda row: length == limit or row[-1] in ends
                norm = (length - width) ** config.length_penalty
                group["finished"] += [(row, total / norm) for row, total in found[:per] if stops(row)]
                group["finished"] = sorted(group["finished"], key=lambda one: -one[1])[:per]
                group["running"] = [one for one in found if not stops(one[0])][:per]
                full = len(group["finished"]) == per
                if length == limit or not group["running"] or (full and config.early_stopping is True):
                    group["done"] = True
                elif full:
                    never = config.early_stopping == "never" and config.length_penalty > 0
                    horizon = (limit if never else length) - width
                    best = group["running"][0][1] / horizon ** config.length_penalty
                    group["done"] = best <= group["finished"][-1][1]
                if not group["done"]:
                    chosen += [row[-1] for row, _ in group["running"]]
        best = sorted((one for group in state for one in group["finished"]), key=lambda one: -one[1])
        best = best[:config.num_return_sequences]
        if len(best) < config.num_return_sequences or best[-1][1] < -1e6:
            return None
        sequences += [row for row, _ in best]
        scores += [score for _, score in best]
    pad = pad_of(config)
    longest = max(map(len, sequences))
    return torch.tensor([row + [pad] * (longest - len(row)) for row in sequences]), torch.tensor(scores)


def pad_of(config):
    return 0 if config._pad_token_tensor is None else int(config._pad_token_tensor)


def normalised(model, options, inputs, rows):
    """After the end of a row comes the padding token."""
    own = {k: v for k, v in options.items() if k not in ("num_beam_groups", "diversity_penalty")}
    config = resolved(model, own)
    ends, pad = ends_of(model, own), pad_of(config)
    if model.config.is_encoder_decoder:
        begun = inputs.get("decoder_input_ids", [[98]])
        width = len(begun[0]) + (begun[0][0] != 98)
    else:
        width = len(inputs["input_ids"][0])
    new = rows[:, width:]
    new = torch.where(alive(new, ends), new, pad)
    return torch.cat([rows[:, :width], new], 1).tolist()


def main(names):
    os.makedirs(TO, exist_ok=True)
    r = random.Random(7)
    sets = [draw_options(r) for _ in range(SETS)]
    write(f"{TO}/sets.json", [[defaults, options] for defaults, options in sets])
    for name in names:
        model = make(name)
        own = copy.deepcopy(model.generation_config)
        configs = {"own": own, "none": GenerationConfig.from_model_config(model.config),
                   "other": GenerationConfig(**other_defaults(name))}
        save(name, model)
        cases, tries, lost = [], 0, 0
        for index, (defaults, options) in enumerate(sets):
            model.generation_config = copy.deepcopy(configs[defaults])
            r = random.Random(f"{name} {index}")
            for _ in range(60):
                tries += 1
                pad = options.get("pad_token_id", model.generation_config.pad_token_id)
                inputs = draw_inputs(r, name, pad)
                try:
                    found = generate(model, inputs, options)
                except (ValueError, IndexError):
                    continue
                if found is None:
                    continue
                rows = normalised(model, options, inputs, found[0])
                same = True
                for run in range(RUNS):
                    stop = noisy(model, NOISE, 100 * index + run)
                    try:
                        again = generate(model, inputs, options)
                    finally:
                        stop()
                    same = same and again is not None and normalised(model, options, inputs, again[0]) == rows
                    if not same:
                        break
                if same:
                    break
            else:
                lost += 1
                print(name, index, "no stable case", options, flush=True)
                continue
            if "attention_mask" in inputs:
                inputs["attention_mask"] = ["".join(map(str, mask)) for mask in inputs["attention_mask"]]
            scores = None if found[1] is None else [float(f"{score:.6g}") for score in found[1].tolist()]
            cases.append([index, inputs, rows] + ([scores] if scores else []))
        write(f"{TO}/{name}/cases.json", cases)
        lengths = sum(len(rows) for _, _, rows, *_ in cases)
        print(name, len(cases), "cases", tries, "tries", lengths, "rows", flush=True)


main(sys.argv[1:] or list(SIZES))
