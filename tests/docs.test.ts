import { assert, readFile, suite } from "./support/harness.js";

const elsewhere = "sources are read, and no runtime runs anything";
const test = suite("documentation", { deno: elsewhere, chrome: elsewhere });

const read = async (path: string): Promise<string> => new TextDecoder().decode(await readFile(path));

/** A declaration that the package exports: its kind, the comment before it, and what follows its name. */
interface Exported {
  readonly name: string;
  readonly file: string;
  readonly kind: string;
  readonly comment: string;
  readonly rest: string;
}

/** Finds the declaration of an export, in the file that `index.ts` names or where that takes it from. */
async function declarationOf(name: string, file: string): Promise<Exported> {
  const text = await read(file);
  const before = String.raw`(\/\*\*(?:(?!\*\/)[^])*\*\/\n)?(?:\/\* @__\w+__ \*\/\n)?`;
  const found = new RegExp(`${before}export (?:async )?(function|const|interface|type|class)\\*? ${name}\\b`).exec(
    text,
  );
  if (found)
    return { name, file, kind: found[2], comment: found[1] ?? "", rest: text.slice(found.index + found[0].length) };
  const other = new RegExp(`export (?:type )?\\{[^}]*\\b${name}\\b[^}]*\\} from "\\./([\\w/]+)\\.js"`).exec(text)?.[1];
  assert.ok(other, `${name} of ${file} must be declared there`);
  return declarationOf(name, file.replace(/[^/]+$/, `${other}.ts`));
}

/** All that an entry of the package exports. */
async function listExports(folder: string): Promise<Exported[]> {
  const index = await read(`${folder}/index.ts`);
  const lists = [...index.matchAll(/^export (?:type )?\{([^}]*)\} from "\.\/([\w/]+)\.js";/gm)];
  assert.is(lists.length, index.match(/^export /gm)?.length, `${folder}/index.ts is a list of exports`);
  const names = lists.flatMap(([, list, from]) =>
    [...list.matchAll(/(?:type )?(\w+)/g)].map(([, name]) => ({ name, file: `${folder}/${from}.ts` })),
  );
  return Promise.all(names.map(({ name, file }) => declarationOf(name, file)));
}
const served = listExports("src/server");
const exported = Promise.all([listExports("src"), served]).then((lists) => lists.flat());

/** Members of an interface without a comment of their own. */
function bareMembers({ rest }: Exported): string[] {
  const lines = rest.slice(rest.indexOf("{\n"), rest.indexOf("\n}")).split("\n");
  return lines.flatMap((line, at) => {
    const member = /^ {2}(?:readonly )?(\w+(?=\??[(:<])|"[\w-]+"|\()/.exec(line)?.[1];
    return member && !lines[at - 1]?.endsWith("*/") && !lines[at - 1]?.startsWith("  (") ? [member] : [];
  });
}

test("every export has a comment", async () => {
  const bare = (await exported).filter(({ comment }) => !comment).map(({ name }) => name);
  assert.equal(bare, []);
});

test("every member of an exported interface has a comment", async () => {
  const interfaces = (await exported).filter(({ kind, name }) => kind === "interface" && name !== "Tasks"); // names of tasks
  const bare = interfaces.flatMap((one) => bareMembers(one).map((member) => `${one.name}.${member} in ${one.file}`));
  assert.equal(bare, []);
});

const exampleOf = ({ comment }: Exported): string | undefined => {
  const example = /@example\n((?:(?!\n \*\/|\n \* @)[^])*)/.exec(comment)?.[1];
  return example?.replace(/^ \* ?/gm, "");
};

test("every function has an example", async () => {
  const functions = (await exported).filter(({ kind, name }) => /function|const/.test(kind) && !/^[A-Z_]+$/.test(name));
  assert.ok(functions.length > 25, `must find the functions, found ${functions.length}`);
  assert.equal(
    functions.filter((one) => !exampleOf(one)).map(({ name }) => name),
    [],
  );
});

const declares = (example: string, name: string): boolean => new RegExp(`const [^=]*\\b${name}\\b[^=]*=`).test(example);

test("examples compile", async () => {
  const { execFile } = await import("node:child_process");
  const { mkdir, rm, writeFile } = await import("node:fs/promises");
  const folder = "build/examples";
  const all = await exported;
  const kernels = [
    ...(await read("src/kernels/index.ts")).matchAll(/\b(?!type\b)([a-z]\w+)(?=[, ]+(?:\w|\}).*from)/g),
  ].map(([, name]) => name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const one of all) {
    const example = exampleOf(one);
    if (!example) continue;
    const inServer = (await served).map(({ name }) => name);
    const used = (names: readonly string[]): string =>
      names.filter((name) => new RegExp(`\\b${name}\\b(?!:)`).test(example) && !declares(example, name)).join(", ");
    const text = [
      `import { ${used(all.map(({ name }) => name).filter((name) => !inServer.includes(name)))} } from "../../src/index.js";`,
      `import { ${used(inServer)} } from "../../src/server/index.js";`,
      `import { ${used(kernels)} } from "../../src/kernels/index.js";`,
      example,
    ];
    await writeFile(`${folder}/${one.name}.ts`, text.join("\n"));
  }
  const config = {
    extends: "../../tsconfig.json",
    compilerOptions: { noUnusedLocals: false },
    include: ["*.ts", "../../src/assets.d.ts"],
    exclude: [],
  };
  await writeFile(`${folder}/tsconfig.json`, JSON.stringify(config));
  const compiler = ["node_modules/typescript/bin/tsc", "--noEmit", "--project", folder];
  const said = await new Promise<string>((resolve) =>
    execFile(process.execPath, compiler, (_, output) => resolve(output)),
  );
  assert.is(said, "");
});
