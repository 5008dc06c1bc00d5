import { l10n } from '../vscode/panel-l10n.ts';

/** Numbers for people. Amounts of the run come formatted from the host; these are for charts and times. */

export function formatCount(count: number): string {
  return number(0).format(count);
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
  if (ms < 9950) return `${number(1).format(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return pair(seconds, 60, 'm', 's');
  const minutes = Math.round(seconds / 60);
  if (minutes < 48 * 60) return pair(minutes, 60, 'h', 'm');
  return pair(Math.round(minutes / 60), 24, 'd', 'h');
}

/** As `formatDuration`, for a time that goes on: whole seconds, so that it does not flicker. */
export function formatElapsed(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1000);
  return seconds < 10 ? `${seconds} s` : formatDuration(seconds * 1000);
}

function pair(amount: number, size: number, large: string, small: string): string {
  const rest = amount % size;
  const whole = `${Math.floor(amount / size)} ${large}`;
  return rest === 0 ? whole : `${whole} ${String(rest).padStart(small === 'h' ? 1 : 2, '0')} ${small}`;
}

/** The local time of a UTC time stamp, with the date where that is not today's; the text itself where it is none. */
export function formatTime(at: string, now = new Date()): string {
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return at;
  return (time.toDateString() === now.toDateString() ? timeFormat() : dayFormat()).format(time);
}

// Made on first use: the language is known only then, and making one takes long.
const numbers = new Map<number, Intl.NumberFormat>();
let times: Intl.DateTimeFormat | undefined;
let days: Intl.DateTimeFormat | undefined;

function number(places: number): Intl.NumberFormat {
  const known = numbers.get(places);
  if (known) return known;
  const digits = { minimumFractionDigits: places, maximumFractionDigits: places };
  const format = new Intl.NumberFormat(l10n.language, digits);
  numbers.set(places, format);
  return format;
}

function timeFormat(): Intl.DateTimeFormat {
  times ??= new Intl.DateTimeFormat(l10n.language, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
  return times;
}

function dayFormat(): Intl.DateTimeFormat {
  days ??= new Intl.DateTimeFormat(l10n.language, { dateStyle: 'medium', timeStyle: 'medium' });
  return days;
}
