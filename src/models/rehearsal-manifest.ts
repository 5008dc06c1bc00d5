import { type Cited, ended, linesOf } from './rehearsal-facts.ts';

const FIELDS = ['main', 'type', 'engines', 'scripts', 'dependencies', 'devDependencies', 'workspaces'];
/** Names shown of a field that has many. */
const SHOWN = 10;

/** The facts of a package.json; null where it is none, or longer than what is read of a file. */
export function manifestOf(path: string, text: string): { summary: string; cited: Cited[] } | null {
  const fields = fieldsOf(text);
  if (fields === null) return null;
  const lines = linesOf(text);
  // Fields of the package itself stand as far in as the first.
  const indent = /^[\t ]+(?=")/m.exec(text)?.[0] ?? '';
  const cited = FIELDS.flatMap((key): Cited[] => {
    const line = lines.findIndex((each) => each.startsWith(`${indent}"${key}"`)) + 1;
    if (line === 0) return [];
    const names = namesIn(fields.get(key));
    const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '';
    return [{ path, line, text: `${key}: ${names.slice(0, SHOWN).join(', ')}${more}` }];
  });
  const word = (key: string, otherwise: string) => namesIn(fields.get(key))[0] ?? otherwise;
  const name = `${word('name', 'a package')} ${word('version', '')}`.trim();
  return { summary: `It describes ${name}: ${ended(word('description', 'no description'))}`, cited };
}

function fieldsOf(text: string): Map<string, unknown> | null {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === 'object' && json !== null ? new Map(Object.entries(json)) : null;
  } catch {
    return null;
  }
}

/** The keys of an object, the texts of a list, or the text itself. */
function namesIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.filter((entry) => typeof entry === 'string');
  return typeof value === 'object' && value !== null ? Object.keys(value) : [];
}
