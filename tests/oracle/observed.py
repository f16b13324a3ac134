"""Makes tests/fixtures/observed: what Transformers gives for vectors in place of tokens (inputs_embeds), and which states
and attention weights it shows, with the checkpoints of tests/fixtures.

    pip install torch==2.13.0 transformers==5.18.0 safetensors
    python tests/oracle/observed.py

Vectors follow from a formula that the test has too (`vectors`). A case of generation is kept only if the same tokens come
out under noise of 3e-4 on every logit, four times over.
"""

import json
import math
import os
import warnings

import numpy
import torch
from safetensors.torch import save_file
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM, LogitsProcessor
from transformers.utils import logging

warnings.filterwarnings("ignore")
logging.set_verbosity_error()
torch.set_num_threads(1)

FIXTURES = os.path.join(os.path.dirname(__file__), "..", "fixtures")
TO = os.path.join(FIXTURES, "observed")
tensors, cases = {}, []


def vectors(B, S, D, seed, scale=0.5):
    """The formula of the test: sin(seed + 7b + 3s + d/2 + sd/10) * scale."""
    b, s, d = numpy.meshgrid(numpy.arange(B), numpy.arange(S), numpy.arange(D), indexing="ij")
    return torch.tensor((numpy.sin(seed + 7 * b + 3 * s + d / 2 + s * d / 10) * scale).astype(numpy.float32))


def load(kind, name):
    return kind.from_pretrained(os.path.join(FIXTURES, name), attn_implementation="eager", dtype=torch.float32).eval()


def keep(key, value):
    """Stores a tensor, or a list of them one after another, and returns its name."""
    tensors[key] = (torch.stack(list(value)) if isinstance(value, (tuple, list)) else value).detach().contiguous().clone()
    return key


def add(model, name, kind, inputs, expected, options=None):
    key = f"{model}.{name}"
    cases.append({
        "model": model, "name": name, "kind": kind, "inputs": inputs, **({"options": options} if options else {}),
        "expected": {k: keep(f"{key}.{k}", v) if torch.is_tensor(v) or isinstance(v, tuple) else v for k, v in expected.items()},
    })


class Noise(LogitsProcessor):
    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, ids, scores):
        return scores + 3e-4 * (2 * torch.rand(scores.shape, generator=self.generator) - 1)


def generate(model, inputs, options):
    run = lambda processors: model.generate(**inputs, **options, logits_processor=processors)
    whole = run([])
    for seed in range(4):
        assert torch.equal(run([Noise(seed)]), whole), f"noise changes tokens under {options}"
    extra = dict(return_dict_in_generate=True, output_scores=True)
    found = model.generate(**inputs, **options, **extra)
    scores = getattr(found, "sequences_scores", None)
    return {"sequences": whole.tolist(), **({"sequences_scores": scores.tolist()} if scores is not None else {})}


def tensor_inputs(inputs, D):
    given = {k: torch.tensor(v) for k, v in inputs.items() if k != "vectors"}
    if "vectors" in inputs:
        given["inputs_embeds"] = vectors(*inputs["vectors"][:2], D, *inputs["vectors"][2:])
    return given


RIGHT = [[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]]
LEFT = [[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]]
HIDDEN = dict(output_hidden_states=True, output_attentions=True)


def encoders():
    for name, more in {"bert": {"token_type_ids": [[0, 0, 0, 1, 1, 1], [0, 1, 1, 0, 0, 0]]}, "roberta": {}}.items():
        model = load(AutoModel, name)
        inputs = {"vectors": [2, 6, 3], "attention_mask": RIGHT, **more}
        out = model(**tensor_inputs(inputs, model.config.hidden_size))
        add(name, "vectors", "forward", inputs, {"last_hidden_state": out.last_hidden_state, "pooler_output": out.pooler_output})


def encoder_decoders():
    for name in ["marian", "bart", "t5"]:
        model = load(AutoModelForSeq2SeqLM, name)
        D = model.config.d_model
        start = model.generation_config.decoder_start_token_id
        inputs = {"vectors": [2, 6, 5], "attention_mask": RIGHT, "decoder_input_ids": [[start, 7, 30, 12], [start, 9, 5, 44]]}
        out = model(**tensor_inputs(inputs, D))
        add(name, "vectors", "forward", inputs, {"logits": out.logits, "encoder_last_hidden_state": out.encoder_last_hidden_state})
        inputs = {"vectors": [2, 6, 11], "attention_mask": RIGHT}
        for label, options in {
            "greedy": {"max_new_tokens": 12},
            "beams": {"num_beams": 3, "num_return_sequences": 2, "max_new_tokens": 12, "repetition_penalty": 1.3},
        }.items():
            add(name, f"vectors, {label}", "generate", inputs, generate(model, tensor_inputs(inputs, D), options), options)
        inputs = {
            "input_ids": [[21, 8, 40, 33, 5, 2], [17, 60, 3, 9, 1, 1]], "attention_mask": RIGHT,
            "decoder_input_ids": [[start, 7, 30, 12], [start, 9, 5, 0]], "decoder_attention_mask": [[1, 1, 1, 1], [1, 1, 1, 0]],
        }
        out = model(**tensor_inputs(inputs, D), **HIDDEN)
        names = [f"{side}_{what}" for side in ("encoder", "decoder") for what in ("hidden_states", "attentions")]
        add(name, "states and attentions", "observe", inputs, {n: tuple(out[n]) for n in [*names, "cross_attentions"]})
        attended(name, model, start)


def attended(name, model, start):
    inputs = {"input_ids": [[21, 8, 40, 33, 5, 2], [17, 60, 3, 9, 1, 1]], "attention_mask": RIGHT}
    given = tensor_inputs(inputs, 0)
    options = {"max_new_tokens": 7}
    found = generate(model, given, options)
    steps = model.generate(**given, **options, return_dict_in_generate=True, output_attentions=True).cross_attentions
    # steps x layers x [B,H,1,S] -> [B,L,H,T,S]
    weights = torch.stack([torch.stack(list(step), 1)[:, :, :, 0] for step in steps], 3)
    add(name, "attended, greedy", "attend", inputs, {**found, "cross_attentions": weights}, options)
    options = {"num_beams": 3, "num_return_sequences": 2, "max_new_tokens": 7}
    found = generate(model, given, options)
    rows = torch.tensor(found["sequences"])
    twice = {k: v.repeat_interleave(2, 0) for k, v in given.items()}
    weights = torch.stack(list(model(**twice, decoder_input_ids=rows[:, :-1], output_attentions=True).cross_attentions), 1)
    add(name, "attended, beams", "attend", inputs, {**found, "cross_attentions": weights}, options)


def decoders():
    for name in ["gpt2", "llama"]:
        model = load(AutoModelForCausalLM, name)
        D = model.config.hidden_size
        inputs = {"vectors": [2, 6, 4], "attention_mask": RIGHT}
        add(name, "vectors", "forward", inputs, {"logits": model(**tensor_inputs(inputs, D)).logits})
        for label, options in {
            "greedy": {"max_new_tokens": 10},
            "rules": {"max_new_tokens": 14, "repetition_penalty": 1.4, "no_repeat_ngram_size": 2, "min_new_tokens": 6},
            "beams": {"num_beams": 4, "num_return_sequences": 3, "max_new_tokens": 9, "length_penalty": 0.5},
            "a length that counts the vectors": {"max_length": 15, "min_length": 9},
            "a token that is forced": {"max_new_tokens": 5, "forced_bos_token_id": 11, "begin_suppress_tokens": [3, 50]},
        }.items():
            for side, mask in {"": None, ", padded": LEFT}.items():
                inputs = {"vectors": [2, 6, 9, 1.5], **({"attention_mask": mask} if mask else {})}
                try:
                    found = generate(model, tensor_inputs(inputs, D), options)
                except AssertionError as error:
                    print(name, label, side, error)
                    continue
                add(name, f"vectors, {label}{side}", "generate", inputs, found, options)
        inputs = {"input_ids": [[21, 8, 40, 33, 5, 2], [17, 60, 3, 9, 1, 1]], "attention_mask": RIGHT}
        out = model(**tensor_inputs(inputs, D), **HIDDEN)
        add(name, "states and attentions", "observe", inputs, {n: tuple(out[n]) for n in ("hidden_states", "attentions")})


encoders()
encoder_decoders()
decoders()
os.makedirs(TO, exist_ok=True)
save_file(tensors, os.path.join(TO, "golden.safetensors"))
with open(os.path.join(TO, "golden.json"), "w") as file:
    json.dump({"source": "transformers 5.18.0, torch 2.13, eager attention", "cases": cases}, file, indent=None)
    file.write("\n")
print(len(cases), "cases,", sum(t.numel() for t in tensors.values()) * 4, "bytes")
