import { printable } from '../safety/text.ts';

/** For a message: VS Code makes `[text](command:…)` a link there, and the text may be a model's. */
export function inMessage(text: string, max = 120): string {
  return printable(text, max).replaceAll('](', '] (');
}

/** For quick picks and the status bar: VS Code makes `$(name)` an icon there. */
export function inQuickPick(text: string, max = 160): string {
  return printable(text, max).replaceAll('$(', '$ (');
}

/** `45 s`, `12 min`, `3 h 05 min`. */
export function duration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}
