"""Makes tests/fixtures/whisper-distil: a tiny Whisper with 128 mel bands and stacks of different depth, in two shards of
float16, and what Transformers gives for it. Everything follows from the seeds below; the tests need no Python.

    pip install torch==2.13.0 transformers==5.18.0 safetensors
    python tests/oracle/whisper.py

A case is kept only if the same tokens come out in float64 and under noise of 3e-4 on every logit, four times over.
Scores are those in float64. The search is that of all models, not Whisper's own `generate`.
"""

import copy
import json
import os

import torch
from safetensors.torch import save_file
from transformers import LogitsProcessorList, WhisperConfig, WhisperForConditionalGeneration
from transformers.generation.utils import GenerationMixin

FOLDER = os.path.join(os.path.dirname(__file__), "..", "fixtures", "whisper-distil")
V, FRAMES, MELS = 67, 48, 128
SPECIAL = dict(decoder_start_token_id=3, eos_token_id=2, pad_token_id=1, bos_token_id=2)

config = WhisperConfig(
    vocab_size=V, d_model=36, encoder_layers=3, decoder_layers=1, encoder_attention_heads=3, decoder_attention_heads=2,
    encoder_ffn_dim=50, decoder_ffn_dim=44, num_mel_bins=MELS, max_source_positions=FRAMES // 2, max_target_positions=40,
    begin_suppress_tokens=None, attn_implementation="eager", **SPECIAL)
model = WhisperForConditionalGeneration(config).eval()
generator = torch.Generator().manual_seed(5)
draw = lambda *shape: torch.randn(shape, generator=generator)
for key, weight in model.named_parameters():
    if "embed_positions" in key and "encoder" in key:
        continue
    wide = weight[0].numel() if weight.dim() > 1 else 1
    scale = 1.0 if "embed" in key else 1.4 / wide**0.5 if weight.dim() > 1 else 0.3
    value = draw(*weight.shape) * scale + (1 if "norm.weight" in key else 0)
    if key == "model.decoder.layer_norm.weight":
        value = 1.6 * draw(*weight.shape).sign() + draw(*weight.shape) * 0.3  # a token is not its own successor
    weight.data.copy_(value.half().float())
weight = model.model.encoder.embed_positions.weight
weight.data.copy_(weight.data.half().float())
exact = copy.deepcopy(model).double()


class Noise:
    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, ids, scores):
        return scores + 3e-4 * torch.randn(scores.shape, generator=self.generator)


def generate(of, features, options, noise=None):
    more = {"logits_processor": LogitsProcessorList([Noise(noise)])} if noise is not None else {}
    plain = dict(do_sample=False, num_beams=1, use_cache=True, output_scores=True, return_dict_in_generate=True)
    with torch.no_grad():
        return GenerationMixin.generate(of, input_features=features, **{**plain, **options}, **more)


features = torch.clamp(draw(2, MELS, FRAMES) * 0.6, -1.2, 1.6)
prefix = torch.tensor([[3, 9, 40], [3, 11, 5]])
tried = [
    ("greedy", {"max_new_tokens": 20}),
    ("greedy-prefix", {"max_new_tokens": 12, "decoder_input_ids": prefix}),
    ("beam-3", {"max_new_tokens": 14, "num_beams": 3, "num_return_sequences": 3}),
    ("beam-4-prefix", {"max_new_tokens": 10, "num_beams": 4, "decoder_input_ids": prefix, "num_return_sequences": 2}),
    ("beam-5-early", {"max_new_tokens": 16, "num_beams": 5, "early_stopping": True, "no_repeat_ngram_size": 2}),
]
cases, tensors = [], {"input_features": features}
ids = torch.randint(4, V, (2, 7), generator=generator)
with torch.no_grad():
    out = model(input_features=features, decoder_input_ids=ids)
tensors["logits"], tensors["states"] = out.logits, out.encoder_last_hidden_state
cases.append({
    "name": "forward", "kind": "forward",
    "inputs": {"input_features": "input_features", "decoder_input_ids": ids.tolist()},
    "expected": {"logits": "logits", "encoder_last_hidden_state": "states"},
})
for name, options in tried:
    best = generate(exact, features.double(), options)
    others = [generate(model, features, options), *(generate(model, features, options, seed) for seed in range(4))]
    if not all(torch.equal(best.sequences, other.sequences) for other in others):
        print("left out:", name)
        continue
    inputs = {"input_features": "input_features"}
    if "decoder_input_ids" in options:
        inputs["decoder_input_ids"] = options["decoder_input_ids"].tolist()
    expected = {"sequences": best.sequences.tolist()}
    if "num_beams" in options:
        expected["sequences_scores"] = best.sequences_scores.tolist()
    kept = {k: v for k, v in options.items() if k != "decoder_input_ids"}
    cases.append({"name": name, "kind": "generate", "inputs": inputs, "options": kept, "expected": expected})
    print(name, expected["sequences"][0])


def write(name, value):
    with open(os.path.join(FOLDER, name), "w") as file:
        json.dump(value, file, separators=(",", ":"))
        file.write("\n")


os.makedirs(FOLDER, exist_ok=True)
own = {k: v for k, v in config.to_diff_dict().items() if k not in ("transformers_version", "dtype")}
write("config.json", {**own, "architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper"})
write("generation_config.json", SPECIAL)
write("preprocessor_config.json", {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": MELS})
write("golden.json", {"source": "tests/oracle/whisper.py, transformers 5.18.0, torch 2.13.0", "cases": cases})
save_file({k: v.contiguous() for k, v in tensors.items()}, os.path.join(FOLDER, "golden.safetensors"))
weights = {k: v.half().contiguous() for k, v in model.state_dict().items() if k != "proj_out.weight"}
shards = [[k for k in weights if (k.startswith("model.encoder")) == first] for first in (True, False)]
files = [f"model-0000{i + 1}-of-00002.safetensors" for i in range(2)]
for file, names in zip(files, shards):
    save_file({k: weights[k] for k in names}, os.path.join(FOLDER, file), metadata={"format": "pt"})
index = {k: file for file, names in zip(files, shards) for k in names}
write("model.safetensors.index.json", {"metadata": {}, "weight_map": index})
