/**
 * A time of `ms` milliseconds in at most two units: `45 s`, `3 min 05 s`, `2 h 10 min`. `fine` tells short ones apart:
 * `120 ms`, `4.5 s`; `coarse` leaves out the seconds beside minutes.
 */
export function duration(ms: number, detail: 'fine' | 'usual' | 'coarse' = 'usual'): string {
  if (detail === 'fine' && ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return detail === 'fine' ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 1000)} s`;
  const minutes = Math.floor(ms / 60_000);
  const pad = (value: number) => String(value).padStart(2, '0');
  if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
  return detail === 'coarse' ? `${minutes} min` : `${minutes} min ${pad(Math.floor((ms % 60_000) / 1000))} s`;
}
