// Headless Chrome on its software adapter, as the tests have it.
import { ensureBrowser } from "../../setup.mjs";
import { inChrome as inPage } from "../../tests/support/chrome.mjs";

/** Opens Chrome for `use(call, version)`, where `call(name, ...args)` runs an export of `module`, a path in this folder. */
export const inChrome = (module, use) =>
  inPage(ensureBrowser(), (call, version) => use((...named) => call(`bench/peers/${module}`, ...named), version), {
    onError: (message) => console.log(`Chrome: ${message}`), // what rivals do not catch may be harmless
  });
