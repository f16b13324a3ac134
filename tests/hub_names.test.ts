import { hubPlace } from "../src/model/hub/place.js";
import { OptionError } from "../src/runtime/errors.js";
import { assert, refuses, suite } from "./support/harness.js";

const test = suite("names of the Hub", { deno: "the same in Node", chrome: "the same in Node" });

const PLACES: Readonly<Record<string, readonly [repo: string, revision?: string, folder?: string]>> = {
  "org/name": ["org/name"],
  gpt2: ["gpt2"],
  "o/Qwen3-0.6B": ["o/Qwen3-0.6B"],
  "org/name@v1.0": ["org/name", "v1.0"],
  "org/name@refs/pr/3": ["org/name", "refs/pr/3"],
  "hf://org/name": ["org/name"],
  "hf://models/org/name@main": ["org/name", "main"],
  "https://huggingface.co/org/name": ["org/name"],
  "https://huggingface.co/gpt2": ["gpt2"],
  "https://huggingface.co/org/name?library=x#files": ["org/name"],
  "https://hf.co/org/name/tree/dev": ["org/name", "dev"],
  "https://huggingface.co/org/name/tree/main/": ["org/name", "main"],
  "https://huggingface.co/org/name/tree/refs%2Fpr%2F1": ["org/name", "refs/pr/1"],
  "https://huggingface.co/org/name/tree/main/a/b": ["org/name", "main", "a/b"],
  "https://huggingface.co/org/name/blob/main/README.md": ["org/name", "main"],
  "https://huggingface.co/org/name/resolve/main/a/model.safetensors": ["org/name", "main", "a"],
  "https://huggingface.co/gpt2/resolve/main": ["gpt2", "main"],
  "https://huggingface.co/org/tree/blob/main/x": ["org/tree", "main"],
  "https://mirror.test/hub/org/name/tree/v2": ["org/name", "v2"],
};
const OTHERS = [
  ...[
    "./name",
    "../name",
    "/org/name",
    "a/b/c",
    "org/",
    "org//name",
    ".hidden",
    "org/.git",
    "a--b/c",
    "org/name.git",
    "",
  ],
  ...[
    "C:\\models\\x",
    "models\\x",
    "org/na me",
    "https://mirror.test/org/name",
    "https://other.test/org/name",
    "file:///x",
  ],
  ...["https://huggingface.co/", "https://huggingface.co", "http://%zz", "blob:https://huggingface.co/org/name"],
];

for (const [text, want] of Object.entries(PLACES))
  test(`${text} names a model`, () => {
    const { repo, revision, folder, ambiguous } = hubPlace(text, "https://mirror.test/hub") ?? {};
    assert.equal([repo, revision, folder], [want[0], want[1], want[2]]);
    assert.is(ambiguous, !text.includes("://"));
  });
for (const text of OTHERS)
  test(`${text} names none`, () => assert.is(hubPlace(text, "https://mirror.test/hub"), undefined));
for (const text of ["hf://", "hf:org/name", "hf://a/b/c", "https://huggingface.co/spaces/org/name"])
  test(`${text} is refused`, () =>
    refuses(() => hubPlace(text), OptionError, /^load: (hf:\/\/ must be followed by|the URL must be that of a model)/));
