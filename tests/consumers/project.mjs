// A project that uses the packed package as a stranger's would: it has the package and what that depends on, and no `webgpu`.
import { execFile } from "node:child_process";
import { cp, mkdir, readFile, symlink } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** Entries of the repository that are not needed to pack it, or must be made by packing. */
const LEFT_OUT = /^(node_modules|dist|build|models|tests|bench|\.git|.*\.tgz)$/;

/** Packs a copy of this repository, in which nothing is built yet, and returns the path of the tarball. */
async function pack(folder) {
  const copy = `${folder}/copy`;
  await cp(root, copy, { recursive: true, filter: (path) => !LEFT_OUT.test(path.slice(root.length)) });
  await symlink(`${root}node_modules`, `${copy}/node_modules`);
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: copy });
  const [{ filename }] = JSON.parse(stdout.slice(stdout.indexOf("[\n")));
  return `${folder}/${filename}`;
}

/**
 * Makes the project in `folder`/project, and returns its path and the tarball's.
 * @param {string} folder
 */
export async function makeProject(folder) {
  const tarball = await pack(folder);
  const project = `${folder}/project`;
  const installed = `${project}/node_modules/wgformer`;
  await mkdir(installed, { recursive: true });
  await cp(`${root}tests/consumers/project`, project, { recursive: true });
  await run("tar", ["-xzf", tarball, "--strip-components=1", "-C", installed]);
  const { dependencies } = JSON.parse(await readFile(`${installed}/package.json`, "utf8"));
  for (const name of Object.keys(dependencies))
    await cp(`${root}node_modules/${name}`, `${project}/node_modules/${name}`, { recursive: true });
  return { project, tarball };
}
