/** Numbers of a server in the text format of Prometheus, version 0.0.4. */
export interface Metrics {
  /** Adds to a counter. */
  count(name: string, labels: Labels, by?: number): void;
  /** Adds seconds to a histogram, `times` times. */
  observe(name: string, labels: Labels, seconds: number, times?: number): void;
  /** The mean of all that a histogram was given, whatever the labels; undefined of nothing. */
  mean(name: string): number | undefined;
  /** All of them as text, with what is read at this moment. */
  text(now: readonly Reading[]): string;
}

/** Names and values that tell numbers of a kind apart. */
export type Labels = Readonly<Record<string, string>>;

/** A number that is read when it is asked for. */
export interface Reading {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

/** What is counted: its kind, and what it is. */
export type MetricTable = Readonly<Record<string, readonly [kind: "counter" | "gauge" | "histogram", help: string]>>;

const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100];

interface Histogram {
  readonly counts: number[];
  sum: number;
  count: number;
}

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

const series = (labels: Labels, more: Labels = {}): string => {
  const pairs = Object.entries({ ...labels, ...more }).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length ? `{${pairs.join(",")}}` : "";
};

/** Makes the numbers of this table, whose names begin with `prefix`. */
export function createMetrics(prefix: string, table: MetricTable): Metrics {
  const counters = new Map<string, Reading>();
  const histograms = new Map<string, { readonly name: string; readonly labels: Labels; readonly own: Histogram }>();

  const linesOf = (name: string, now: readonly Reading[]): string[] => {
    const values = [...counters.values(), ...now].filter((one) => one.name === name);
    return [
      ...values.map(({ labels, value }) => `${prefix}${name}${series(labels)} ${value}`),
      ...[...histograms.values()].filter((one) => one.name === name).flatMap((one) => bucketLines(prefix + name, one)),
    ];
  };

  return {
    count(name, labels, by = 1) {
      const key = name + series(labels);
      counters.set(key, { name, labels, value: (counters.get(key)?.value ?? 0) + by });
    },
    observe(name, labels, seconds, times = 1) {
      const key = name + series(labels);
      const { own } = histograms.get(key) ?? { own: { counts: [...BOUNDS.map(() => 0), 0], sum: 0, count: 0 } };
      const bucket = BOUNDS.findIndex((bound) => seconds <= bound);
      own.counts[bucket < 0 ? BOUNDS.length : bucket] += times;
      own.sum += seconds * times;
      own.count += times;
      histograms.set(key, { name, labels, own });
    },
    mean(name) {
      const all = [...histograms.values()].filter((one) => one.name === name);
      const count = all.reduce((total, { own }) => total + own.count, 0);
      return count ? all.reduce((total, { own }) => total + own.sum, 0) / count : undefined;
    },
    text(now) {
      const lines = Object.entries(table).flatMap(([name, [kind, help]]) => {
        const own = linesOf(name, now);
        return own.length ? [`# HELP ${prefix}${name} ${help}`, `# TYPE ${prefix}${name} ${kind}`, ...own] : [];
      });
      return `${lines.join("\n")}\n`;
    },
  };
}

/** A histogram, whose buckets hold all that is not above their bounds. */
function bucketLines(name: string, { labels, own }: { readonly labels: Labels; readonly own: Histogram }): string[] {
  let total = 0;
  const buckets = own.counts.map((count, b) => {
    total += count;
    return `${name}_bucket${series(labels, { le: b < BOUNDS.length ? String(BOUNDS[b]) : "+Inf" })} ${total}`;
  });
  return [...buckets, `${name}_sum${series(labels)} ${own.sum}`, `${name}_count${series(labels)} ${own.count}`];
}
