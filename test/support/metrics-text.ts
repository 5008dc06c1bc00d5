import assert from 'node:assert/strict';

interface ParsedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface ParsedFamily {
  readonly type: string;
  readonly help: string;
  readonly samples: ParsedSample[];
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;

/** Reads the text format of Prometheus as strictly as its specification is; fails where the text is no such one. */
export function parsedMetrics(text: string): {
  families: ReadonlyMap<string, ParsedFamily>;
  value: (name: string, labels: Readonly<Record<string, string>>) => number | undefined;
} {
  assert.ok(text === '' || text.endsWith('\n'), 'the last line ends');
  const families = new Map<string, ParsedFamily>();
  const lines = text.split('\n').slice(0, -1);
  let help: string | undefined;
  let current: [string, ParsedFamily] | undefined;
  const seen = new Set<string>();
  for (const line of lines) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === 'HELP') {
      assert.ok(!families.has(name), `${name} comes once`);
      help = rest;
    } else if (kind === 'TYPE') {
      assert.ok(help, `${name} has a help text`);
      assert.match(rest, /^(counter|gauge|histogram)$/);
      current = [name, { type: rest, help, samples: [] }];
      families.set(...current);
    } else {
      const [, sample = '', pairs = '', figure] = SAMPLE.exec(line) ?? assert.fail(`no sample: ${line}`);
      assert.ok(current, 'a sample follows its type');
      const [family, { type, samples }] = current;
      const base = type === 'histogram' ? sample.replace(/_(bucket|sum|count)$/, '') : sample;
      assert.equal(base, family, 'a sample lies with its family');
      assert.ok(type !== 'counter' || family.endsWith('_total'), `${family} is a counter by name`);
      assert.ok(!seen.has(`${sample}{${pairs}}`), `${line} comes once`);
      seen.add(`${sample}{${pairs}}`);
      const value = Number(figure);
      assert.ok(!Number.isNaN(value), line);
      samples.push({ name: sample, labels: labelsOf(pairs), value });
    }
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family.samples);
  const all = [...families.values()].flatMap(({ samples }) => samples);
  const key = (labels: Readonly<Record<string, string>>) =>
    JSON.stringify(Object.entries(labels).sort(([a], [b]) => a.localeCompare(b)));
  return {
    families,
    value: (name, labels) => all.find((sample) => sample.name === name && key(sample.labels) === key(labels))?.value,
  };
}

function labelsOf(pairs: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  for (let at = 0; at < pairs.length; at = LABEL.lastIndex) {
    const [, name = '', text = ''] = LABEL.exec(pairs) ?? assert.fail(`no labels: ${pairs}`);
    assert.ok(!(name in labels), `${name} comes once`);
    labels[name] = text.replaceAll(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character));
  }
  return labels;
}

function checkHistogram(name: string, samples: readonly ParsedSample[]): void {
  const groups = new Map<string, ParsedSample[]>();
  for (const sample of samples) {
    const { le: _, ...labels } = sample.labels;
    const key = JSON.stringify(labels);
    groups.set(key, [...(groups.get(key) ?? []), sample]);
  }
  for (const group of groups.values()) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`);
    assert.equal(buckets.at(-1)?.labels['le'], '+Inf');
    const bounds = buckets.slice(0, -1).map(({ labels }) => Number(labels['le']));
    assert.deepEqual(
      bounds,
      [...bounds].sort((a, b) => a - b),
    );
    const counts = buckets.map(({ value }) => value);
    assert.deepEqual(
      counts,
      [...counts].sort((a, b) => a - b),
      'buckets hold the smaller ones, too',
    );
    assert.equal(group.find((sample) => sample.name === `${name}_count`)?.value, counts.at(-1));
    assert.ok(group.some((sample) => sample.name === `${name}_sum`));
  }
}
