export type Scheme = "light" | "dark";

const KEY = "scheme";
const preference = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<(scheme: Scheme) => void>();

// Storage throws in pages that may keep nothing.
function kept(): Scheme | undefined {
  try {
    return (localStorage.getItem(KEY) as Scheme | null) ?? undefined;
  } catch {
    return undefined;
  }
}

let chosen = kept();

function keep(scheme: Scheme): void {
  try {
    localStorage.setItem(KEY, scheme);
  } catch {
    // it holds for this visit
  }
}

/** The colours in use: those that the user chose, or else those of the system. */
export const scheme = (): Scheme => chosen ?? (preference.matches ? "dark" : "light");

/** Calls `listener` whenever the colours change, until `signal` is aborted: for what style sheets do not reach. */
export function onScheme(listener: (scheme: Scheme) => void, signal: AbortSignal): void {
  listeners.add(listener);
  signal.addEventListener("abort", () => listeners.delete(listener));
}

/** Sets the page's colours, and has `button` change them. */
export function showScheme(button: HTMLButtonElement): void {
  const show = (): void => {
    const [now, other] = scheme() === "dark" ? ["dark", "Light"] : ["light", "Dark"];
    document.documentElement.dataset.scheme = now;
    button.textContent = other;
    button.setAttribute("aria-label", `${other} colours`);
    for (const listener of listeners) listener(scheme());
  };
  button.addEventListener("click", () => {
    chosen = scheme() === "dark" ? "light" : "dark";
    keep(chosen);
    show();
  });
  preference.addEventListener("change", show);
  show();
}
