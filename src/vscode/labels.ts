import { printable } from '../safety/text.ts';

/** For a message: VS Code makes `[text](command:…)` a link there, and the text may be a model's. */
export function inMessage(text: string, max = 120): string {
  return printable(text, max).replaceAll('](', '] (');
}

/** For quick picks and the status bar: VS Code makes `$(name)` an icon there. */
export function inQuickPick(text: string, max = 160): string {
  return printable(text, max).replaceAll('$(', '$ (');
}
