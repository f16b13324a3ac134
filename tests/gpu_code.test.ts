import { launcherOf } from "./gpu/families.mjs";
import { readLoops } from "./gpu/machine_code.mjs";
import { compareTables } from "./gpu/table.mjs";
import { assert, runtime, suite } from "./support/harness.js";

const test = suite("code for GPUs", {
  chrome: "Node compiles for GPUs that are not there",
  deno: "Node compiles for GPUs that are not there",
});

const CURE = "`npm run gpu:table` writes tests/gpu/navi31.txt again: look at the difference, and say in the commit why";

/** Runs Node, as for a GPU of AMD where there is none if `env` says so. */
async function runNode(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { execFile } = await import("node:child_process");
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) =>
    execFile(
      process.execPath,
      args,
      { env: { ...process.env, ...env }, maxBuffer: 2 ** 26, timeout: 300e3 },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
    ),
  );
}

/** How to run Node for this GPU, or why that cannot be. */
const launcher = runtime === "node" ? launcherOf("navi31") : "Node compiles for GPUs that are not there";

test("AMD's compiler spills nowhere, and no launch of a model takes more of it than the table says", async () => {
  if (typeof launcher === "string") return `code for AMD's GPUs: ${launcher}`;
  const { readFile } = await import("node:fs/promises");
  const { code, stdout, stderr } = await runNode(["tests/gpu/isa.mjs", "--table"]);
  assert.is(code, 0, stderr);
  const faults = compareTables(await readFile("tests/gpu/navi31.txt", "utf8"), stdout);
  assert.equal(faults, [], `${faults.slice(0, 20).join("\n")}\n${faults.length} faults; ${CURE}`);
  return undefined;
});

test("a model runs on a GPU of AMD that only compiles", async () => {
  if (typeof launcher === "string") return `code for AMD's GPUs: ${launcher}`;
  const { env } = launcher;
  const { code, stdout, stderr } = await runNode(["dist/cli.js", "run", "models/bert-pos", "The old boat"], env);
  assert.is(code, 0, stderr);
  assert.match(stdout, /boat/);
  return undefined;
});

const HEAD = "# a driver\n VGPR SGPR spills scratch LDS bytes instr pipeline\n";
const table = (...lines: string[]): string => `${HEAD}${lines.join("\n")}\n`;

test("what spills, has grown, is missing or is new is told by its name", () => {
  const old = table("48 128 0 0 0 1000 200 matmul shared A=1", "60 128 3 0 0 1000 200 topk direct");
  assert.equal(compareTables(old, old), []);
  const slightly = table("50 128 0 0 0 1050 210 matmul shared A=1", "24 128 3 0 0 500 100 topk direct");
  assert.equal(compareTables(old, slightly), []);
  const worse = table("56 128 1 64 0 1100 200 matmul shared A=1", "60 128 4 0 0 1000 200 topk direct");
  assert.equal(compareTables(old, worse), [
    "matmul shared A=1: spills 1 registers, 64 bytes of scratch",
    "matmul shared A=1: registers 48 -> 56",
    "matmul shared A=1: bytes 1000 -> 1100",
    "topk direct: spills 4 registers, 0 bytes of scratch",
  ]);
  const others = table("48 128 0 0 0 1000 200 matmul shared A=2", "60 128 3 0 0 1000 200 topk direct");
  assert.equal(compareTables(old, others), [
    "matmul shared A=2: is not in the table",
    "matmul shared A=1: is in the table, but no launch",
  ]);
});

test("growth is judged only where the same driver made both tables", () => {
  const old = table("48 128 0 0 0 1000 200 matmul shared A=1");
  assert.equal(compareTables(old, table("96 128 0 0 0 1000 200 matmul shared A=1").replace("a driver", "another")), []);
});

const AMD = `BB1:
\tbuffer_load_b128 v[0:3], v4, s[4:7], 0 offen                ; e05c0000
\tbuffer_load_b128 v[8:11], v4, s[4:7], 0 offen offset:16     ; e05c0010
\ts_waitcnt vmcnt(1)                                          ; bf8907f7
\tv_dual_fmac_f32 v1, v0, v2 :: v_dual_mul_f32 v3, v0, v2     ; c8000000
BB2:
\tds_load_b128 v[0:3], v5                                     ; db7c0000
\tv_fma_f32 v1, v0, v2, v1                                    ; d6130001
\ts_cbranch_scc1 BB2                                          ; bfa20000
\ts_waitcnt vmcnt(0)                                          ; bf8903f7
\ts_cbranch_scc0 BB1                                          ; bfa10000
`;

test("loops of machine code are told apart, with their mix and the loads that are under way at once", () => {
  const [outer, inner] = readLoops("amd", AMD);
  assert.equal([outer.mix, outer.inFlight], [{ load: 2, wait: 2, fma: 1, valu: 1, branch: 1 }, 2]);
  assert.equal([inner.mix, inner.inFlight, inner.size], [{ lds: 1, fma: 1, branch: 1 }, 0, 3]);
});
