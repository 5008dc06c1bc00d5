/** How what a file says differs from what was expected of it. Places are as in `tasks[3].text`. */
export interface Difference {
  /** The first place that says something else; null: the two agree wherever both say something. */
  readonly at: string | null;
  /** What only one of them says, by place without its indexes: `tasks[].text`. */
  readonly onlyInFile: readonly string[];
  readonly onlyExpected: readonly string[];
}

/**
 * Compares what two versions of this program write of the same run: fields come and go, and sentences change, but a fact
 * stays what it was. `prose`: places without indexes that hold sentences for people.
 */
export function factsThatDiffer(file: unknown, expected: unknown, prose: ReadonlySet<string>): Difference {
  const onlyInFile = new Set<string>();
  const onlyExpected = new Set<string>();
  const compare = (actual: unknown, wanted: unknown, at: string): string | null => {
    const place = at.replaceAll(/\[\d+\]/g, '[]');
    if (prose.has(place)) return null;
    if (Array.isArray(actual) && Array.isArray(wanted)) {
      if (actual.length !== wanted.length) return at;
      for (const [index, item] of actual.entries()) {
        const found = compare(item, wanted[index], `${at}[${index}]`);
        if (found !== null) return found;
      }
      return null;
    }
    if (!isRecord(actual) || !isRecord(wanted)) return actual === wanted ? null : at;
    for (const key of Object.keys(wanted)) if (!Object.hasOwn(actual, key)) onlyExpected.add(below(place, key));
    for (const [key, value] of Object.entries(actual)) {
      if (!Object.hasOwn(wanted, key)) onlyInFile.add(below(place, key));
      else {
        const found = compare(value, wanted[key], below(at, key));
        if (found !== null) return found;
      }
    }
    return null;
  };
  return { at: compare(file, expected, ''), onlyInFile: [...onlyInFile], onlyExpected: [...onlyExpected] };
}

function below(place: string, key: string): string {
  return place === '' ? key : `${place}.${key}`;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
