/** What the redactor puts in the place of a secret; the group is the rule that found it. */
const MARK = /\[REDACTED:([a-z0-9_]{1,40}):[0-9a-f]{8}:\d{1,9}\]/g;

export interface RedactionMarks {
  readonly total: number;
  readonly by_rule: Record<string, number>;
}

/**
 * Counts the marks in all texts of plain data, maps included. Counting what is on record, and not what a process
 * replaced, gives the same figure after a resume and to whoever reads the log later.
 */
export function redactionMarks(data: unknown): RedactionMarks {
  const counts = new Map<string, number>();
  const visit = (value: unknown): void => {
    if (typeof value === 'string') {
      if (!value.includes('[REDACTED:')) return;
      for (const [, rule = ''] of value.matchAll(MARK)) counts.set(rule, (counts.get(rule) ?? 0) + 1);
    } else if (value instanceof Map || value instanceof Set || Array.isArray(value)) {
      for (const item of value.values()) visit(item);
    } else if (typeof value === 'object' && value !== null) {
      for (const item of Object.values(value)) visit(item);
    }
  };
  visit(data);
  const sorted = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  return { total: sorted.reduce((total, [, count]) => total + count, 0), by_rule: Object.fromEntries(sorted) };
}
