globalThis.result = new Promise((resolve, reject) => {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  worker.addEventListener("message", ({ data: { result, error } }) =>
    error ? reject(new Error(error)) : resolve(result),
  );
  worker.addEventListener("error", ({ message }) => reject(new Error(`the worker: ${message}`)));
});
