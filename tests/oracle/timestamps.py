"""Makes tests/fixtures/timestamps.json: what Transformers generates with Whisper's rule of timestamps, which knows nothing of
speech: here it acts on the tiny Marian of tests/differential, whose ids above `no_timestamps_token_id` stand for timestamps.

    pip install torch==2.13.0 transformers==5.18.0 safetensors
    python tests/oracle/timestamps.py

A case is kept only if noise of 4e-4 on every logit, three times over, changes no token. After the end of a row comes
pad_token_id.
"""

import functools
import json
import os
import random
import warnings

import torch
from transformers import LogitsProcessorList, MarianMTModel
from transformers.generation.logits_process import (
    SuppressTokensAtBeginLogitsProcessor, SuppressTokensLogitsProcessor, WhisperTimeStampLogitsProcessor,
)
from transformers.utils import logging

warnings.filterwarnings("ignore")
logging.set_verbosity_error()
torch.set_num_threads(1)

CASES, NOISE, RUNS = 90, 4e-4, 3
HERE = os.path.dirname(__file__)
IDS, PAD, START = 85, 98, 98


def draw(r):
    """Options and inputs; rows of a batch differ in length, prefixes of targets do not."""
    options = {"return_timestamps": True, "no_timestamps_token_id": r.choice([40, 55, 70]), "max_new_tokens": r.randint(4, 14),
               "eos_token_id": r.randint(20, 39)}
    # the table is tied, so that timestamps and text need a nudge to take turns
    options["suppress_tokens"] = sorted(r.sample(range(IDS), r.randint(0, 40)) + [PAD])
    if r.random() < 0.6:
        options["max_initial_timestamp_index"] = r.choice([0, 1, 5, 50])
    if r.random() < 0.5:
        options["num_beams"] = r.choice([2, 3, 5])
        options["num_return_sequences"] = r.randint(1, options["num_beams"])
    if r.random() < 0.3:
        options["begin_suppress_tokens"] = r.sample(range(IDS), 20)
    if r.random() < 0.3:
        options["repetition_penalty"] = r.choice([1.2, 2.0])
    if r.random() < 0.2:
        options["min_new_tokens"] = r.randint(2, 6)
    rows = [[r.randrange(1, IDS) for _ in range(r.randint(2, 9))] for _ in range(r.randint(1, 3))]
    width = max(map(len, rows))
    inputs = {"input_ids": [row + [PAD] * (width - len(row)) for row in rows],
              "attention_mask": [[1] * len(row) + [0] * (width - len(row)) for row in rows]}
    length = r.choice([0, 0, 1, 2, 3])
    if length:
        inputs["decoder_input_ids"] = [[START] + [r.randrange(1, 98) for _ in range(length)] for _ in rows]
    return inputs, options


def generate(model, inputs, options):
    """Rows, normalised, and their scores."""
    rules = ("return_timestamps", "no_timestamps_token_id", "max_initial_timestamp_index", "suppress_tokens",
             "begin_suppress_tokens")
    config = model.generation_config
    config.no_timestamps_token_id = options["no_timestamps_token_id"]
    config.eos_token_id = options["eos_token_id"]
    config.max_initial_timestamp_index = options.get("max_initial_timestamp_index")
    width = len(inputs.get("decoder_input_ids", [[START]])[0])
    processors = LogitsProcessorList([SuppressTokensLogitsProcessor(options["suppress_tokens"])])
    if "begin_suppress_tokens" in options:
        processors.insert(0, SuppressTokensAtBeginLogitsProcessor(options["begin_suppress_tokens"], width))
    processors.append(WhisperTimeStampLogitsProcessor(config, begin_index=width))
    given = {key: torch.tensor(value) for key, value in inputs.items()}
    own = {key: value for key, value in options.items() if key not in rules}
    out = model.generate(**given, **own, logits_processor=processors, return_dict_in_generate=True,
                         output_scores=True)
    scores = getattr(out, "sequences_scores", None)
    if any((step == -torch.inf).all(-1).any() for step in out.scores):
        return None, None  # no token is allowed
    rows = out.sequences.tolist()
    for row in rows:
        new = row[width:]
        if options["eos_token_id"] in new:
            end = width + new.index(options["eos_token_id"]) + 1
            row[end:] = [PAD] * (len(row) - end)
    return rows, scores


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


def main():
    model = MarianMTModel.from_pretrained(f"{HERE}/../differential/marian", dtype=torch.float32, attn_implementation="eager").eval()
    cases, tries = [], 0
    r = random.Random(11)
    kinds = {}
    while len(cases) < CASES:
        tries += 1
        inputs, options = draw(r)
        rows, scores = generate(model, inputs, options)
        if rows is None or scores is not None and (scores < -1e6).any():
            continue
        same = True
        for run in range(RUNS):
            stop = noisy(model, 100 * tries + run)
            same = same and generate(model, inputs, options)[0] == rows
            stop()
        if not same:
            continue
        cases.append({"inputs": inputs, "options": options, "rows": rows,
                      **({"scores": [float(f"{score:.6g}") for score in scores.tolist()]} if scores is not None else {})})
        for row in rows:
            kind = "".join("t" if i > options["no_timestamps_token_id"] and i != PAD else "." for i in row)
            kinds[kind] = kinds.get(kind, 0) + 1
    with open(f"{HERE}/../fixtures/timestamps.json", "w") as file:
        json.dump(cases, file, separators=(",", ":"))
        file.write("\n")
    print(len(cases), "cases of", tries, "tries;", sorted(kinds.items(), key=lambda one: -one[1])[:12])


main()
