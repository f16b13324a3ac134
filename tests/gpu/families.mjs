// GPUs that need not be there: drivers of Mesa that compile for them, and the environment in which each runs.

/** @typedef {import("./statistics.mjs").Maker} Maker */

/** Looked up when it is called, because a page that loads all tests has no files. @param {string} path */
const existsSync = (path) => process.getBuiltinModule("node:fs").existsSync(path);

/**
 * A GPU and the driver that compiles for it.
 * @typedef {object} Family
 * @property {string} name What people call the GPU.
 * @property {Maker} maker Whose statistics and machine code the driver prints.
 * @property {"radeon" | "intel" | "asahi" | "freedreno" | "nouveau"} driver
 * @property {Readonly<Record<string, string>>} env Which of its GPUs the driver sees.
 */

/** @type {Readonly<Record<string, Family>>} */
export const FAMILIES = {
  navi31: { name: "AMD RDNA3", maker: "amd", driver: "radeon", env: { AMDGPU_GPU_ID: "navi31" } },
  navi21: { name: "AMD RDNA2", maker: "amd", driver: "radeon", env: { AMDGPU_GPU_ID: "navi21" } },
  vega10: { name: "AMD Vega", maker: "amd", driver: "radeon", env: { AMDGPU_GPU_ID: "vega10" } },
  gfx1201: { name: "AMD RDNA4", maker: "amd", driver: "radeon", env: { AMDGPU_GPU_ID: "gfx1201" } },
  tgl: { name: "Intel Gen12", maker: "intel", driver: "intel", env: { INTEL_STUB_GPU_PLATFORM: "tgl" } },
  lnl: { name: "Intel Xe2", maker: "intel", driver: "intel", env: { INTEL_STUB_GPU_PLATFORM: "lnl" } },
  m1: { name: "Apple M1", maker: "apple", driver: "asahi", env: {} },
  a740: { name: "Adreno 740", maker: "adreno", driver: "freedreno", env: { FD_GPU_ID: "740" } },
  a630: { name: "Adreno 630", maker: "adreno", driver: "freedreno", env: { FD_GPU_ID: "630" } },
  ampere: { name: "NVIDIA Ampere", maker: "nvidia", driver: "nouveau", env: { NOUVEAU_CHIPSET: "172" } },
  turing: { name: "NVIDIA Turing", maker: "nvidia", driver: "nouveau", env: { NOUVEAU_CHIPSET: "162" } },
};

/** Those that differ most from one another. */
export const MAIN = ["navi31", "tgl", "lnl", "m1", "a740", "ampere"];

const LIBRARIES = "/usr/lib/x86_64-linux-gnu";
const SHIM = `${LIBRARIES}/libamdgpu_noop_drm_shim.so`;
const RADEON = ["radeon_icd.json", "radeon_icd.x86_64.json"].map((name) => `/usr/share/vulkan/icd.d/${name}`);
const BUFFERING = "/usr/libexec/coreutils/libstdbuf.so"; // Apple's driver prints to standard output, which must not lag behind
const PACKAGED = new Set(["navi31", "navi21", "vega10"]); // by drivers of Debian 12

/** The folder of drivers that `npm run gpu:drivers` makes, if there is one. */
export const driversFolder = () => process.env.WGFORMER_GPU_DRIVERS ?? "";

/**
 * How to run Node so that it sees this GPU, and its driver prints statistics and, with `code`, machine code; a text that
 * says what is missing where it cannot.
 * @param {string} id
 * @param {boolean} [code]
 * @returns {{ command: string, args: string[], env: Record<string, string> } | string}
 */
export function launcherOf(id, code = true) {
  const { driver, env } = FAMILIES[id];
  const common = { ...env, MESA_SHADER_CACHE_DISABLE: "true", XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? "/tmp" };
  if (process.platform !== "linux" || process.arch !== "x64") return "drivers of absent GPUs run on Linux on x64";
  if (PACKAGED.has(id)) {
    const icd = RADEON.find((path) => existsSync(path));
    if (!icd || !existsSync(SHIM)) return "the packages mesa-vulkan-drivers and mesa-drm-shim must be installed";
    const own = { VK_ICD_FILENAMES: icd, LD_PRELOAD: SHIM, RADV_DEBUG: code ? "shaderstats,asm" : "shaderstats" };
    return { command: process.execPath, args: [], env: { ...common, ...own } };
  }
  const folder = driversFolder();
  if (!folder || !existsSync(`${folder}/layer`))
    return "WGFORMER_GPU_DRIVERS must name the folder that `npm run gpu:drivers -- FOLDER` made";
  const libraries = `${folder}/root${LIBRARIES}`;
  const shims = { radeon: "amdgpu", intel: "intel", asahi: "asahi", freedreno: "freedreno", nouveau: "nouveau" };
  const shim = `${driver === "intel" ? `${folder}/intel` : libraries}/lib${shims[driver]}_noop_drm_shim.so`;
  if (!existsSync(shim)) return `${shim} must exist; \`npm run gpu:drivers -- ${folder}\` makes it`;
  const preload = [shim, ...(driver === "asahi" && existsSync(BUFFERING) ? [BUFFERING] : [])].join(":");
  return {
    command: `${folder}/root/usr/lib64/ld-linux-x86-64.so.2`,
    args: ["--preload", preload, "--library-path", libraries, process.execPath],
    env: {
      ...common,
      VK_ICD_FILENAMES: `${folder}/root/usr/share/vulkan/icd.d/${driver}_icd.json`,
      VK_LAYER_PATH: `${folder}/layer`,
      VK_INSTANCE_LAYERS: "VK_LAYER_WGFORMER_null",
      ...(code && { NULL_LAYER_CODE: "1", AGX_MESA_DEBUG: "shaders" }),
      _STDBUF_O: "0",
    },
  };
}
