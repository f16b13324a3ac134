"""Makes tests/any_width.json: small models whose sizes are no multiples of four, and what Transformers makes of them.
Their weights follow from `weight` below, which tests/any_width.test.ts has too, so that no checkpoint is stored.

    pip install torch==2.13.0 transformers==5.18.0
    python tests/oracle/any_width.py
"""

import json
import os

import numpy as np
import torch
from transformers import (
    BertConfig, BertModel, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM)
from transformers.utils import logging

logging.set_verbosity_error()
END, PAD = 3, 0
PROMPTS, MASKS = [[5, 4, 2, 6, 1], [0, 0, 2, 4, 5]], [[1] * 5, [0, 0, 1, 1, 1]]
CALLS = [
    {"max_new_tokens": 8},
    {"max_new_tokens": 8, "num_beams": 4, "num_return_sequences": 4},
    {"max_new_tokens": 6, "num_beams": 3, "num_return_sequences": 2, "no_repeat_ngram_size": 2,
     "repetition_penalty": 1.3, "length_penalty": 0.5},
]


def weight(tensor, shape):
    """Numbers from -0.5 to 0.5 by the hash of Murmur3's last step; norms are near 1."""
    size = int(np.prod(shape))
    h = np.arange(size, dtype=np.uint64) + np.uint64(tensor * 1000003)
    for shift, factor in [(16, 0x85EBCA6B), (13, 0xC2B2AE35)]:
        h = ((h ^ (h >> np.uint64(shift))) * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    h ^= h >> np.uint64(16)
    return torch.from_numpy((h / 2**32 - 0.5).astype(np.float32)).reshape(shape)


def build(cls, config):
    model = cls(config).eval()
    tied = {"lm_head.weight"} if config.tie_word_embeddings else set()
    state = {name: t for name, t in model.state_dict().items() if t.is_floating_point() and name not in tied}
    with torch.no_grad():
        for i, (name, t) in enumerate(state.items()):
            norm = any(part in name.lower() for part in ("norm.weight", ".ln_", "ln_f")) and name.endswith("weight")
            t.copy_(weight(i, t.shape) + 1 if norm else weight(i, t.shape))
    return model, {name: list(t.shape) for name, t in state.items()}


def row_of(ids):  # after the end, Transformers pads with the end id where the padding id is 0
    end = ids.index(END, 5) if END in ids[5:] else len(ids)
    return [id if at <= end else PAD for at, id in enumerate(ids)]


def generates(cls, config):
    model, tensors = build(cls, config)
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = END, PAD
    results = []
    for call in CALLS:
        made = model.generate(torch.tensor(PROMPTS), attention_mask=torch.tensor(MASKS), return_dict_in_generate=True,
                              output_scores=True, **call)
        scores = {} if "num_beams" not in call else {"scores": [round(s, 6) for s in made.sequences_scores.tolist()]}
        results.append({"call": call, "sequences": [row_of(row) for row in made.sequences.tolist()], **scores})
    return {"config": {**config.to_diff_dict(), "model_type": config.model_type, "architectures": [cls.__name__]},
            "generation": {"eos_token_id": END, "pad_token_id": PAD}, "tensors": tensors, "results": results}


def encodes(cls, config):
    model, tensors = build(cls, config)
    states = model(torch.tensor(PROMPTS[:1])).last_hidden_state
    return {"config": {**config.to_diff_dict(), "model_type": config.model_type, "architectures": [cls.__name__]},
            "tensors": tensors,
            "states": [round(x, 5) for x in states.flatten().tolist()]}


def llama(head, heads, groups, V):
    return LlamaConfig(
        hidden_size=heads * head, num_attention_heads=heads, num_key_value_heads=groups, head_dim=head,
        intermediate_size=37, num_hidden_layers=1, vocab_size=V, max_position_embeddings=41, tie_word_embeddings=True)


def gpt2(width, heads, V):
    return GPT2Config(n_embd=width, n_head=heads, n_layer=1, vocab_size=V, n_positions=37, n_inner=37)


MODELS = {
    "rotary heads of 6": generates(LlamaForCausalLM, llama(6, 5, 1, 7)),
    "rotary heads of 10": generates(LlamaForCausalLM, llama(10, 3, 3, 99)),
    "rotary heads of 12": generates(LlamaForCausalLM, llama(12, 2, 1, 37)),
    "rotary heads of 20": generates(LlamaForCausalLM, llama(20, 3, 1, 101)),
    "rotary heads of 100": generates(LlamaForCausalLM, llama(100, 1, 1, 99)),
    "rotary heads of 20, norms": generates(Qwen3ForCausalLM, Qwen3Config(
        hidden_size=30, num_attention_heads=3, num_key_value_heads=1, head_dim=20, intermediate_size=37,
        num_hidden_layers=1, vocab_size=99, max_position_embeddings=41, tie_word_embeddings=True)),
    "hidden 90": generates(GPT2LMHeadModel, gpt2(90, 3, 99)),
    "a vocabulary of 7": generates(GPT2LMHeadModel, gpt2(21, 3, 7)),
    "one head of 37": generates(GPT2LMHeadModel, gpt2(37, 1, 99)),
    "heads of one": generates(GPT2LMHeadModel, gpt2(5, 5, 99)),
    "an encoder of 3 heads of 30": encodes(BertModel, BertConfig(
        hidden_size=90, num_attention_heads=3, intermediate_size=37, num_hidden_layers=1, vocab_size=99,
        max_position_embeddings=33)),
}

with open(os.path.join(os.path.dirname(__file__), "..", "any_width.json"), "w") as file:
    json.dump({"prompts": PROMPTS, "masks": MASKS, "models": MODELS}, file, separators=(",", ":"))
