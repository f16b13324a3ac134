// Fetches the newest drivers of Mesa from Debian into a folder, beside what the machine has, and builds what lets them
// compile for GPUs that are not there: npm run gpu:drivers -- FOLDER. docs/gpu_compilers.md says more.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { suiteFile } from "../../apt.mjs";
import { linuxRelease, readSources } from "../../setup.mjs";

const PACKAGES = `mesa-vulkan-drivers mesa-drm-shim libbsd0 libc6 libcap2 libdisplay-info3 libdrm-amdgpu1 libdrm-intel1
  libdrm2 libedit2 libelf1t64 libexpat1 libffi8 libgcc-s1 libllvm22 libmd0 libpciaccess0 libsensors5 libstdc++6 libtinfo6
  libudev1 libvulkan1 libwayland-client0 libx11-6 libx11-xcb1 libxau6 libxcb-dri3-0 libxcb-present0 libxcb-randr0
  libxcb-shm0 libxcb-sync1 libxcb-xfixes0 libxcb1 libxdmcp6 libxml2-16 libxshmfence1 libz3-4 libzstd1 zlib1g`.split(
  /\s+/,
);
const TOOLS = ["cc", "apt-get", "dpkg", "tar", "flex", "bison", "pkg-config", "meson", "ninja"];
const NEEDED = `apt-get install build-essential flex bison pkg-config ninja-build meson python3-mako python3-yaml \\
  python3-packaging libvulkan-dev libdrm-dev libexpat1-dev zlib1g-dev; of Debian 12, meson from its backports`;
const OFF = ["glx", "egl", "gbm", "llvm", "gles1", "gles2"].map((part) => `-D${part}=disabled`);
const NONE = ["gallium-drivers", "vulkan-drivers", "platforms", "video-codecs"].map((part) => `-D${part}=`);
const INTEL_SHIM = "src/intel/tools/libintel_noop_drm_shim.so";
const LAYER = { name: "VK_LAYER_WGFORMER_null", library: "libVkLayer_WGFORMER_null.so" };

/** @returns {never} */
function fail(/** @type {string} */ text) {
  console.error(`gpu:drivers: ${text}`);
  process.exit(1);
}

/**
 * @param {string} folder
 * @param {string} command
 * @param {...string} args
 */
function run(folder, command, ...args) {
  console.log(`gpu:drivers: ${command} ${args.join(" ").slice(0, 100)}`);
  const { status, error } = spawnSync(command, args, { cwd: folder, stdio: ["ignore", 2, 2] });
  if (status !== 0) fail(`\`${command}\` failed (${error?.message ?? `exit code ${status}`})`);
}

/** Options of apt-get by which it sees one suite of Debian alone, and leaves the machine as it is. */
function aptFor(/** @type {string} */ folder, /** @type {string} */ suite, /** @type {"deb" | "deb-src"} */ type) {
  const release = linuxRelease();
  const file = release && suiteFile(readSources(), release.codename, suite, type);
  if (release?.id !== "debian" || !file) return fail("needs Debian, and a mirror of it in apt's sources");
  const state = `${folder}/apt.${type}`;
  for (const path of ["lists/partial", "archives/partial"]) mkdirSync(`${state}/${path}`, { recursive: true });
  writeFileSync(`${state}/${suite}.${file.format}`, file.text);
  const options = {
    "Dir::Etc::sourcelist": `${state}/${suite}.${file.format}`,
    "Dir::Etc::sourceparts": "-",
    "Dir::State::lists": `${state}/lists`,
    "Dir::Cache::archives": `${state}/archives`,
    "Dir::Cache::pkgcache": "",
    "Dir::Cache::srcpkgcache": "",
    "APT::Default-Release": suite,
  };
  return Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}

/** Unpacks the newest drivers and the libraries that they need into FOLDER/root. */
function fetchDrivers(/** @type {string} */ folder) {
  const packages = `${folder}/packages`;
  mkdirSync(packages, { recursive: true });
  const apt = aptFor(folder, "sid", "deb");
  run(packages, "apt-get", ...apt, "update");
  run(packages, "apt-get", ...apt, "download", ...PACKAGES);
  for (const name of readdirSync(packages)) run(packages, "dpkg", "-x", name, `${folder}/root`);
  const drivers = `${folder}/root/usr/share/vulkan/icd.d`;
  for (const name of readdirSync(drivers)) {
    const { ICD, ...rest } = JSON.parse(readFileSync(`${drivers}/${name}`, "utf8"));
    const library = `${folder}/root/usr/lib/x86_64-linux-gnu/${ICD.library_path.split("/").at(-1)}`;
    writeFileSync(`${drivers}/${name}`, JSON.stringify({ ...rest, ICD: { ...ICD, library_path: library } }));
  }
}

/** Builds the layer that drops commands, into FOLDER/layer. */
function buildLayer(/** @type {string} */ folder) {
  mkdirSync(`${folder}/layer`, { recursive: true });
  const library = `${folder}/layer/${LAYER.library}`;
  run(folder, "cc", "-O2", "-shared", "-fPIC", "-o", library, fileURLToPath(new URL("null_layer.c", import.meta.url)));
  const layer = {
    name: LAYER.name,
    type: "GLOBAL",
    library_path: library,
    api_version: "1.3.239",
    implementation_version: "1",
    description: "drops commands",
  };
  writeFileSync(`${folder}/layer/${LAYER.name}.json`, JSON.stringify({ file_format_version: "1.1.2", layer }));
}

/** Builds the stand-in for Intel's kernel driver, which Debian does not package, from its source of Mesa: some minutes. */
function buildIntelShim(/** @type {string} */ folder) {
  const source = `${folder}/mesa`;
  mkdirSync(source, { recursive: true });
  const release = linuxRelease();
  const suite = release?.version === "12" ? `${release.codename}-backports` : (release?.codename ?? "");
  const apt = aptFor(folder, suite, "deb-src");
  run(source, "apt-get", ...apt, "update");
  run(source, "apt-get", ...apt, "source", "--download-only", "--tar-only", "mesa");
  const archive =
    readdirSync(source).find((name) => /\.orig\.tar\.\w+$/.test(name)) ?? fail("the source of Mesa did not come");
  run(source, "tar", "--strip-components=1", "-xf", archive);
  run(
    source,
    "meson",
    "setup",
    "build",
    "-Dbuildtype=release",
    "-Dtools=drm-shim,intel",
    "-Dopengl=false",
    ...OFF,
    ...NONE,
  );
  run(source, "ninja", "-C", "build", INTEL_SHIM);
  mkdirSync(`${folder}/intel`, { recursive: true });
  cpSync(`${source}/build/${INTEL_SHIM}`, `${folder}/intel/${INTEL_SHIM.split("/").at(-1)}`);
}

const [given] = process.argv.slice(2);
if (!given) fail("the folder for the drivers must be named: npm run gpu:drivers -- FOLDER");
const folder = resolve(given);
const missing = TOOLS.filter((tool) => spawnSync("which", [tool]).status !== 0);
if (missing.length || !existsSync("/usr/include/vulkan/vulkan.h"))
  fail(`${missing.join(", ") || "vulkan/vulkan.h"} must be there: ${NEEDED}`);
mkdirSync(folder, { recursive: true });
fetchDrivers(folder);
buildLayer(folder);
buildIntelShim(folder);
for (const name of ["packages", "mesa", "apt.deb", "apt.deb-src"]) rmSync(`${folder}/${name}`, { recursive: true });
console.log(`gpu:drivers: done; WGFORMER_GPU_DRIVERS=${folder} npm run gpu:isa -- all topk`);
