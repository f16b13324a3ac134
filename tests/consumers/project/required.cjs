const { load, WgformerError } = require("wgformer");
const { attention } = require("wgformer/kernels");

load(process.argv[2]).then(
  (model) => console.log(JSON.stringify({ vocabulary: model.architecture.V, kernel: attention.name })),
  (error) => console.log(JSON.stringify({ typed: error instanceof WgformerError, message: error.message })),
);
