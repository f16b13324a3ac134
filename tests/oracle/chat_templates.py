"""What Transformers makes of conversations with the chat templates of tests/fixtures/chat.

Writes tests/fixtures/chat/cases.json: the special tokens, conversations, and for each template and conversation the text, or
null where the template or Transformers refuses it; of every fourth also the ids.
"""

import json
from pathlib import Path

from transformers import PreTrainedTokenizerFast

FIXTURES = Path(__file__).parent.parent / "fixtures"
CHAT = FIXTURES / "chat"

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
MARKS = [
    "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<start_of_turn>", "<end_of_turn>",
    "[INST]", "[/INST]",
]  # fmt: skip

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a place, e.g. \"Köln\" or <Paris> & more.",
        "parameters": {
            "type": "object",
            "properties": {
                "location": {"type": "string", "description": "It's a city"},
                "days": {"type": "array", "items": {"type": "integer"}},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": None},
            },
            "required": ["location"],
        },
    },
}
SUM = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds numbers.",
        "parameters": {"type": "object", "properties": {"items": {"type": "array"}, "exact": {"type": "boolean", "default": True}}},
        "return": {"type": "number"},
    },
}


def user(content):
    return {"role": "user", "content": content}


def assistant(content, **more):
    return {"role": "assistant", "content": content, **more}


def call(name, arguments, id="a1b2c3d4e"):
    return {"type": "function", "id": id, "function": {"name": name, "arguments": arguments}}


SYSTEM = {"role": "system", "content": " Be brief.\n"}
CONVERSATIONS = [
    [user("Who are you?")],
    [SYSTEM, user("Who are you?")],
    [user(" Hello \n"), assistant("\nHi! \t"), user("Say \"it's\" \\ 5 < 6 & {{ x }} {% y %}")],
    [SYSTEM, user("1"), assistant("<think>\n  Let me see.\n\n</think>\n\nIt is 5."), user("2"), assistant("<think>\n\n</think>\n\n No. ")],
    [user("naïve 😀 東京\u00a0\u3000"), assistant("\u2003é\u2028")],
    [user("a"), assistant("b", reasoning_content="\nwhy?\n")],
    [SYSTEM, user("Weather?"), {"role": "assistant", "tool_calls": [call("get_weather", {"location": "Paris", "days": [1, 2]})]},
     {"role": "tool", "name": "get_weather", "tool_call_id": "a1b2c3d4e", "content": "22.0"}],
    [user("Weather?"), assistant(None, tool_calls=[call("add", {"items": [1, 2.5, -3, None, True], "exact": {}})]),
     {"role": "tool", "tool_call_id": "a1b2c3d4e", "content": '{"sum": "it\'s 1"}'}, assistant("It is 1.")],
    [user("Both?"), assistant("Well.", tool_calls=[call("add", {}), call("get_weather", {"location": "it's \"here\"\n"}, "123456789")]),
     {"role": "tool", "tool_call_id": "a1b2c3d4e", "content": "1"}, {"role": "tool", "tool_call_id": "123456789", "content": "rain"}, user("So?")],
    [user("a"), assistant("", tool_calls=[call("add", "{\"items\": []}", "short")])],
    [user("a"), user("b")],
    [assistant("I begin."), user("")],
    [{"role": "narrator", "content": "It rains."}, user("Go on"), assistant("It pours")],
    [{"role": "system", "content": [{"type": "text", "text": "Be kind."}]}, user([{"type": "image"}, {"type": "text", "text": " What is this? "}])],
]  # fmt: skip

OPTIONS = [
    {},
    {"add_generation_prompt": True},
    {"tools": [WEATHER, SUM], "add_generation_prompt": True},
    {"tools": [SUM], "documents": [{"title": "A", "text": "some\ntext", "size": 3}, {"title": "it's", "text": "b"}]},
    {"add_generation_prompt": True, "enable_thinking": False, "extra": {"a": [True, None, "it's"]}},
    {"continue_final_message": True},
]


def main():
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(FIXTURES / "tokenizers" / "qwen.json"), additional_special_tokens=MARKS, **SPECIAL
    )
    cases = []
    for path in sorted(CHAT.glob("*.jinja")):
        template = path.read_text()
        for c, conversation in enumerate(CONVERSATIONS):
            for o, options in enumerate(OPTIONS):
                if (c + o) % 2 and o not in (1, 5):
                    continue
                # a date of the template's own would be another one tomorrow
                given = {"chat_template": template, "date_string": "01 Feb 2026", **options}
                try:
                    text = tokenizer.apply_chat_template(conversation, tokenize=False, **given)
                except Exception:
                    text = None
                case = [path.stem, c, o, text]
                if text is not None and len(cases) % 4 == 0:
                    case.append(tokenizer.apply_chat_template(conversation, return_dict=False, **given))
                cases.append(case)
    ids = {mark: tokenizer.convert_tokens_to_ids(mark) for mark in [*SPECIAL.values(), *MARKS]}
    lines = ",\n".join(json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases)
    rest = {"special": SPECIAL, "marks": MARKS, "ids": ids, "conversations": CONVERSATIONS, "options": OPTIONS}
    text = json.dumps(rest, ensure_ascii=False, separators=(",", ":"))
    (CHAT / "cases.json").write_text(f'{text[:-1]},"cases":[\n{lines}\n]}}\n')
    print(len(cases), "cases,", sum(case[3] is None for case in cases), "refused")


main()
