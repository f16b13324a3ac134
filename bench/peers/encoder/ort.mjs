// An encoder's graph in onnxruntime, in Node or in Chrome. Hidden states come to JavaScript, as ours do.

/** `model`: bytes or an address. Returns `run(inputs)`, the numbers of its hidden states, and `release()`. */
export async function openEncoder(ort, model, provider = "webgpu") {
  const session = await ort.InferenceSession.create(model, { executionProviders: [provider], logSeverityLevel: 3 });
  const run = async ({ input_ids, attention_mask }) => {
    const [B, S] = [input_ids.length, input_ids[0].length];
    const tensor = (rows) => new ort.Tensor("int64", BigInt64Array.from(rows.flat(), BigInt), [rows.length, S]);
    const feeds = {
      input_ids: tensor(input_ids),
      attention_mask: new ort.Tensor("float32", Float32Array.from(attention_mask.flat()), [B, S]),
      token_type_ids: new ort.Tensor("int64", new BigInt64Array(B * S), [B, S]),
      position_ids: tensor([Array.from({ length: S }, (_, t) => t)]),
    };
    const named = session.inputNames.map((name) => [name, feeds[name]]);
    return (await session.run(Object.fromEntries(named))).last_hidden_state.data;
  };
  return { run, release: () => session.release() };
}
