/** Numbers for people. Amounts of the run come formatted from the host; these are for charts and times. */

const COUNT = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });

export function formatCount(count: number): string {
  return COUNT.format(count);
}

/** US dollars: two decimals, or two digits that are not zero. */
export function formatDollars(usd: number): string {
  if (usd === 0) return '$0';
  if (usd >= 1) return `$${usd.toFixed(2)}`;
  const places = Math.min(12, Math.max(2, 1 - Math.floor(Math.log10(usd))));
  return `$${usd.toFixed(places)}`;
}

/** Milliseconds, as coarse as they are long: `850 ms`, `2.4 s`, `48 s`, `3 m 12 s`, `2 h 05 m`, `3 d 4 h`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return pair(seconds, 60, 'm', 's');
  const minutes = Math.round(seconds / 60);
  if (minutes < 48 * 60) return pair(minutes, 60, 'h', 'm');
  return pair(Math.round(minutes / 60), 24, 'd', 'h');
}

/** As `formatDuration`, for a time that goes on: whole seconds, so that it does not flicker. */
export function formatElapsed(ms: number): string {
  return formatDuration(Math.floor(Math.max(0, ms) / 1000) * 1000)
    .replace('.0 s', ' s')
    .replace('0 ms', '0 s');
}

function pair(amount: number, size: number, large: string, small: string): string {
  const rest = amount % size;
  const whole = `${Math.floor(amount / size)} ${large}`;
  return rest === 0 ? whole : `${whole} ${String(rest).padStart(small === 'h' ? 1 : 2, '0')} ${small}`;
}

const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const DAY_AND_TIME = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

/** The local time of a UTC time stamp, with the date where that is not today's; the text itself where it is none. */
export function formatTime(at: string, now = new Date()): string {
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return at;
  return time.toDateString() === now.toDateString() ? TIME.format(time) : DAY_AND_TIME.format(time);
}

/** `execution` → `Execution`. */
export function sentence(word: string): string {
  return `${word.charAt(0).toUpperCase()}${word.slice(1)}`;
}
