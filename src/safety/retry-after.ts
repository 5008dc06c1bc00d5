/** How long a server asks to be left alone, milliseconds: OpenAI's `retry-after-ms`, else seconds or a date (RFC 9110, 10.2.3). */
export function retryAfter(headers: Readonly<Record<string, string>>): number | null {
  const exact = Number(headers['retry-after-ms'] ?? Number.NaN);
  if (Number.isFinite(exact) && exact >= 0) return exact;
  const value = headers['retry-after'];
  if (value === undefined) return null;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const until = Date.parse(value);
  // From the server's own clock: the one here may be wrong by days.
  const sent = Date.parse(headers['date'] ?? '');
  return Number.isNaN(until) ? null : Math.max(0, until - (Number.isNaN(sent) ? Date.now() : sent));
}
