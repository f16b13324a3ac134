"""tests/fixtures/tasks: tiny models with heads, and what the pipelines of Transformers and sentence-transformers make of texts with them.

    python tests/oracle/tasks.py            the checkpoints and cases.json
    python tests/oracle/tasks.py N FILE     N more random cases of each kind in FILE, for the same checkpoints

QuestionAnsweringPipeline is not in Transformers 5 any more: `answers` is its `postprocess` of version 4.57, on the functions that are left.
A case is kept only if scores that decide about an order differ by more than 0.1%.
"""

import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import (
    BartConfig,
    BartForSequenceClassification,
    BertConfig,
    BertForMaskedLM,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertModel,
    DistilBertConfig,
    DistilBertForMaskedLM,
    DistilBertForQuestionAnswering,
    DistilBertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForSequenceClassification,
    Qwen3Model,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaForQuestionAnswering,
    pipeline,
)
from transformers.pipelines.document_question_answering import select_starts_ends

HERE = Path(__file__).parent.parent / "fixtures"
OUT = HERE / "tasks"
BERT = dict(unk_token="[UNK]", sep_token="[SEP]", pad_token="[PAD]", cls_token="[CLS]", mask_token="[MASK]")
ROBERTA = dict(
    bos_token="<s>", eos_token="</s>", unk_token="<unk>", sep_token="</s>", pad_token="<pad>", cls_token="<s>", mask_token="<mask>"
)
QWEN = dict(eos_token="<|endoftext|>", pad_token="<|endoftext|>")
TOKENIZERS = {"bert-uncased": BERT, "roberta": ROBERTA, "qwen": QWEN}
END = {
    "type": "TemplateProcessing",
    "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}],
    "pair": [{"Sequence": {"id": i, "type_id": 0}} for i in "AB"] + [{"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}],
    "special_tokens": {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [0], "tokens": ["<|endoftext|>"]}},
}
P = 96
SIZES = dict(vocab_size=501, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, max_position_embeddings=P)
DISTIL = dict(vocab_size=501, dim=32, n_layers=2, n_heads=4, hidden_dim=48, max_position_embeddings=P)
GROUPED = dict(num_key_value_heads=2, head_dim=16)
BARTS = dict(vocab_size=501, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4)
BARTS |= dict(encoder_ffn_dim=48, decoder_ffn_dim=48, max_position_embeddings=P, pad_token_id=1, bos_token_id=0, eos_token_id=2)
NLI = {0: "contradiction", 1: "neutral", 2: "entailment"}


def labels(names):
    return dict(id2label=names, label2id={name: i for i, name in names.items()})


ROBERTAS = SIZES | dict(max_position_embeddings=P + 2, pad_token_id=1, bos_token_id=0, eos_token_id=2, type_vocab_size=1)
MODELS = {
    "bert-masks": (BertForMaskedLM, BertConfig(**SIZES), "bert-uncased"),
    "roberta-masks": (RobertaForMaskedLM, RobertaConfig(**ROBERTAS), "roberta"),
    "distilbert-masks": (DistilBertForMaskedLM, DistilBertConfig(**DISTIL, tie_word_embeddings=False), "bert-uncased"),
    "bert-answers": (BertForQuestionAnswering, BertConfig(**SIZES), "bert-uncased"),
    "roberta-answers": (RobertaForQuestionAnswering, RobertaConfig(**ROBERTAS), "roberta"),
    "distilbert-answers": (DistilBertForQuestionAnswering, DistilBertConfig(**DISTIL), "bert-uncased"),
    "distilbert-nli": (DistilBertForSequenceClassification, DistilBertConfig(**DISTIL, **labels({0: "ENTAILMENT", 1: "OTHER"})), "bert-uncased"),
    "bart-nli": (BartForSequenceClassification, BartConfig(**BARTS, decoder_start_token_id=2, **labels(NLI)), "roberta"),
    "bert-ranker": (BertForSequenceClassification, BertConfig(**SIZES, num_labels=1), "bert-uncased"),
    "bert-states": (BertModel, BertConfig(**SIZES), "bert-uncased"),
    "qwen3-states": (Qwen3Model, Qwen3Config(**SIZES, **GROUPED, pad_token_id=0, tie_word_embeddings=False), "qwen"),
    "qwen3-labels": (Qwen3ForSequenceClassification, Qwen3Config(**SIZES, **GROUPED, pad_token_id=0, num_labels=3), "qwen"),
    "gpt2-labels": (
        GPT2ForSequenceClassification,
        GPT2Config(vocab_size=501, n_embd=32, n_layer=2, n_head=4, n_inner=48, n_positions=P, pad_token_id=0, num_labels=3),
        "qwen",
    ),
}
ACTIVATION = {"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}}


def tokenizer_of(name):
    definition = json.loads((HERE / "tokenizers" / f"{name}.json").read_text())
    if name == "qwen":
        definition["post_processor"] = END
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(definition, file)
        file.flush()
        names = ["input_ids", "attention_mask"] if name != "bert-uncased" else ["input_ids", "token_type_ids", "attention_mask"]
        return PreTrainedTokenizerFast(tokenizer_file=file.name, model_max_length=P, model_input_names=names, **TOKENIZERS[name])


def make_models():
    shutil.rmtree(OUT, ignore_errors=True)
    for seed, (name, (kind, config, _)) in enumerate(MODELS.items()):
        torch.manual_seed(seed)
        config.initializer_range = config.init_std = 0.3
        model = kind(config).eval()
        with torch.no_grad():
            for key, weight in model.named_parameters():
                if weight.dim() == 1:
                    weight += 0.2 * torch.randn_like(weight)
                if "embeddings" in key or "embed_" in key or "wte" in key:
                    weight *= 2
        model.half().save_pretrained(OUT / name)
        path = OUT / name / "config.json"
        config = json.loads(path.read_text()) | (ACTIVATION if name == "bert-ranker" else {})
        path.write_text(json.dumps(config | {"dtype": "float32"}, indent=1) + "\n")


def make_dense():
    """A layer of sentence-transformers beside bert-states."""
    from sentence_transformers.models import Dense

    torch.manual_seed(99)
    folder = OUT / "bert-states" / "2_Dense"
    folder.mkdir()
    Dense(32, 24, init_weight=0.3 * torch.randn(24, 32), init_bias=torch.randn(24)).half().save(str(folder))


WORDS = """the a of and to in is was it for on with as his her they at by this had not are but from or have an which one were all would there
their we him been has when who will more no if out so said what up its about into than them can only other new some could time these two may
then do first any my now such like our over man me even most made after also did many before must through back years where much your way well
down should because each just those people how too little state good very make world still own see men work long get here between both life
being under never day same another know while last might us great old year off come since against go came right used take three Zürich naïve
café 日本 😀 Ωmega don't mother-in-law 3.14 (and) "quoted" U.S.A. e-mail""".split()


def text_of(rng, least, most):
    words = [rng.choice(WORDS) for _ in range(rng.randint(least, most))]
    return " ".join(word + rng.choice(["", "", "", "", ",", ".", "!", "  "]) for word in words).strip()


def rounded(value):
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.7g}")
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, (list, tuple, np.ndarray)) else value


def apart(scores):
    ordered = sorted(scores, reverse=True)
    return all(a - b > 1e-3 * abs(a) for a, b in zip(ordered, ordered[1:]))


def fill_masks(model, tokenizer, rng):
    pipe = pipeline("fill-mask", model=model, tokenizer=tokenizer)
    words = text_of(rng, 3, 20).split()
    for place in rng.sample(range(len(words)), rng.choice([1, 1, 1, 2, 3])):
        words[place] = tokenizer.mask_token
    options = {"top_k": rng.randint(1, 8)} if rng.random() < 0.7 else {}
    if rng.random() < 0.3:
        vocabulary = sorted(tokenizer.get_vocab())
        options["targets"] = [rng.choice(vocabulary[50:]) for _ in range(rng.randint(1, 6))]
    text = " ".join(words)
    found = pipe(text, **options)
    more = pipe(text, **{**options, "top_k": options.get("top_k", 5) + 1})
    lists = more if isinstance(more[0], list) else [more]
    if all(apart([one["score"] for one in own]) for own in lists):
        return {"input": text, "options": options, "expected": found}
    return None


def answers(model, tokenizer, question, context, top_k=1, handle_impossible_answer=False, max_answer_len=15, align_to_words=True, **sizes):
    max_seq_len = sizes.get("max_seq_len", min(tokenizer.model_max_length, 384))
    stride = sizes.get("doc_stride", min(max_seq_len // 2, 128))
    whole = tokenizer(question, context).encodings[0]
    places = [t for t, one in enumerate(whole.sequence_ids) if one == 1]
    room = max_seq_len - len(whole) + len(places)
    assert room > stride or len(places) <= room
    windows = [places[:room]]  # the Rust library of today reads no more than the first, even for overflowing tokens
    while windows[-1][-1] < places[-1]:
        at = places.index(windows[-1][0]) + room - stride
        windows.append(places[at : at + room])
    least, found, scores = 1000000, [], []
    for window in windows:
        kept = [t for t in range(len(whole)) if t not in places or t in window]
        ids, words, offsets = ([values[t] for t in kept] for values in (whole.ids, whole.word_ids, whole.offsets))
        is_own = [t in window for t in kept]
        mask = np.array([[not one and id_ != tokenizer.cls_token_id for one, id_ in zip(is_own, ids)]])
        inputs = {"input_ids": ids, "token_type_ids": [whole.type_ids[t] for t in kept], "attention_mask": [1] * len(ids)}
        inputs = {name: torch.tensor([inputs[name]]) for name in tokenizer.model_input_names}
        with torch.no_grad():
            output = model(**inputs)
        starts, ends, own, least = select_starts_ends(
            output.start_logits.numpy(),
            output.end_logits.numpy(),
            mask,
            inputs["attention_mask"].numpy(),
            least,
            top_k * 2 + 10 if align_to_words else top_k,
            handle_impossible_answer,
            max_answer_len,
        )
        for s, e, score in zip(starts, ends, own):
            if score == 0:
                continue  # of the first token
            if align_to_words:
                start = min(offsets[t][0] for t in range(len(ids)) if is_own[t] and words[t] == words[s])
                end = max(offsets[t][1] for t in range(len(ids)) if is_own[t] and words[t] == words[e])
            else:
                start, end = offsets[s][0], offsets[e][1]
            answer = context[start:end]
            scores.append(score)
            twin = next((one for one in found if one["answer"].lower() == answer.lower()), None)
            if twin:
                twin["score"] += score.item()
            else:
                found.append({"score": score.item(), "start": start, "end": end, "answer": answer})
    if handle_impossible_answer:
        found.append({"score": least, "start": 0, "end": 0, "answer": ""})
    return sorted(found, key=lambda one: one["score"], reverse=True), scores


def units(text, at):
    """A place in a text in UTF-16 units, as JavaScript counts them."""
    return len(text[:at].encode("utf-16-le")) // 2


def answer_questions(model, tokenizer, rng):
    question, context = text_of(rng, 2, 8), text_of(rng, 2, rng.choice([20, 120]))
    options = {}
    if rng.random() < 0.6:
        options["top_k"] = rng.randint(1, 6)
    if rng.random() < 0.3:
        options["max_answer_len"] = rng.randint(1, 20)
    if rng.random() < 0.3:
        options["handle_impossible_answer"] = True
    if rng.random() < 0.3:
        options["align_to_words"] = False
    if rng.random() < 0.4:
        options |= {"max_seq_len": rng.randint(60, P), "doc_stride": rng.randint(0, 15)}
    found, scores = answers(model, tokenizer, question, context, **options)
    top_k = options.get("top_k", 1)
    if not found or not apart([one["score"] for one in found][: top_k + 1]) or not apart(sorted(scores, reverse=True)[: 2 * top_k + 12]):
        return None
    best = [one | {"start": units(context, one["start"]), "end": units(context, one["end"])} for one in found[:top_k]]
    expected = best if "top_k" in options else best[0]
    return {"input": {"question": question, "context": context}, "options": options, "expected": expected}


def classify_unseen(model, tokenizer, rng):
    pipe = pipeline("zero-shot-classification", model=model, tokenizer=tokenizer)
    text = text_of(rng, 1, rng.choice([20, 90]))
    options = {"candidate_labels": rng.sample(WORDS[:100], rng.randint(1, 5))}
    if rng.random() < 0.4:
        options["hypothesis_template"] = rng.choice(["It is about {}.", "{}", "He said {} to her"])
    if rng.random() < 0.4:
        options["multi_label"] = rng.random() < 0.7
    found = pipe(text, **options)
    return {"input": text, "options": options, "expected": found} if apart(found["scores"]) else None


def rank_texts(model, tokenizer, rng):
    from sentence_transformers import CrossEncoder

    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | ACTIVATION))
        encoder = CrossEncoder(folder, device="cpu")
        query = text_of(rng, 1, 8)
        documents = [text_of(rng, 1, rng.choice([12, 90])) for _ in range(rng.randint(1, 6))]
        options = {"return_documents": True} if rng.random() < 0.5 else {}
        if rng.random() < 0.4:
            options["top_k"] = rng.randint(1, 6)
        sigmoid = torch.nn.Sigmoid() if rng.random() < 0.3 else None
        found = encoder.rank(query, documents, **options, activation_fn=sigmoid)
    if sigmoid:
        options["function_to_apply"] = "sigmoid"
    if not apart([one["score"] for one in found]):
        return None
    return {"input": {"query": query, "documents": documents}, "options": options, "expected": found}


MODULE = "sentence_transformers.models."


def folder_of(rng, mode, dense):
    types = ["Transformer", "Pooling"] + ["Dense"] * dense + ["Normalize"] * (rng.random() < 0.5)
    modules = [{"idx": i, "name": str(i), "path": f"{i}_{t}" if i else "", "type": MODULE + t} for i, t in enumerate(types)]
    pooling = {"word_embedding_dimension": 32, f"pooling_mode_{mode}": True}
    if mode != "weightedmean_tokens":
        pooling["include_prompt"] = rng.random() < 0.5
    return {
        "modules.json": modules,
        "1_Pooling/config.json": pooling,
        "sentence_bert_config.json": {"max_seq_length": rng.choice([24, P]), "do_lower_case": False},
        "config_sentence_transformers.json": {
            "prompts": {"query": "what is it about? ", "passage": "in the year: "},
            "default_prompt_name": rng.choice([None, "query"]),
            "similarity_fn_name": rng.choice(["cosine", "dot", "euclidean", "manhattan"]),
        },
    }


POOLINGS = ["cls_token", "mean_tokens", "max_tokens", "lasttoken", "mean_sqrt_len_tokens", "weightedmean_tokens"]


def embed(model, tokenizer, rng):
    from sentence_transformers import SentenceTransformer

    dense = isinstance(model, BertModel) and rng.random() < 0.4
    files = folder_of(rng, rng.choice(POOLINGS), dense)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        shutil.copytree(OUT / "bert-states" / "2_Dense", Path(folder) / "2_Dense")
        for name, content in files.items():
            path = Path(folder) / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(content))
        encoder = SentenceTransformer(folder, device="cpu")
        texts = [text_of(rng, 1, 30) for _ in range(3)]
        options = rng.choice([{}, {}, {"prompt_name": "passage"}, {"prompt": "like this: "}])
        vectors = encoder.encode(texts, **options)
        similarity = encoder.similarity(vectors[:1], vectors[1:])[0].tolist()
        if rng.random() < 0.3:
            options = options | {"truncate_dim": rng.randint(2, 23), "normalize": True}
            vectors = encoder.encode(texts, **{key: options[key] for key in options if key != "normalize"}, normalize_embeddings=True)
            similarity = None
    return {"files": files, "input": texts, "options": options, "expected": vectors.tolist(), "similarity": similarity}


def classify(model, tokenizer, rng):
    text = text_of(rng, 1, 15)
    with torch.no_grad():
        logits = model(**tokenizer(text, return_tensors="pt")).logits[0]
    return {"input": text, "options": {"top_k": None, "function_to_apply": "none"}, "expected": logits.tolist()}


TASKS = {
    "masks": ("fill-mask", fill_masks),
    "answers": ("question-answering", answer_questions),
    "nli": ("zero-shot-classification", classify_unseen),
    "ranker": ("text-ranking", rank_texts),
    "states": ("feature-extraction", embed),
    "labels": ("text-classification", classify),
}


def main():
    count, path, seed = (int(sys.argv[1]), Path(sys.argv[2]), 1000) if len(sys.argv) > 2 else (4, OUT / "cases.json", 0)
    if not seed:
        make_models()
        make_dense()
    cases = []
    for name, (kind, _, tokenizer_name) in MODELS.items():
        task, make = TASKS[name.split("-")[1]]
        model = kind.from_pretrained(OUT / name, dtype=torch.float32).eval()
        tokenizer = tokenizer_of(tokenizer_name)
        rng = random.Random(f"{seed} {name}")
        own = []
        while len(own) < count:
            case = make(model, tokenizer, rng)
            own += [case] if case else []
        cases += [{"task": task, "model": name, "tokenizer": tokenizer_name} | rounded(case) for case in own]
        print(name, len(own))
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    special = {name: tokens | {"model_max_length": P} for name, tokens in TOKENIZERS.items()}
    path.write_text(f'{{"tokenizers": {json.dumps(special)}, "end": {json.dumps(END)},\n"cases": [\n{lines}\n]}}\n')


main()
