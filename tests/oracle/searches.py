"""Makes tests/fixtures/searches.json: what beam searches that Transformers has not find in the tiny checkpoints of
tests/differential, over the probabilities of PyTorch in float64.

`opennmt` is that of OpenNMT-tf: opennmt/utils/decoding.py (`dynamic_decode` with `BeamSearch`, 2023-08), written again in numpy for one
sentence at a time. It differs from there in one line, as FasterTransformer 2.0
does: OpenNMT-tf keeps the cumulated log-probability of the old slot where a beam has finished (`tf.where(finished, old,
new)`) although beams may have changed slots; here it follows its beam. (How many cases that line changes is printed.)

`patient` is that of Transformers with the patience of Kasai et al. 2022: a sentence is full at num_beams * patience
hypotheses. With patience 1 it must give what Transformers gives, which is checked for each case.

    pip install torch==2.13.0 transformers==5.18.0 safetensors numpy
    python tests/oracle/searches.py

A case is kept only if noise of 4e-4 on every logit, three times over, changes no token and no rank.
"""

import json
import os
import random
import warnings

import numpy as np
import torch
from transformers import AutoModelForCausalLM, MarianMTModel
from transformers.utils import logging

warnings.filterwarnings("ignore")
logging.set_verbosity_error()
torch.set_num_threads(1)

NOISE, RUNS = 4e-4, 3
HERE = os.path.dirname(__file__)
IDS = 85


class Decoder:
    """Log-probabilities of the next token, and what the first head of the last layer attends to, as OpenNMT-tf does."""

    def __init__(self, name):
        kind = MarianMTModel if name == "marian" else AutoModelForCausalLM
        self.model = kind.from_pretrained(f"{HERE}/../differential/{name}", dtype=torch.float64, attn_implementation="eager").eval()
        self.encodes = name == "marian"

    def begin(self, source, noise):
        self.noise = noise
        if self.encodes:
            with torch.no_grad():
                self.memory = self.model.get_encoder()(torch.tensor([source]))

    def __call__(self, rows):
        ids = torch.tensor(rows)
        with torch.no_grad():
            if self.encodes:
                memory = self.memory.last_hidden_state.expand(len(rows), -1, -1)
                out = self.model(encoder_outputs=(memory,), decoder_input_ids=ids, output_attentions=True, use_cache=False)
                attention = out.cross_attentions[-1][:, 0, -1].numpy()
            else:
                out, attention = self.model(ids, use_cache=False), None
        logits = out.logits[:, -1].numpy()
        return logits + (NOISE * self.noise.uniform(-1, 1, logits.shape) if self.noise is not None else 0), attention


def log_softmax(x):
    top = x.max(-1, keepdims=True)
    return x - top - np.log(np.exp(x - top).sum(-1, keepdims=True))


def ruled(log_probs, rows, start, o, ends):
    """Transformers' rules on log-probabilities, normalised again with renormalize_logits."""
    log_probs = log_probs.copy()
    for r, row in enumerate(rows):
        n = o.get("no_repeat_ngram_size", 0)
        for i in range(len(row) - n + 1 if n else 0):
            if n == 1 or row[i:i + n - 1] == row[len(row) - n + 1:]:
                log_probs[r, row[i + n - 1]] = -np.inf
        if len(row) - start < o.get("min_new_tokens", 0):
            log_probs[r, ends] = -np.inf
        log_probs[r, o.get("suppress_tokens", [])] = -np.inf
    return log_softmax(log_probs) if o.get("renormalize_logits") else log_probs


def opennmt(decoder, prompt, o, old_slots=False):
    """Beams, best first: (ids, score by which it ranked, cumulated log-probability)."""
    W, alpha, beta = o["num_beams"], o.get("length_penalty", 0), o.get("coverage_penalty", 0)
    ends = np.array([o["eos_token_id"]]).ravel()
    rows = [list(prompt) for _ in range(W)]
    finished = np.zeros(W, bool)
    last = np.zeros(W, int)  # the end id of a finished beam
    cum = np.array([0.0] + [-np.inf] * (W - 1))
    lengths = np.zeros(W, int)
    accumulated, scores = 0.0, cum
    for step in range(o["max_new_tokens"]):
        logits, attention = decoder(rows)
        log_probs = ruled(log_softmax(logits), rows, len(prompt), o, ends)
        for w in np.flatnonzero(finished):
            log_probs[w] = -np.inf
            log_probs[w, last[w]] = 0
        total = log_probs + cum[:, None]
        score = total / ((5.0 + lengths[:, None] + 1) / 6.0) ** alpha
        if beta:
            accumulated = accumulated + attention * ~finished[:, None]
            seen = np.where(accumulated == 0, 1, accumulated)
            score = score + beta * (np.log(np.minimum(seen, 1)).sum(1) * finished)[:, None]
        V = score.shape[1]
        chosen = np.argsort(-score.ravel(), kind="stable")[:W]
        scores = score.ravel()[chosen]
        words, beams = chosen % V, chosen // V
        following = total.ravel()[chosen]
        lengths = np.where(finished, lengths, lengths + 1)[beams]
        finished, last = finished[beams], last[beams]
        if beta:
            accumulated = accumulated[beams]
        rows = [rows[beam] + [int(word)] for beam, word in zip(beams, words)]
        cum = np.where(finished, cum, following) if old_slots else following
        ending = np.isin(words, ends)
        last = np.where(~finished & ending, words, last)
        finished = finished | ending
        if finished.all():
            break
    found = []
    for row, length, score, total in zip(rows, lengths, scores, cum):
        found.append((row[:len(prompt) + length], float(score), float(total)))
    return found


def patient(decoder, prompt, o):
    """Hypotheses, best first: (ids, score, log-probability)."""
    W, alpha, early = o["num_beams"], o.get("length_penalty", 1), o.get("early_stopping", False)
    most = max(1, int(W * o["patience"] + 0.5))
    ends = np.array([o["eos_token_id"]]).ravel()
    running = [(list(prompt), 0.0 if w == 0 else -1e9) for w in range(W)]
    finished, start, limit = [], len(prompt), len(prompt) + o["max_new_tokens"]
    while True:
        rows = [row for row, _ in running]
        logits, _ = decoder(rows)
        total = ruled(log_softmax(logits), rows, start, o, ends) + np.array([score for _, score in running])[:, None]
        V = total.shape[1]
        chosen = np.argsort(-total.ravel(), kind="stable")[:(1 + len(ends)) * W]
        found = [(rows[i // V] + [int(i % V)], float(total.ravel()[i])) for i in chosen]
        length = len(rows[0]) + 1
        stops = lambda row: row[-1] in ends or length >= limit
        finished += [(row, score / (length - start) ** alpha, score) for row, score in found[:W] if stops(row)]
        finished = sorted(finished, key=lambda one: -one[1])[:most]
        running = [one for one in found if not stops(one[0])][:W]
        full = len(finished) == most
        if length >= limit or not running or (full and early is True):
            return finished
        horizon = (limit if early == "never" and alpha > 0 else length) - start
        if full and running[0][1] / horizon ** alpha <= finished[-1][1]:
            return finished


def draw(r, name, kind):
    start = {"marian": 98}.get(name)
    o = {"num_beams": r.choice([2, 2, 3, 4, 5, 8]), "max_new_tokens": r.randint(1, 14)}
    o["num_return_sequences"] = r.randint(1, o["num_beams"])
    o["eos_token_id"] = r.sample(range(IDS), r.randint(1, 18)) if r.random() < 0.7 else r.randrange(IDS)
    if r.random() < 0.6:
        o["length_penalty"] = r.choice([0.2, 0.6, 1.0, 1.5, 3.0, -0.5])
    if kind == "patient":
        o["patience"] = r.choice([0.25, 0.5, 1.5, 2, 2, 3, 4.3])
        most = min(o["num_beams"], max(1, int(o["num_beams"] * o["patience"] + 0.5)))
        o["num_return_sequences"] = r.choice([most, most, r.randint(1, most)])
        if r.random() < 0.7:
            o["early_stopping"] = r.choice([True, True, "never"])
    else:
        o["search"] = "opennmt"
    if kind == "coverage":
        o["coverage_penalty"] = r.choice([0.1, 0.2, 0.5, 1.0])
    if r.random() < 0.25:
        o["min_new_tokens"] = r.randint(1, 6)
    if r.random() < 0.2:
        o["suppress_tokens"] = r.sample(range(IDS), r.randint(1, 40))
    if r.random() < 0.2:
        o["no_repeat_ngram_size"] = r.randint(1, 3)
    if r.random() < 0.2:
        o["renormalize_logits"] = True
    rows = [[r.randrange(1, IDS) for _ in range(r.randint(1, 9))] for _ in range(r.choice([1, 1, 2, 3, 5]))]
    if start is None:
        return {"input_ids": rows}, rows, o
    inputs = {"input_ids": rows}
    prompts = [[start] for _ in rows]
    if r.random() < 0.25:
        prompts = [[start] + [r.randrange(IDS) for _ in range(r.randint(0, 4))] for _ in rows]
        inputs["decoder_input_ids"] = prompts
    return inputs, prompts, o


def run(decoder, inputs, prompts, o, noise=None, **more):
    search = patient if "patience" in o else opennmt
    results = []
    for source, prompt in zip(inputs["input_ids"], prompts):
        decoder.begin(source, noise)
        results += search(decoder, prompt, o, **more)[:o["num_return_sequences"]]
    return results


def check_patient(decoder, inputs, prompts, o):
    """With patience 1, the first sentence must come out as Transformers has it."""
    o = dict(o, patience=1)
    decoder.begin(inputs["input_ids"][0], None)
    found = patient(decoder, prompts[0], o)[:o["num_return_sequences"]]
    own = {key: value for key, value in o.items() if key != "patience"}
    given = {"decoder_input_ids": torch.tensor([prompts[0]])} if decoder.encodes else {}
    out = decoder.model.generate(torch.tensor([inputs["input_ids"][0]]), **given, **own, return_dict_in_generate=True,
                                 attention_mask=torch.ones(1, len(inputs["input_ids"][0]), dtype=torch.long), output_scores=True)
    for (row, score, _), theirs, their_score in zip(found, out.sequences.tolist(), out.sequences_scores.tolist()):
        if score > -1e6:
            assert theirs[:len(row)] == row and abs(score - their_score) < 1e-4 * max(1, abs(score)), (o, row, theirs)


def main():
    cases = []
    for name, kind, count in [("marian", "opennmt", 110), ("gpt2", "opennmt", 50), ("llama", "opennmt", 40),
                              ("marian", "coverage", 60), ("marian", "patient", 50), ("gpt2", "patient", 20)]:
        decoder = Decoder(name)
        r = random.Random(f"{name} {kind}")
        kept, tries, quirk, early = 0, 0, 0, 0
        while kept < count:
            tries += 1
            inputs, prompts, o = draw(r, name, kind)
            found = run(decoder, inputs, prompts, o)
            if not all(score > -1e6 for _, score, _ in found):
                continue
            if kind == "patient" and r.random() < 0.8 and run(decoder, inputs, prompts, dict(o, patience=1)) == found:
                continue  # most cases come out alike with patience 1
            rows = [row for row, _, _ in found]
            noise = np.random.default_rng(tries)
            if any([row for row, _, _ in run(decoder, inputs, prompts, o, noise)] != rows for _ in range(RUNS)):
                continue
            kept += 1
            if kind == "patient":
                check_patient(decoder, inputs, prompts, o)
                quirk += run(decoder, inputs, prompts, dict(o, patience=1)) != found
            else:
                quirk += run(decoder, inputs, prompts, o, old_slots=True) != found
            early += any(len(a) != len(b) for a in rows for b in rows)
            number = lambda x: float(f"{x:.7g}")
            cases.append([name, inputs, o, rows, [number(score) for _, score, _ in found], [number(cum) for _, _, cum in found]])
        print(name, kind, count, "cases of", tries, "tries;", quirk, "differ with old slots, or without patience;", early, "of several lengths", flush=True)
    with open(f"{HERE}/../fixtures/searches.json", "w") as file:
        json.dump(cases, file, separators=(",", ":"))
        file.write("\n")


main()
