"""What the text-generation pipeline of Transformers replies in conversations with models/gpt2-brown.

Writes tests/fixtures/chat/replies.json: a template, and conversations with options and what `generated_text` then is.
"""

import json
from pathlib import Path

from transformers import pipeline

ROOT = Path(__file__).parent.parent.parent
TEMPLATE = (
    "{% for message in messages %}{{ message.role | capitalize }}: {{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)


def user(content):
    return {"role": "user", "content": content}


CASES = [
    ([user("What did the jury say?")], {}),
    ([{"role": "system", "content": "Be brief."}, user("Who is he?"), {"role": "assistant", "content": "A man."}, user("And she?")], {}),
    ([user("Go on"), {"role": "assistant", "content": "The old boat"}], {}),
    ([user("Go on"), {"role": "assistant", "content": "The old boat"}], {"continue_final_message": False}),
    ([user("Who is he?")], {"return_full_text": False}),
    ([user("Who is he?")], {"num_beams": 3, "num_return_sequences": 2}),
    ([user("Go on"), {"role": "assistant", "content": "The old boat"}], {"return_full_text": False, "num_beams": 2}),
]  # fmt: skip


def main():
    write = pipeline("text-generation", str(ROOT / "models" / "gpt2-brown"))
    write.tokenizer.chat_template = TEMPLATE
    cases = []
    for messages, options in CASES:
        results = write(messages, max_new_tokens=10, do_sample=False, **options)
        cases.append([messages, options, [result["generated_text"] for result in results]])
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    text = f'{{"template":{json.dumps(TEMPLATE)},"cases":[\n{lines}\n]}}\n'
    (ROOT / "tests" / "fixtures" / "chat" / "replies.json").write_text(text)


main()
