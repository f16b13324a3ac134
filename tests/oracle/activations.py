"""Writes tests/fixtures/activations.json: what Transformers gives for tests/fixtures/bert with
other activations in config.json. Needs torch and transformers; run from the root of the repository."""

import json

import torch
from transformers import AutoConfig, AutoModel

NAMES = ["gelu_python", "gelu_accurate", "gelu_fast", "gelu_python_tanh", "quick_gelu", "linear"]
IDS = [[5, 9, 33, 2, 7]]


def states(folder, name):
    config = AutoConfig.from_pretrained(folder)
    config.hidden_act = name
    model = AutoModel.from_pretrained(folder, config=config, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        return model(torch.tensor(IDS)).last_hidden_state[0, :, :4].flatten()


result = {
    "source": "tests/oracle/activations.py, Transformers and PyTorch: last_hidden_state[0, :, :4] of tests/fixtures/bert",
    "input_ids": IDS,
    "activations": {name: [round(x, 6) for x in states("tests/fixtures/bert", name).tolist()] for name in NAMES},
}
with open("tests/fixtures/activations.json", "w") as file:
    json.dump(result, file)
    file.write("\n")
