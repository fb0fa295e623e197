/** The node's figures: `/metrics` read as Prometheus would, and what two readings say of the time between. */

/** Every sample by its name with labels, as the text format has them. */
export function parse(text) {
  const samples = new Map();
  for (const line of text.split("\n")) {
    if (!line || line.startsWith("#")) continue;
    const space = line.lastIndexOf(" ");
    samples.set(line.slice(0, space), Number(line.slice(space + 1)));
  }
  return samples;
}

/** One reading: samples, and when (ms). */
export class Reading {
  constructor(text, at) {
    this.samples = parse(text);
    this.at = at;
  }

  value(name) {
    return this.samples.get(name) ?? 0;
  }

  /** By how much a counter has grown each second since `before`; null after a restart. */
  rate(name, before) {
    const grown = this.value(name) - before.value(name);
    return grown < 0 ? null : grown / ((this.at - before.at) / 1000);
  }

  /** The upper bound under which `share` of what was observed since `before` lies; null of nothing. */
  quantile(name, share, before) {
    const buckets = [];
    for (const [sample, count] of this.samples) {
      const bound = sample.startsWith(`${name}_bucket{`) && /le="([^"]+)"/.exec(sample)?.[1];
      if (bound) buckets.push([bound === "+Inf" ? Infinity : Number(bound), count - before.value(sample)]);
    }
    buckets.sort((one, other) => one[0] - other[0]);
    const wanted = (buckets.at(-1)?.[1] ?? 0) * share;
    if (!(wanted > 0)) return null;
    let [low, below] = [0, 0];
    for (const [bound, count] of buckets) {
      // Inside a bucket as Prometheus' histogram_quantile has it: evenly spread.
      if (count >= wanted) return bound === Infinity ? low : low + ((bound - low) * (wanted - below)) / (count - below);
      [low, below] = [bound, count];
    }
    return low;
  }
}

/** With fewer connections the memory of a node is its own, and no share of it says anything. */
const SHARED = 100;
const sends = 'hivewire_commands_total{op="send",result="ok"}';

/** What is drawn: `read` gives a number of a reading and the one before, or null. */
export const FIGURES = [
  { name: "Connections", unit: "", read: (now) => now.value("hivewire_connections") },
  { name: "Messages", unit: "/s", read: (now, before) => now.rate(sends, before) },
  { name: "Events delivered", unit: "/s", read: (now, before) => now.rate("hivewire_events_total", before) },
  { name: "Delivery, p99", unit: "ms", read: (now, before) => times(1000, now.quantile("hivewire_answer_seconds", 0.99, before)) },
  { name: "Syncs to disk", unit: "/s", read: (now, before) => now.rate("hivewire_commits_total", before) },
  { name: "Sync time, p99", unit: "ms", read: (now, before) => times(1000, now.quantile("hivewire_commit_seconds", 0.99, before)) },
  { name: "Memory", unit: "B", read: (now) => now.value("process_resident_memory_bytes") },
  { name: "Memory a connection", unit: "B", none: `from ${SHARED} connections on`, read: perConnection },
  { name: "Slow readers closed", unit: "/s", read: (now, before) => now.rate("hivewire_slow_readers_total", before) },
  { name: "Held for slow readers", unit: "B", read: (now) => now.value("hivewire_outbox_bytes") },
  { name: "Timer wheel lag", unit: "ms", read: (now) => now.value("hivewire_wheel_lag_seconds") * 1000 },
  { name: "Processor", unit: "%", read: (now, before) => times(100, now.rate("process_cpu_seconds_total", before)) },
];

function times(factor, value) {
  return value === null ? null : value * factor;
}

function perConnection(now) {
  const connections = now.value("hivewire_connections");
  return connections >= SHARED ? now.value("process_resident_memory_bytes") / connections : null;
}
