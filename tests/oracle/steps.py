"""Makes tests/fixtures/steps.json: every candidate of every step of beam searches in the tiny checkpoints of
tests/differential, and what becomes of each; and the best tokens of each step as Transformers has them (`output_scores`).

The searches are written here for one sentence at a time over all W*V continuations, in float64: Transformers' with its
stopping rules, patience and groups of beams, and OpenNMT-tf's (tests/oracle/searches.py compares both with others).

    pip install torch==2.13.0 transformers==5.18.0 safetensors numpy
    python tests/oracle/steps.py

A case is kept only if noise of 3e-5 on every logit, three times over, changes no candidate, no fate and no rank.
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

NOISE, RUNS = 3e-5, 3
HERE = os.path.dirname(__file__)
IDS = 85
TOP = 5


class Decoder:
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
        with torch.no_grad():
            if self.encodes:
                memory = self.memory.last_hidden_state.expand(len(rows), -1, -1)
                out = self.model(encoder_outputs=(memory,), decoder_input_ids=torch.tensor(rows), use_cache=False)
            else:
                out = self.model(torch.tensor(rows), use_cache=False)
        logits = out.logits[:, -1].numpy()
        logits = logits + (NOISE * self.noise.uniform(-1, 1, logits.shape) if self.noise is not None else 0)
        top = logits.max(-1, keepdims=True)
        return logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))


def ruled(log_probs, rows, start, o, ends):
    log_probs = log_probs.copy()
    if len(rows[0]) - start < o.get("min_new_tokens", 0):
        log_probs[:, ends] = -np.inf
    log_probs[:, o.get("suppress_tokens", [])] = -np.inf
    if o["num_beams"] == 1:  # whose rules act on logits
        log_probs -= np.log(np.exp(log_probs).sum(-1, keepdims=True))
    return log_probs


class Sentence:
    """A sentence of a search: `beams` are (row, sum of log-probabilities), the first alone at first; `finished` are (row,
    score), best first; `done` says why it needs no more steps."""

    def __init__(self, prompt, W, o):
        self.W, self.o, self.start, self.limit = W, o, len(prompt), len(prompt) + o["max_new_tokens"]
        self.ends = np.array([o["eos_token_id"]]).ravel().tolist()
        self.beams, self.finished, self.done = [(list(prompt), 0.0)], [], None

    def continuations(self, decoder, chosen=(), penalty=0):
        """(beam, token, log-probability, sum) of all that is allowed."""
        rows = [row for row, _ in self.beams]
        log_probs = ruled(decoder(rows), rows, self.start, self.o, self.ends)
        for token in chosen:
            log_probs[:, token] -= penalty
        return [(w, int(token), float(log_probs[w, token]), total + float(log_probs[w, token]))
                for w, (_, total) in enumerate(self.beams) for token in np.flatnonzero(log_probs[w] > -np.inf)]

    def extended(self, one):
        return self.beams[one[0]][0] + [one[1]]


class Transformers(Sentence):
    def rank(self, total, count):
        return total / count ** self.o.get("length_penalty", 1)

    def step(self, decoder, chosen, penalty):
        """Candidates with their fates, best first, and beams (token, parent)."""
        W, o = self.W, self.o
        found = sorted(self.continuations(decoder, chosen, penalty), key=lambda one: (-one[3], one[0], one[1]))
        length = len(self.beams[0][0]) + 1
        count, most = length - self.start, max(1, int(W * o.get("patience", 1) + 0.5))
        stops = [length >= self.limit or one[1] in self.ends for one in found]
        going = [i for i in range(len(found)) if not stops[i]][:W]
        ending = [i for i in range(len(found))[:W] if stops[i]]
        pool = [(*one, None) for one in self.finished] + [(self.extended(found[i]), self.rank(found[i][3], count), i) for i in ending]
        pool = sorted(pool, key=lambda one: -one[1])[:most]
        self.finished = [(row, score) for row, score, _ in pool]
        self.done = self.why(o, length, len(pool) == most, found[going[0]][3] if going else None)
        fates = {i: ("finished",) if any(one[2] == i for one in pool) else ("cut", "worse") for i in ending}
        for beam, i in enumerate(going):
            fates[i] = ("cut", "done") if self.done else ("kept", beam)
        for i, one in enumerate(found):
            bar = found[W - 1] if stops[i] else found[going[-1]] if len(going) == W else None
            if i not in fates:
                fates[i] = ("cut", "diversity" if bar and one[3] + penalty * list(chosen).count(one[1]) > bar[3] else "rank")
        beams = [] if self.done else [found[i][1::-1] for i in going]
        if not self.done:
            self.beams = [(self.extended(found[i]), found[i][3]) for i in going]
        return [(*one, *fates[i]) for i, one in enumerate(found) if i < 2 * W or fates[i][0] != "cut"], beams

    def why(self, o, length, full, best):
        if o["num_beams"] == 1:
            return self.finished and ("ended" if self.finished[0][0][-1] in self.ends else "max_length")
        if length >= self.limit:
            return "max_length"
        if best is None:
            return "no_candidate"
        if not full:
            return None
        early = o.get("early_stopping", False)
        horizon = (self.limit if early == "never" and o.get("length_penalty", 1) > 0 else length) - self.start
        return "early_stopping" if early is True else "no_better" if self.rank(best, horizon) <= self.finished[-1][1] else None


class OpenNMT(Sentence):
    """Beams that end stay, their end token at log-probability 0 as their only candidate; `ended` has their lengths."""

    def __init__(self, *args):
        super().__init__(*args)
        self.ended = [None]

    def rank(self, total, count):
        return total / ((5 + count) / 6) ** self.o.get("length_penalty", 0)

    def step(self, decoder, *_):
        length = max(len(row) for row, _ in self.beams) + 1
        open_ = [w for w, ended in enumerate(self.ended) if ended is None]
        all_, self.beams = self.beams, [self.beams[w] for w in open_]
        fresh = [(open_[w], *rest, False) for w, *rest in self.continuations(decoder)]
        self.beams = all_
        stay = [(w, self.beams[w][0][-1], 0.0, self.beams[w][1], True) for w, ended in enumerate(self.ended) if ended is not None]
        score = lambda one: self.rank(one[3], (self.ended[one[0]] + 1 if one[4] else length) - self.start)
        found = sorted(fresh + stay, key=lambda one: (-score(one), one[0], one[1]))
        next_ = found[:self.W]
        ended = [self.ended[w] if stays else length if length >= self.limit or token in self.ends else None
                 for w, token, _, _, stays in next_]
        rows = [self.beams[one[0]][0] if one[4] else self.extended(one) for one in next_]
        self.finished = sorted([(row, score(one)) for row, one, end in zip(rows, next_, ended) if end is not None], key=lambda one: -one[1])
        if None not in ended:
            self.done = "ended" if all(row[-1] in self.ends for row in rows) else "max_length"
        fates = [("finished",) if end is not None and not one[4] else ("kept",) if self.done else ("kept", beam)
                 for beam, (one, end) in enumerate(zip(next_, ended))] + [("cut", "rank")] * (len(found) - len(next_))
        self.beams, self.ended = [(row, one[3]) for row, one in zip(rows, next_)], ended
        return [(*one[:4], *fates[i]) for i, one in enumerate(found[:2 * self.W])], [] if self.done else [one[1::-1] for one in next_]


number = lambda x: float(f"{x:.6g}")


def trace(decoder, source, prompt, o, noise=None):
    """The steps of one input: for each, those of its groups that were open."""
    decoder.begin(source, noise)
    groups = o.get("num_beam_groups", 1)
    kind = OpenNMT if o.get("search") == "opennmt" else Transformers
    sentences = [kind(prompt, o["num_beams"] // groups, o) for _ in range(groups)]
    steps = []
    while not all(sentence.done for sentence in sentences):
        chosen, step = [], []
        for group, sentence in enumerate(sentences):
            if sentence.done:
                continue
            candidates, beams = sentence.step(decoder, chosen, o.get("diversity_penalty", 0))
            chosen += [token for token, _ in beams]
            finished = [[row[len(prompt):], number(score)] for row, score in sentence.finished]
            shown = [[token, w, number(log_prob), number(total), *fate] for w, token, log_prob, total, *fate in candidates]
            step.append([group, shown, [list(beam) for beam in beams], finished] + ([sentence.done] if sentence.done else []))
        steps.append(step)
    return steps


def same(x, y):
    """Whether two traces differ in numbers that are no integers alone."""
    if isinstance(x, list):
        return isinstance(y, list) and len(x) == len(y) and all(map(same, x, y))
    return isinstance(x, float) and isinstance(y, float) or x == y


def draw(r, name, kind):
    o = {"num_beams": r.choice([1, 4]), "max_new_tokens": r.randint(2, 6)}
    o["eos_token_id"] = r.sample(range(IDS), r.choice([4, 4, 28]))
    if kind == "groups":
        o["num_beams"], o["num_beam_groups"] = r.choice([(4, 2), (6, 3)])
        o["diversity_penalty"] = r.choice([0.3, 0.7, 1.5])
    if kind == "opennmt":
        o["num_beams"], o["search"] = 4, "opennmt"
    if o["num_beams"] > 1 and r.random() < 0.6:
        o["length_penalty"] = r.choice([0.2, 0.6, 1.5, 3.0, -0.5])
    if o["num_beams"] > 1 and kind != "opennmt":
        o["early_stopping"] = r.choice([True, False, "never"])
    if kind == "patient":
        o["num_beams"], o["patience"] = 4, r.choice([0.5, 2])
    if kind == "wide":
        o["num_beams"], o["max_new_tokens"] = 32, 2
    if r.random() < 0.25:
        o["min_new_tokens"] = r.randint(1, 4)
    if r.random() < 0.25:
        o["suppress_tokens"] = r.sample(range(IDS), r.randint(1, 20))
    source = [r.randrange(1, IDS) for _ in range(r.randint(1, 8))]
    return o, source, [98] if name == "marian" else source


def top_tokens(decoder, source, o):
    """Results of Transformers with the best tokens of each of their steps."""
    out = decoder.model.generate(torch.tensor([source]), attention_mask=torch.ones(1, len(source), dtype=torch.long), **o,
                                 return_dict_in_generate=True, output_scores=True)
    width = 1 if decoder.encodes else len(source)
    results = []
    for r, row in enumerate(out.sequences.tolist()):
        steps = []
        for t, token in enumerate(row[width:]):
            at = out.beam_indices[r, t].item() if "beam_indices" in out else r
            if at < 0 or (t > 0 and row[width + t - 1] in np.array([o["eos_token_id"]]).ravel()):
                break
            scores = out.scores[t][at].double()
            scores = scores if "beam_indices" in out else scores.log_softmax(-1)
            best = sorted(range(len(scores)), key=lambda id: -scores[id].item())[:TOP]
            steps.append([[id, number(scores[id].item())] for id in best if scores[id].item() > -np.inf] + [number(scores[token].item())])
        results.append(steps)
    return [decoder.model.name_or_path.split("/")[-1], source, {**o, "top_logprobs": TOP}, [row[width:][:len(steps)] for row, steps in zip(out.sequences.tolist(), results)], results]


def main():
    steps = []
    for name, kind, count in [("marian", "plain", 12), ("gpt2", "plain", 6), ("llama", "plain", 3), ("marian", "groups", 6),
                              ("marian", "patient", 3), ("marian", "opennmt", 6), ("gpt2", "wide", 1)]:
        decoder, r, kept, tries = Decoder(name), random.Random(f"{name} {kind}"), 0, 0
        while kept < count:
            tries += 1
            o, source, prompt = draw(r, name, kind)
            found = trace(decoder, source, prompt, o)
            if not all(same(found, trace(decoder, source, prompt, o, np.random.default_rng([tries, run]))) for run in range(RUNS)):
                continue
            kept += 1
            steps.append([name, source, o, found])
        print(name, kind, count, "of", tries, flush=True)
    tops = []
    for name in ["marian", "gpt2"]:
        decoder, r = Decoder(name), random.Random(f"{name} top")
        for o in [{}, {"num_beams": 4, "num_return_sequences": 3}, {"repetition_penalty": 1.4, "suppress_tokens": [5, 9, 33]},
                  {"num_beams": 3, "no_repeat_ngram_size": 2, "renormalize_logits": True},
                  {"do_sample": True, "top_k": 3, "temperature": 0.7}, {"do_sample": True, "top_k": 0, "top_p": 0.6, "temperature": 1.3},
                  {"do_sample": True, "top_k": 0, "min_p": 0.3}]:
            source = [r.randrange(1, IDS) for _ in range(r.randint(2, 8))]
            tops.append(top_tokens(decoder, source, {"max_new_tokens": 6, "eos_token_id": r.sample(range(IDS), 6), **o}))
    with open(f"{HERE}/../fixtures/steps.json", "w") as file:
        json.dump({"steps": steps, "tops": tops}, file, separators=(",", ":"))
        file.write("\n")


main()
