"""Small tokenizers of each kind, trained here, and what the Rust library makes of texts in many scripts.

Writes tests/fixtures/tokenizers/NAME.json (each a tokenizer.json) and texts.json: for every text the tokenizers' ids,
offsets in UTF-16 units, words and decoded text. With a number it writes so many random texts instead, to the folder
named after it:  python tests/oracle/train_tokenizers.py [COUNT FOLDER]

Needs: pip install tokenizers sentencepiece protobuf
"""

import io
import json
import random
import sys
from pathlib import Path

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, AddedToken, decoders, models, normalizers, pre_tokenizers, processors, trainers

FIXTURES = Path(__file__).parent.parent / "fixtures" / "tokenizers"

TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "He said no.",
    '"Yes," she said.',
    "It costs $100.",
    "It costs €100 today.",
    "£20 and ¥30, 5€ or 20°C outside.",
    "Half is ½ of one; x² + y² → ∞.",
    "Well… he said no — twice – and left.",
    "Windows® is here™, F♯ and ❤b.",
    "don't, it's, we've, they're, I'm, can't, n't",
    "  leading and trailing blanks  ",
    "a  b   c    d     e",
    "tab\there\nnew line\r\nreturn\n\n",
    "\n",
    " ",
    "",
    "naïve café résumé Ångström",
    "nai\u0308ve cafe\u0301 re\u0301sume\u0301 A\u030angstro\u0308m",
    "q\u0307\u0323 \u1e69 s\u0323\u0307 s\u0307\u0323 \u0344a",
    "Straße, ﬁne ﬂow, ĳ, ǆ, ﷺ",
    "İstanbul, ıssız, Iğdır",
    "Быстрая коричневая лиса, ёлка й И\u0306",
    "Це — Київ; їжак.",
    "ΟΔΟΣ και οδός, Σίσυφος ΣΑΣ",
    "α\u0301 \u1f82 ᾳ Ω\u0301",
    "مرحبا بالعالم، كيف حالك؟",
    "السَّلَامُ عَلَيْكُمْ ١٢٣",
    "שלום עולם! שָׁלוֹם",
    "नमस्ते दुनिया, क्या हाल है?",
    "He said नमस्ते today. क़ ड़ क\u093c",
    "你好，世界！今天天气很好。",
    "東京は日本の首都です。カタカナ、ひらがな",
    "か\u3099き\u3099 ﾊﾟﾋﾟ が",
    "안녕하세요 세계",
    "\u1112\u1161\u11ab\u1100\u1173\u11af 한글",
    "สวัสดีชาวโลก น้ำ ที่",
    "I love you 😀😀 so much.",
    "Hi 👍🏽 there. 👩‍🚀 👨‍👩‍👧‍👦",
    "In the 🇩🇪 team. 🏳️‍🌈 1️⃣",
    "I ❤️ you, ❤︎ ☎️",
    "The \ufffd boat sails. \ufffd\ufffd",
    "so\u00adft hy\u00adphen, zero\u200bwidth, \u200ejoin\u200d\u200c, \ufeffbom",
    "nul\x00 bell\x07 esc\x1b del\x7f next\x85line nb\xa0sp",
    "em\u2003space thin\u2009 ideo\u3000graphic \u2028line\u2029par",
    "if (x[i] != y->z && f(a, b)) { return 0x1F; } // ok",
    "print(f'{a:>10}')\n    if x:\n        y += 1\n\t\tz",
    "https://example.com/path?q=1&r=%20#frag user@host.org",
    "3.14159 1,234,567 12:30 2024-01-31 +1-800-555",
    "½ ¾ ① ⅷ Ⅻ ५ ៣",
    "𝒜𝓃 𝐛𝐨𝐥𝐝 𝔱𝔢𝔵𝔱 𝟙𝟚",
    "[CLS] a [SEP] b[MASK]c [UNK] <unk> </s> <|endoftext|>x",
    "<|endoftext|> <|endoftext|>  after",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "x" * 120,
    "UPPER lower MiXeD CamelCase snake_case kebab-case",
    "¿Qué? ¡Sí! «guillemets» „quotes“ ‚single‘",
    "∀x∈ℝ: ⌈x⌉ ≥ x, √2 ≈ 1.41, ∑ ∏ ∫",
    "ａｂｃ １２３ ＡＢＣ ！？ ｶﾞ ～ 〜",
    "a\u0300\u0301\u0302\u0303\u0304b e\u0323\u0302",
    "mixed中文and日本語with한국어and عربي।",
    "\U00020000\U0002a6d6 \U0001f600\U000e0101 \U0010ffff \ue000",
    "𐍈𐌰 𓀀 ⵣ ꙮ ꯍꯤ",
]

TRAINING = TEXTS + [
    "the boat sails on the sea and the cat sleeps in the house all day",
    "it was said that he had been there before, but no one knew when or why",
    "she said: I do not know what it costs today; it costs 100 or 200",
    "солнце светит, а кошка спит в доме", "το σπίτι είναι μεγάλο και η θάλασσα", "البيت كبير والبحر جميل",
    "घर बड़ा है और समुद्र सुंदर है", "房子很大，海很美。今天天气", "家は大きく、海は美しい", "집은 크고 바다는 아름답다", "บ้านใหญ่และทะเลสวย",
] * 3  # fmt: skip


def charsmap():
    """A small compiled map of SentencePiece: what it replaces, in hexadecimal code points."""
    rules = {
        "FB01": "66 69", "FF41": "61", "FF21": "41", "FF11": "31", "FF01": "21", "3000": "20", "A0": "20", "9": "20",
        "A": "20", "D": "20", "200B": "20", "AD": "", "7F": "", "2026": "2E 2E 2E", "BD": "31 2044 32", "2122": "54 4D",
        "65 301": "E9", "61 308": "E4", "6F 308": "F6", "304B 3099": "304C", "FF8A FF9F": "30D1", "B2": "32", "FDFA": "635 644 649",
        "1F600": "3A 29", "FFFD": "20",
    }  # fmt: skip
    path = Path("/tmp/wgformer_rules.tsv")
    path.write_text("".join(f"{a}\t{b}\n" for a, b in rules.items()))
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TRAINING), model_writer=model, vocab_size=500, hard_vocab_limit=False,
        normalization_rule_tsv=str(path), minloglevel=2,
    )  # fmt: skip
    path.unlink()
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return proto.normalizer_spec.precompiled_charsmap


def trained(tokenizer, trainer):
    tokenizer.train_from_iterator(TRAINING, trainer)
    return tokenizer


def bert(lowercase):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trained(tokenizer, trainers.WordPieceTrainer(vocab_size=500, special_tokens=special, limit_alphabet=130, show_progress=False))  # fmt: skip
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def byte_bpe(special=("<|endoftext|>",)):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return tokenizer, trainers.BpeTrainer(vocab_size=500, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False)  # fmt: skip


def gpt2():
    tokenizer, trainer = byte_bpe()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    return trained(tokenizer, trainer)


def roberta():
    tokenizer, trainer = byte_bpe(["<s>", "<pad>", "</s>", "<unk>"])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    trained(tokenizer, trainer)
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=True, special=True)])
    return tokenizer


def qwen():
    tokenizer, trainer = byte_bpe()
    words = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(words), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    return trained(tokenizer, trainer)


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.Precompiled(charsmap()), normalizers.Replace(Regex(" {2,}"), " "),
    ])  # fmt: skip
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trained(tokenizer, trainers.UnigramTrainer(vocab_size=600, special_tokens=special, unk_token="<unk>", show_progress=False))  # fmt: skip
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def llama():
    special = ["<unk>", "<s>", "</s>"]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0),
    ])  # fmt: skip
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    trained(tokenizer, trainers.BpeTrainer(vocab_size=700, special_tokens=special + bytes_, limit_alphabet=120, show_progress=False))  # fmt: skip
    tokenizer.pre_tokenizer = None
    definition = json.loads(tokenizer.to_str())
    definition["added_tokens"] = definition["added_tokens"][:3]
    tokenizer = Tokenizer.from_str(json.dumps(definition))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)]
    )
    return tokenizer


def words():
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.Strip(), normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(),
    ])  # fmt: skip
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.Digits(individual_digits=True),
    ])  # fmt: skip
    trained(tokenizer, trainers.WordLevelTrainer(vocab_size=200, special_tokens=["<unk>"], show_progress=False))
    tokenizer.add_tokens([AddedToken("Sí", single_word=True), AddedToken("rstrip", rstrip=True), "cost"])
    return tokenizer


KINDS = {
    "gpt2": gpt2, "roberta": roberta, "qwen": qwen, "unigram": unigram, "llama": llama, "words": words,
    "bert-uncased": lambda: bert(True), "bert-cased": lambda: bert(False),
}  # fmt: skip


def reference(tokenizer, text):
    encoding = tokenizer.encode(text)
    units = [0]
    for char in text:
        units.append(units[-1] + (2 if ord(char) > 0xFFFF else 1))
    return {
        "ids": encoding.ids,
        "offsets": [units[place] for pair in encoding.offsets for place in pair],
        "words": encoding.word_ids,
        "decoded": tokenizer.decode(encoding.ids, skip_special_tokens=True),
    }


PAIRS = [
    ("The cat sleeps.", "the boat sails", None), ("a b c d e f g h", "she said no", 9), ("no", "The quick brown fox jumps", 8),
    ("It costs €100 today.", "Il coûte 100 £ 😀", 10),
]  # fmt: skip


def pair_reference(tokenizer, text, pair, limit, side):
    """Two texts, shortened to a limit; a limit below what the Rust library can do alone is not asked for."""
    tokenizer.no_truncation()
    if limit:
        tokenizer.enable_truncation(limit, direction=side)
    encoding = tokenizer.encode(text, pair)
    tokenizer.no_truncation()
    return {"ids": encoding.ids, "types": encoding.type_ids, "sequences": encoding.sequence_ids, "words": encoding.word_ids}


BLOCKS = [
    (0x00, 0x7F), (0x20, 0x7E), (0x20, 0x7E), (0x80, 0x24F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF), (0x590, 0x5FF),
    (0x600, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F), (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x20A0, 0x20BF),
    (0x2100, 0x21FF), (0x2600, 0x27BF), (0x3000, 0x30FF), (0x4E00, 0x4FFF), (0xAC00, 0xACFF), (0xFB00, 0xFB4F), (0xFF00, 0xFFEF),
    (0x1F1E6, 0x1F1FF), (0x1F300, 0x1F64F), (0x1D400, 0x1D4FF),
]  # fmt: skip


def random_text(rng):
    parts = []
    for _ in range(rng.randint(1, 12)):
        if rng.random() < 0.3:
            parts.append(rng.choice(rng.choice(TEXTS).split(" ")))
        else:
            low, high = rng.choice(BLOCKS)
            parts.append("".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 4))))
        parts.append(rng.choice(["", " ", " ", "  ", "\n", "\u200d", "\u0301", "."]))
    return "".join(parts)


def main():
    count, folder = (int(sys.argv[1]), Path(sys.argv[2])) if len(sys.argv) > 2 else (0, FIXTURES)
    rng = random.Random(count)
    texts = [random_text(rng) for _ in range(count)] if count else TEXTS
    folder.mkdir(parents=True, exist_ok=True)
    references = {}
    for name in KINDS:
        path = FIXTURES / f"{name}.json"
        tokenizer = Tokenizer.from_file(str(path)) if count else KINDS[name]()
        if not count:
            path.write_text(tokenizer.to_str() + "\n")
        references[name] = [reference(tokenizer, text) for text in texts]
    written = {"texts": texts, "references": references}
    if not count:
        cases = [(text, pair, limit, side) for text, pair, limit in PAIRS for side in ["right", "left"] if limit or side == "right"]
        kinds = {name: Tokenizer.from_file(str(FIXTURES / f"{name}.json")) for name in KINDS}
        written["pairs"] = [
            {"text": text, "pair": pair, "limit": limit, "side": side, "references": {
                name: pair_reference(tokenizer, text, pair, limit, side) for name, tokenizer in kinds.items()
            }} for text, pair, limit, side in cases
        ]  # fmt: skip
    (folder / "texts.json").write_text(json.dumps(written, ensure_ascii=False, separators=(",", ":")) + "\n")


main()
