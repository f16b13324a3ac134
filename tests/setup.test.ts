import {
  adapterCommands,
  backportsFile,
  browserCommands,
  findServer,
  queueCommands,
  readRelease,
  shimCommands,
} from "../apt.mjs";
import { assert, suite } from "./support/harness.js";

const test = suite("set-up");

const release = (id: string, version: string, codename: string, like = "") =>
  readRelease(
    `PRETTY_NAME="Some ${id}"\nVERSION_ID="${version}"\nVERSION_CODENAME=${codename}\nID=${id}\n${like && `ID_LIKE="${like}"\n`}`,
  );
const BOOKWORM = release("debian", "12", "bookworm");
const MIRROR = "http://mirror.example/debian";
const LINES = `# deb ${MIRROR} bullseye main
deb cdrom:[Debian GNU/Linux 12.0.0 _Bookworm_ - Official amd64]/ bookworm main
deb-src ${MIRROR} bookworm main
deb ${MIRROR} bookworm main contrib # the usual
deb ${MIRROR}-security bookworm-security main
`;
const PARAGRAPHS = `Types: deb
# an archived state: http://old.example/archive/debian/20250520T000000Z
URIs: ${MIRROR}
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: ${MIRROR}-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`;
const LIST = "/etc/apt/sources.list";
const SOURCES = "/etc/apt/sources.list.d/debian.sources";

test("backports come from the mirror of a file of lines, with its options", () => {
  const path = "/etc/apt/sources.list.d/bookworm-backports.list";
  assert.equal(backportsFile({ [LIST]: LINES }, "bookworm"), { path, text: `deb ${MIRROR} bookworm-backports main\n` });
  const options = "[ arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg ] ";
  assert.equal(backportsFile({ [LIST]: `deb ${options}${MIRROR} oldstable main\n` }, "bookworm"), {
    path,
    text: `deb ${options}${MIRROR} bookworm-backports main\n`,
  });
});

test("backports come from the mirror of a file of paragraphs, with its key", () => {
  const path = "/etc/apt/sources.list.d/bookworm-backports.sources";
  const text = (rest: string) => `Types: deb\nSuites: bookworm-backports\nComponents: main\n${rest}`;
  const signed = "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n";
  assert.equal(backportsFile({ [SOURCES]: PARAGRAPHS }, "bookworm"), {
    path,
    text: text(`URIs: ${MIRROR}\n${signed}`),
  });
  const key =
    "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBGPL0BU=\n -----END PGP PUBLIC KEY BLOCK-----\n";
  const embedded = `types: deb deb-src\nuris: mirror+file:/etc/apt/mirrors/debian.list\nsuites: bookworm\ncomponents: main\n${key}`;
  assert.equal(
    backportsFile({ [SOURCES]: embedded }, "bookworm")?.text,
    text(`uris: mirror+file:/etc/apt/mirrors/debian.list\n${key}`),
  );
});

test("other publishers that name their suites after releases are not taken for a mirror", () => {
  const vendor = "deb [signed-by=/etc/apt/keyrings/vendor.gpg] https://vendor.example/apt";
  const others = { [LIST]: `${vendor} bookworm main\n${vendor} stable main\ndeb https://old.example stable main\n` };
  assert.match(backportsFile({ ...others, [SOURCES]: PARAGRAPHS }, "bookworm")?.text ?? "", `URIs: ${MIRROR}\n`);
  const lines = others[LIST].split("\n").slice(0, 2).join("\n");
  assert.match(backportsFile({ [LIST]: `${lines}\n${LINES}` }, "bookworm")?.text ?? "", `deb ${MIRROR} `);
});

test("a mirror that is switched off or absent is none; backports that are there are not added again", () => {
  assert.is(
    backportsFile({ [SOURCES]: PARAGRAPHS.replaceAll("Types:", "Enabled: no\nTypes:") }, "bookworm"),
    undefined,
  );
  assert.is(backportsFile({}, "bookworm"), undefined);
  assert.equal(backportsFile({ [LIST]: `${LINES}deb ${MIRROR} bookworm-backports main\n` }, "bookworm"), {});
});

const INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends";
const STOCK = ["apt-get update", `${INSTALL} libvulkan1 mesa-vulkan-drivers`];

test("Debian 12 takes the adapter from backports, newer releases and Ubuntu from their own suite", () => {
  assert.equal(adapterCommands(BOOKWORM, { [LIST]: LINES }), [
    `printf '%b' 'deb ${MIRROR} bookworm-backports main\\n' > /etc/apt/sources.list.d/bookworm-backports.list`,
    "apt-get update",
    `${INSTALL} -t bookworm-backports libvulkan1 mesa-vulkan-drivers`,
  ]);
  assert.is(adapterCommands(BOOKWORM, {}), undefined);
  for (const stock of [
    release("debian", "13", "trixie"),
    release("debian", "", "forky"),
    release("ubuntu", "24.04", "noble", "debian"),
    release("linuxmint", "22", "wilma", "ubuntu debian"),
  ])
    assert.equal(adapterCommands(stock, {}), STOCK);
  assert.is(adapterCommands(release("fedora", "42", ""), {}), undefined);
  assert.is(adapterCommands(undefined, {}), undefined);
});

test("what compiles without a GPU is of the same version as the driver, and a package of Debian", () => {
  assert.equal(shimCommands(BOOKWORM, { [LIST]: `${LINES}deb ${MIRROR} bookworm-backports main\n` }), [
    "apt-get update",
    `${INSTALL} -t bookworm-backports mesa-drm-shim mesa-vulkan-drivers`,
  ]);
  const trixie = release("debian", "13", "trixie");
  assert.equal(shimCommands(trixie, {}), ["apt-get update", `${INSTALL} mesa-drm-shim mesa-vulkan-drivers`]);
  assert.is(shimCommands(release("ubuntu", "24.04", "noble", "debian"), {}), undefined);
  assert.is(shimCommands(undefined, {}), undefined);
});

test("Chromium is a package of Debian, and none of Ubuntu", () => {
  assert.equal(browserCommands(BOOKWORM), ["apt-get update", `${INSTALL} chromium`]);
  assert.is(browserCommands(release("ubuntu", "24.04", "noble", "debian")), undefined);
  assert.is(browserCommands(undefined), undefined);
});

test("a server for bulk work is a package of Debian and of Ubuntu, without a service", () => {
  for (const known of [BOOKWORM, release("ubuntu", "24.04", "noble", "debian")])
    assert.equal(queueCommands(known), ["apt-get update", `${INSTALL} redis-tools`]);
  assert.is(queueCommands(release("fedora", "42", "")), undefined);
  assert.is(queueCommands(undefined), undefined);
  const here = (path: string): boolean => path === "/usr/bin/redis-check-rdb";
  assert.is(findServer("/bin:/usr/bin", here), "/usr/bin/redis-check-rdb");
  assert.is(findServer(undefined, here), undefined);
});

test(
  "no mirror and no registry is named in what is committed",
  async () => {
    const { readFile } = await import("node:fs/promises");
    for (const path of ["setup.mjs", "apt.mjs", "package.json", "package-lock.json", "build.mjs"])
      assert.not.match(await readFile(path, "utf8"), /deb\.debian\.org|archive\.ubuntu\.com|registry\.\w|npmmirror/);
  },
  { chrome: "reads the repository", deno: "reads the repository" },
);
