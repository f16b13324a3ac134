#!/usr/bin/env node
import { main } from "./main.js";

const PATIENCE = 2000; // milliseconds that a command has to end after Ctrl-C

const stop = new AbortController();
let interrupts = 0;
process.on("SIGINT", () => {
  stop.abort();
  if (++interrupts > 1) process.exit(130);
  setTimeout(() => process.exit(130), PATIENCE).unref();
});

// Who reads the output may have enough of it (`| head`); a disk may be full.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit();
  console.error(`wgformer: the output cannot be written, ${error.message}`);
  process.exit(1);
});

const { stdin, stdout, stderr } = process;
process.exitCode = await main(process.argv.slice(2), { stdin, stdout, stderr, signal: stop.signal });
