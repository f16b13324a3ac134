#!/usr/bin/env node
import { main } from "./main.js";

let patience = 2000; // milliseconds that a command has to end after Ctrl-C, unless it asks for more

const stop = new AbortController();
let interrupts = 0;
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)
  process.on(signal, () => {
    stop.abort();
    if (++interrupts > 1) process.exit(code);
    setTimeout(() => process.exit(code), patience).unref();
  });

// Who reads the output may have enough of it (`| head`); a disk may be full.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit();
  console.error(`wgformer: the output cannot be written, ${error.message}`);
  process.exit(1);
});

const { stdin, stdout, stderr } = process;
const { signal } = stop;
process.exitCode = await main(process.argv.slice(2), {
  stdin,
  stdout,
  stderr,
  signal,
  patience: (milliseconds) => void (patience = milliseconds),
});
