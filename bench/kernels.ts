import { bench as attention } from "./attention.bench.js";
import { bench as attentionMerge } from "./attention_merge.bench.js";
import { bench as attentionStep } from "./attention_step.bench.js";
import { bench as attentionWeights } from "./attention_weights.bench.js";
import { bench as beamStep } from "./beam_step.bench.js";
import { bench as coverage } from "./coverage.bench.js";
import { bench as dynamicRange } from "./dynamic_range.bench.js";
import { bench as embed } from "./embed.bench.js";
import { bench as groupnorm } from "./groupnorm.bench.js";
import { bench as layernormResidual } from "./layernorm_residual.bench.js";
import { bench as logMel } from "./log_mel.bench.js";
import { bench as logitsProcess } from "./logits_process.bench.js";
import { bench as matmul } from "./matmul.bench.js";
import { bench as pooling } from "./pooling.bench.js";
import { bench as rope } from "./rope.bench.js";
import { bench as sample } from "./sample.bench.js";
import { bench as sampleParts } from "./sample_parts.bench.js";
import { bench as topk } from "./topk.bench.js";
import { bench as unfold } from "./unfold.bench.js";
import type { KernelBench } from "./support/kernel_bench.js";

/** The benches of all kernels. */
export const KERNEL_BENCHES: readonly KernelBench[] = [
  attention,
  attentionMerge,
  attentionStep,
  attentionWeights,
  beamStep,
  coverage,
  dynamicRange,
  embed,
  groupnorm,
  layernormResidual,
  logMel,
  logitsProcess,
  matmul,
  pooling,
  rope,
  sample,
  sampleParts,
  topk,
  unfold,
];
