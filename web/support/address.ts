/** What the address says: `#beams?word=transformer` is the view `beams` and its parameters. */
export interface Place {
  readonly id: string;
  readonly params: URLSearchParams;
}

export function readPlace(): Place {
  const [id = "", query = ""] = location.hash.slice(1).split("?", 2);
  return { id, params: new URLSearchParams(query) };
}

/** Writes a view and its parameters into the address. It makes no entry in the history, and tells no listener. */
export function writePlace(id: string, params: Readonly<Record<string, string | number | boolean | undefined>>): void {
  const given = Object.entries(params).flatMap(([name, value]) =>
    value === undefined || value === "" ? [] : [[name, String(value)]],
  );
  const query = new URLSearchParams(given).toString();
  history.replaceState(undefined, "", `#${id}${query && `?${query}`}`);
}
