// llama.cpp as a server of GPT-2, by node-llama-cpp, which puts the next tokens of all its sequences into one batch.
import { mkdirSync, writeFileSync } from "node:fs";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";
import { here, models } from "../harness.mjs";
import { gpt2Gguf } from "./gguf.mjs";

const built = `${here}build/`;
const BATCH = 512; // tokens of a batch, its default

/** Opens it with so many sequences side by side, on one thread: more of them spin, and stand still where others work too. */
export async function openLlama({ sequences, length }) {
  mkdirSync(built, { recursive: true });
  const modelPath = `${built}gpt2-brown.gguf`;
  writeFileSync(modelPath, gpt2Gguf(`${models}gpt2-brown`));
  const llama = await getLlama({
    gpu: false,
    build: "never",
    progressLogs: false,
    logLevel: LlamaLogLevel.error,
    maxThreads: 0,
  });
  const model = await llama.loadModel({ modelPath });
  const context = await model.createContext({ sequences, contextSize: length, batchSize: BATCH, threads: 1 });
  const free = Array.from({ length: sequences }, () => context.getSequence());
  const waiting = [];
  const take = () => free.pop() ?? new Promise((resolve) => waiting.push(resolve));
  const giveBack = (sequence) => (waiting.length ? waiting.shift()(sequence) : free.push(sequence));
  const name = "llama.cpp, CPU, 1 thread";
  const generate = async ({ ids, wanted }, onTokens) => {
    const sequence = await take();
    const tokens = [];
    try {
      await sequence.clearHistory();
      for await (const token of sequence.evaluate([...ids], { temperature: 0, yieldEogToken: true })) {
        onTokens(1);
        if (tokens.push(token) === wanted) break;
      }
    } finally {
      giveBack(sequence);
    }
    return tokens;
  };
  return {
    name,
    answers: (requests) => Promise.all(requests.map((request) => generate(request, () => {}))),
    servers: () => [{ name, answer: async (request, onTokens) => void (await generate(request, onTokens)) }],
    close: () => llama.dispose(),
  };
}
