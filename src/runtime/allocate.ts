import type { Arenas } from "./arena.js";
import type { Compiled } from "./compile.js";
import type { Dims, Kernel } from "./kernel.js";
import { type Grid, gridOf, hasRows, rowBytes, type RowRange } from "./launches.js";
import { type Memory, USAGE } from "./memory.js";
import type { Plan } from "./plan.js";
import type { PrepareContext } from "./prepare.js";
import { handled, scoped } from "./scopes.js";
import type { Location } from "./staging.js";
import { byteLength, owner, type Tensor } from "./tensor.js";
import { packParams } from "./wgsl.js";

/** Rows of a launch, ready to be dispatched. */
export interface Dispatch extends Grid {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly flops: number;
}

/** Rows of a launch that is compiled: `slot` is their place in the uniform buffer. */
export interface Piece extends Compiled {
  readonly launch: number;
  readonly rows: RowRange;
  readonly slot: number;
}

/** The memory of a plan and what is bound to it, of each launch by its number. Gives everything back when it fails. */
export async function allocate(
  context: PrepareContext,
  plan: Plan,
  { sizes, places }: Arenas,
  pieces: readonly Piece[],
) {
  const { device, memory } = context;
  const made: GPUBuffer[] = [];
  const create: Memory["create"] = (...args) => {
    made.push(memory.create(...args));
    return made[made.length - 1];
  };
  const given = plan.launches.flatMap(({ tensors }) => Object.values(tensors));
  const fresh = given.filter((t): t is Tensor => t !== undefined && t.role !== "activation" && !memory.has(t));
  const build = () => {
    const arenas = sizes.map((size, index) =>
      create(`${plan.name} arena ${index}`, size, USAGE.storage | USAGE.copySource, "activation"),
    );
    const uniforms = createUniforms(context, plan, pieces, create);
    const locate = (t: Tensor): Location => {
      const place = places.get(owner(t));
      return { tensor: t, buffer: place ? arenas[place.arena] : memory.buffer(t), offset: place?.offset ?? 0 };
    };
    const dispatches = plan.launches.map((): Dispatch[] => []);
    for (const piece of pieces) {
      const { launch, choice, rows } = piece;
      const { kernel } = plan.launches[launch];
      const group = bindArguments(context, plan, piece, uniforms.entry(piece.slot), locate);
      const flops = kernel.flops({ ...choice.dims, ...rowsOf(kernel, rows) });
      dispatches[launch].push({
        pipeline: piece.pipeline,
        group,
        flops,
        ...gridOf(choice, kernel.rowAxis, rows.count),
      });
    }
    return { dispatches, locate, set: uniforms.set };
  };
  try {
    const { value, fault } = scoped(device, `preparing ${plan.name}`, build);
    const written = handled(memory.settled());
    const error = await fault;
    if (error) throw error;
    await written;
    return { ...value, release: () => made.forEach(memory.release) };
  } catch (error) {
    made.forEach(memory.release);
    memory.forget(fresh);
    throw error;
  }
}

/** The sizes of a piece that are not those of its launch. */
const rowsOf = ({ rowAxis }: Kernel, { count }: RowRange): Dims => (rowAxis ? { [rowAxis]: count } : {});

/** Bytes for the `struct Params` of a piece, enough for any. */
export const UNIFORM = 256;

/** One buffer with `struct Params` of every piece. */
function createUniforms(
  { device, memory, pipelines }: PrepareContext,
  plan: Plan,
  pieces: readonly Piece[],
  create: Memory["create"],
) {
  const { minUniformBufferOffsetAlignment: alignment } = device.limits;
  const stride = Math.ceil(UNIFORM / alignment) * alignment;
  const size = stride * pieces.length;
  const buffer = create(`${plan.name} uniforms`, size, USAGE.uniform | USAGE.copyTarget, "uniforms");
  const pack = ({ launch, choice, rows }: Piece, values: Dims = {}): ArrayBuffer => {
    const { kernel, dims, tensors } = plan.launches[launch];
    const { params } = pipelines.shader(kernel, choice);
    return packParams(kernel.name, params, {
      ...sizesOfAbsent(kernel, tensors),
      ...dims,
      ...values,
      ...rowsOf(kernel, rows),
    });
  };
  const bytes = new Uint8Array(size);
  for (const piece of pieces) bytes.set(new Uint8Array(pack(piece)), piece.slot * stride);
  device.queue.writeBuffer(buffer, 0, bytes);
  return {
    entry: (slot: number): GPUBindGroupEntry => ({
      binding: 0,
      resource: { buffer, offset: slot * stride, size: stride },
    }),
    set(launch: number, values: Dims): void {
      for (const piece of pieces)
        if (piece.launch === launch) memory.writeBytes(buffer, piece.slot * stride, pack(piece, values));
    },
  };
}

/** The sizes that absent arguments would have: a shader that knows them never reads the arguments. */
function sizesOfAbsent({ reads }: Kernel, tensors: Readonly<Record<string, Tensor | undefined>>): Dims {
  const letters = Object.entries(reads).flatMap(([name, pattern]) =>
    tensors[name] ? [] : (pattern.match(/\b[A-Z]\b/g) ?? []),
  );
  return Object.fromEntries(letters.map((letter) => [letter, 0]));
}

function bindArguments(
  { device, pipelines, absent }: PrepareContext,
  plan: Plan,
  { launch, choice, rows }: Piece,
  uniform: GPUBindGroupEntry,
  locate: (t: Tensor) => Location,
): GPUBindGroup {
  const { kernel, tensors } = plan.launches[launch];
  const shader = pipelines.shader(kernel, choice);
  const resource = (name: string, access: "read" | "write"): GPUBufferBinding => {
    const t = tensors[name];
    if (!t) return { buffer: absent[access] };
    const { buffer, offset } = locate(t);
    const skipped = hasRows(kernel, name) ? rowBytes(t, rows.first) : 0;
    const end = t.role === "activation" ? Math.ceil(byteLength(t) / 16) * 16 : buffer.size - offset;
    return { buffer, offset: offset + skipped, size: end - skipped };
  };
  return device.createBindGroup({
    label: kernel.name,
    layout: pipelines.layout(shader),
    entries: [
      uniform,
      ...shader.bindings.map(({ name, access }, index) => ({ binding: index + 1, resource: resource(name, access) })),
    ],
  });
}
