"""Makes tests/fixtures/moonshine: a tiny Moonshine with random weights, and what Transformers makes of signals. Each
recording of a batch is run alone: in Transformers the padding of a batch counts in the group norm, here it does not.

    pip install torch==2.13.0 transformers==5.18.0
    python tests/oracle/moonshine.py
"""

import json
import math
import os

import torch
from safetensors.torch import save_file
from transformers import MoonshineConfig, MoonshineForConditionalGeneration
from transformers.utils import logging

logging.set_verbosity_error()
FOLDER = os.path.join(os.path.dirname(__file__), "..", "fixtures", "moonshine")
NOISE, TRIES, SEED = 3e-4, 4, 7
START, END, PAD = 1, 2, 2

torch.set_num_threads(1)
torch.manual_seed(SEED)
config = MoonshineConfig(
    vocab_size=67, hidden_size=32, intermediate_size=48, encoder_num_hidden_layers=2, decoder_num_hidden_layers=3,
    encoder_num_attention_heads=2, decoder_num_attention_heads=2, max_position_embeddings=96, bos_token_id=START,
    decoder_start_token_id=START, eos_token_id=END, pad_token_id=PAD, attn_implementation="eager")
model = MoonshineForConditionalGeneration(config).eval()
with torch.no_grad():
    for name, weight in model.named_parameters():
        if weight.dim() == 1:
            weight.copy_(0.1 * torch.randn_like(weight) + (1 if name.endswith("norm.weight") else 0))
        elif "embed" in name:
            weight.copy_(torch.randn_like(weight))
            weight[END] *= 1.6  # so that rows end
        else:
            weight.copy_(torch.randn_like(weight) * (1.6 / math.sqrt(weight[0].numel())))


def signal(kind, samples):
    t = torch.arange(samples) / 16000
    sweep = torch.sin(2 * math.pi * (200 + 4000 * t) * t)
    noise = torch.randn(samples)
    return {"noise": noise, "sweep": sweep, "both": 0.5 * sweep + 0.2 * noise}[kind]


SIGNALS = {
    "shortest": signal("noise", 895), "noise": signal("noise", 3001), "sweep": signal("sweep", 4500),
    "both": signal("both", 2200), "long": signal("both", 6000),
}
RAGGED = ["noise", "shortest", "sweep", "both"]
CALLS = {  # name: (signals, options)
    "greedy": (RAGGED, {"max_new_tokens": 20}),
    "greedy, alone": (["long"], {"max_new_tokens": 24}),
    "greedy, the shortest recording": (["shortest"], {"max_new_tokens": 16}),
    "greedy, repetition penalty": (RAGGED, {"max_new_tokens": 16, "repetition_penalty": 1.5}),
    "greedy, no repeated pairs": (["long", "noise"], {"max_new_tokens": 20, "no_repeat_ngram_size": 2}),
    "greedy, at least 12": (RAGGED, {"max_new_tokens": 16, "min_new_tokens": 12}),
    "greedy, after a prompt": (["sweep", "both"], {"max_new_tokens": 12, "decoder_input_ids": [[1, 9, 33], [1, 40, 5]]}),
    "2 beams": (["sweep"], {"max_new_tokens": 20, "num_beams": 2}),
    "4 beams": (RAGGED, {"max_new_tokens": 16, "num_beams": 4, "num_return_sequences": 2}),
    "5 beams": (["long", "sweep"], {"max_new_tokens": 20, "num_beams": 5, "num_return_sequences": 5}),
    "5 beams, early": (RAGGED, {"max_new_tokens": 16, "num_beams": 5, "early_stopping": True}),
    "3 beams, never": (["both", "noise"], {"max_new_tokens": 14, "num_beams": 3, "early_stopping": "never",
                                           "length_penalty": 0.5, "num_return_sequences": 3}),
    "4 beams, length penalty 2": (RAGGED, {"max_new_tokens": 16, "num_beams": 4, "length_penalty": 2.0}),
    "3 beams, no repeated pairs": (["long", "shortest"], {"max_new_tokens": 18, "num_beams": 3,
                                                           "no_repeat_ngram_size": 2, "repetition_penalty": 1.2}),
    "4 beams, suppressed": (["noise", "long"], {"max_new_tokens": 14, "num_beams": 4, "suppress_tokens": [7, 19, 33]}),
    "4 beams after a prompt": (["sweep", "both"], {"max_new_tokens": 12, "num_beams": 4,
                                                   "decoder_input_ids": [[1, 9, 33], [1, 40, 5]]}),
}


@torch.no_grad()
def generate(m, names, options):
    """Each signal alone; rows padded to the longest as a batch of Transformers is."""
    prompts = options.get("decoder_input_ids")
    plain = {key: value for key, value in options.items() if key != "decoder_input_ids"}
    rows, scores = [], []
    for at, name in enumerate(names):
        prompt = {} if prompts is None else {"decoder_input_ids": torch.tensor(prompts[at:at + 1])}
        made = m.generate(SIGNALS[name][None].to(m.dtype), **plain, **prompt, do_sample=False,
                          return_dict_in_generate=True, output_scores=True)
        rows += made.sequences.tolist()
        scores += made.sequences_scores.tolist() if "num_beams" in options else []
    longest = max(map(len, rows))
    return [row + [PAD] * (longest - len(row)) for row in rows], scores


def robust(names, options, tokens):
    double = MoonshineForConditionalGeneration(config).eval()
    double.load_state_dict(model.state_dict())
    double.double()
    rows, scores = generate(double, names, options)
    if rows != tokens:
        return None
    hook = model.proj_out.register_forward_hook(lambda _m, _i, out: out + NOISE * (2 * torch.rand_like(out) - 1))
    same = all(generate(model, names, options)[0] == tokens for _ in range(TRIES))
    hook.remove()
    return scores if same else None


@torch.no_grad()
def forward(name, names, targets, tensors):
    states, logits = [], []
    for at, one in enumerate(names):
        out = model(SIGNALS[one][None], decoder_input_ids=torch.tensor(targets[at:at + 1]))
        states.append(out.encoder_last_hidden_state[0])
        logits.append(out.logits[0])
    tensors[f"{name}.states"] = torch.nn.utils.rnn.pad_sequence(states, batch_first=True).contiguous()
    tensors[f"{name}.logits"] = torch.stack(logits)
    inputs = {"input_values": names, "decoder_input_ids": targets}
    expected = {"logits": f"{name}.logits", "encoder_last_hidden_state": f"{name}.states"}
    return {"name": name, "kind": "forward", "inputs": inputs, "expected": expected}


tensors = dict(SIGNALS)
targets = [[START, *torch.randint(3, 67, (7,)).tolist()] for _ in RAGGED]
cases = [forward("forward", ["long"], targets[:1], tensors), forward("forward, ragged", RAGGED, targets, tensors)]
for name, (names, options) in CALLS.items():
    rows, _ = generate(model, names, options)
    scores = robust(names, options, rows)
    print(name, "kept" if scores is not None else "DROPPED", rows[0])
    if scores is None:
        continue
    inputs = {"input_values": names}
    if "decoder_input_ids" in options:
        inputs["decoder_input_ids"] = options["decoder_input_ids"]
    options = {key: value for key, value in options.items() if key != "decoder_input_ids"}
    expected = {"sequences": rows, **({"sequences_scores": scores} if scores else {})}
    cases.append({"name": name, "kind": "generate", "inputs": inputs, "options": {**options, "do_sample": False},
                  "expected": expected})

model.save_pretrained(FOLDER)
save_file(tensors, os.path.join(FOLDER, "golden.safetensors"))
source = "transformers 5.18.0, torch 2.13.0+cpu, float32 (scores float64), eager attention, each recording alone"
with open(os.path.join(FOLDER, "golden.json"), "w") as file:
    json.dump({"source": source, "architecture": "MoonshineForConditionalGeneration", "seed": SEED, "cases": cases},
              file, separators=(",", ":"))
