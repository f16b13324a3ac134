// How a page names what it keeps.

/** The name of the Cache of a page. Another layout gets another name. */
export const PAGE_CACHE = "wgformer-hub-1";

/** The header with the size of the whole file, beside each of its pieces. */
export const SIZE = "x-file-size";
/** What stands in the place of the commit for what branches and tags are. */
export const REFS = "refs";
