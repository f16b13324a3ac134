import { cacheEntries, OptionError, removeFromCache } from "../index.js";
import { brief } from "./arguments.js";
import { option } from "./options.js";
import { bytes } from "./progress.js";
import { print } from "./terminal.js";
import type { Verb } from "./verb.js";

/** `wgformer cache`: the models of the Hub on this disk. */
export const cache: Verb = {
  usage: "list | rm MODEL ...",
  words: [1, Infinity],
  summary: "list the models of the Hub on this disk, or remove some",
  details: "The cache is that of Python's huggingface_hub: what is removed here is gone there.",
  examples: ["list", "rm org/name", "rm org/name@revision"],
  sections: {
    Options: {
      cache_dir: option(
        { words: "the path of a folder", holds: (value) => typeof value === "string" && value !== "" },
        "Where the cache is. Default: HF_HUB_CACHE, or else hub/ in HF_HOME.",
      ),
    },
  },
  async run({ model: action, texts: names, options: { cache_dir }, terminal }) {
    const place = { cache_dir: cache_dir as string | undefined };
    if (action === "rm" && names.length) {
      for (const name of names) await print(terminal, `${name}: ${bytes(await removeFromCache(name, place))} freed`);
      return;
    }
    if (action !== "list" || names.length)
      throw new OptionError(
        `cache: list, or rm with the names of models, must follow, got ${brief([action, ...names].join(" "))}`,
      );
    for (const { id, bytes: size, revisions, lastUsed } of await cacheEntries(place)) {
      const used = lastUsed?.toISOString().slice(0, 10) ?? "";
      await print(terminal, `${bytes(size).padStart(9)}  ${used.padEnd(10)}  ${id}`);
      for (const { commit, refs, bytes: own } of revisions)
        await print(
          terminal,
          `${bytes(own).padStart(9)}  ${"".padEnd(10)}    ${commit.slice(0, 12)}  ${refs.join(", ")}`,
        );
    }
  },
};
