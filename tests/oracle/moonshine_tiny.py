"""Adds to tests/fixtures/moonshine-tiny.json what Transformers makes of models/moonshine-tiny in float32: the logits
`exact` of the same tokens, after the same tokens.

    pip install torch==2.13.0 transformers==5.18.0
    python tests/oracle/moonshine_tiny.py
"""

import json
import os
import wave

import numpy as np
import torch
from transformers import MoonshineForConditionalGeneration

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
PATH = os.path.join(ROOT, "tests/fixtures/moonshine-tiny.json")
torch.set_num_threads(1)
model = MoonshineForConditionalGeneration.from_pretrained(
    os.path.join(ROOT, "models/moonshine-tiny"), dtype=torch.float32).eval()
with open(PATH) as file:
    golden = json.load(file)
for name, one in golden["recordings"].items():
    with wave.open(os.path.join(ROOT, f"tests/fixtures/audio/{name}.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
    with torch.no_grad():
        logits = model(torch.tensor(samples)[None], decoder_input_ids=torch.tensor([one["greedy"][:-1]])).logits[0]
    for step, row in zip(one["steps"], logits):
        step["exact"] = [round(row[token].item(), 4) for token in step["ids"]]
    found = max(abs(a - b) for step in one["steps"] for a, b in zip(step["logits"], step["exact"]))
    print(name, "onnxruntime's logits are within", found)
golden["source"] += "; exact: transformers 5.18.0, float32, the converted checkpoint"
with open(PATH, "w") as file:
    json.dump(golden, file, separators=(",", ":"))
