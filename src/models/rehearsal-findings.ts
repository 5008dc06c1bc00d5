import type { Tokens } from '../run/ports.ts';
import { clausesOf, queryOf, type Subject } from './rehearsal-agenda.ts';
import { byPath, type Query, type WorkspaceIndex } from './rehearsal-index.ts';
import { type Cited, ended, type FileFacts } from './rehearsal-facts.ts';
import { manifestOf } from './rehearsal-manifest.ts';
import { type Frame, RESULT_START } from './rehearsal-question.ts';
import { keyWords, stem, tellingWords } from './rehearsal-words.ts';

/** Tokens of a result; a sentence and some citations. */
const RESULT_TOKENS = 200;
const MAX_CITED = 8;
/** Files whose lines are compared for one result. */
const MAX_FILES = 6;

/** Begins every sentence on what the files do not say, so that a reader can tell it from what they do. */
export const ABSENT = 'No file speaks of ';
/** Begins every result where there is nothing to read. */
export const NO_FILES = 'No file can be read here';

interface Findings {
  readonly lead: string;
  readonly cited: readonly Cited[];
}

/** The result of a task, copied from the files: Markdown, each line with the place that it is from. */
export async function findingsOf(
  index: WorkspaceIndex,
  subject: Subject,
  asked: Frame & { readonly task: string; readonly earlier: string },
  tokens: Tokens,
): Promise<string> {
  const { lead, cited } =
    index.files.size === 0 ? { lead: withoutFiles(subject, asked), cited: [] } : await find(index, subject, asked);
  let result = `${RESULT_START}${lead}`;
  for (const { path, line, text } of cited.slice(0, MAX_CITED)) {
    const longer = `${result}\n- \`${path}:${line}\` ${text}`;
    if (tokens.count(longer) > RESULT_TOKENS) break;
    result = longer;
  }
  return result;
}

async function find(
  index: WorkspaceIndex,
  subject: Subject,
  asked: Frame & { task: string; earlier: string },
): Promise<Findings> {
  switch (subject.kind) {
    case 'file': {
      const file = index.files.get(subject.path);
      return file ? aboutFile(index, file, queryOf(asked)) : aboutTopic(index, keyWords(asked.task), asked);
    }
    case 'folder':
      return aboutFolder(index, subject.path, queryOf(asked));
    case 'topic':
      return aboutTopic(index, subject.words, asked);
    case 'notes':
      return aboutNotes(index);
    case 'tests':
      return aboutTests(index);
    case 'gaps':
      return aboutGaps(index, asked);
    case 'part':
    case 'open':
      return aboutAnything(index, asked);
  }
}

async function aboutFile(index: WorkspaceIndex, file: FileFacts, query: Query): Promise<Findings> {
  const length = `\`${file.path}\` has ${lengthOf(file)}`;
  const manifest = /(?:^|\/)package\.json$/.test(file.path)
    ? manifestOf(file.path, (await index.read(file.path)) ?? '')
    : null;
  if (manifest !== null) return { lead: `${length}. ${manifest.summary}`, cited: manifest.cited };
  const summary = file.summary === null ? '' : ` In short: ${ended(file.summary.text)}`;
  const telling = await index.lines(file.path, query, 4);
  if (file.kind === 'docs') {
    const sections = file.outline
      .slice(0, 8)
      .map(({ text, line }) => `${text} (${line})`)
      .join(', ');
    return { lead: `${length}.${summary}${sections === '' ? '' : ` Sections: ${sections}.`}`, cited: inOrder(telling) };
  }
  const documented = file.outline.filter(({ text }) => text.includes('` – '));
  const outline = [...documented, ...file.outline.filter((entry) => !documented.includes(entry))].slice(0, 6);
  // Not the comment of a declaration that is cited anyway.
  const others = telling.filter(({ line }) => outline.every((entry) => Math.abs(entry.line - line) > 2));
  const entries = counted(file.outline.length, file.kind === 'data' ? 'key' : 'declaration');
  return {
    lead: `${length}${file.outline.length === 0 ? '' : ` and ${entries}`}.${summary}`,
    cited: inOrder([...outline, ...others.slice(0, 2)]),
  };
}

function aboutFolder(index: WorkspaceIndex, path: string, query: Query): Findings {
  const members = index.folders.get(path) ?? [];
  const ranked = [...new Set([...index.search(query, (file) => file.path.startsWith(path)), ...members])];
  const lines = members.reduce((sum, file) => sum + file.lines, 0);
  const below = [...index.folders].filter(
    ([each]) => each.startsWith(path) && each.indexOf('/', path.length) === each.length - 1,
  );
  const folders = below.map(([each, files]) => `${each.slice(path.length)} (${files.length})`).join(', ');
  const lead = `\`${path}\` holds ${counted(members.length, 'file')} (${kindsOf(members)}) with ${counted(lines, 'line')}${folders === '' ? '' : `, partly in ${folders}`}; nearest to the objective first:`;
  return {
    lead,
    cited: ranked.map((file) => file.summary ?? { path: file.path, line: 1, text: lengthOf(file) }),
  };
}

async function aboutTopic(index: WorkspaceIndex, words: readonly string[], asked: Frame): Promise<Findings> {
  const query = new Map([...queryOf(asked)].map(([word]) => [word, 1]));
  for (const word of words) query.set(stem(word), 4);
  const wanted = new Map(words.map((word) => [stem(word), 1]));
  return { lead: occurrences(index, words), cited: await tellingLines(index, wanted, query) };
}

async function aboutAnything(
  index: WorkspaceIndex,
  asked: Frame & { task: string; earlier: string },
): Promise<Findings> {
  const query = queryOf(asked, asked.task);
  const seen = new Set([...asked.earlier.matchAll(/`([^`]+:\d+)`/g)].map(([, place]) => place ?? ''));
  const files = [...index.files.values()];
  const about = tellingWords(asked.task);
  const words = occurrences(index, about.length > 0 ? about : keyWords(asked.objective));
  const survey = `The workspace has ${counted(files.length, 'readable file')} (${kindsOf(files)}). `;
  return {
    lead: asked.earlier === '' ? `${survey}${words}`.trim() : words,
    cited: await tellingLines(index, query, query, seen),
  };
}

function aboutNotes(index: WorkspaceIndex): Findings {
  const files = [...index.files.values()].filter(({ notes }) => notes.length > 0);
  const notes = files.flatMap((file) => file.notes);
  return { lead: `${counted(notes.length, 'open note')} in ${counted(files.length, 'file')}.`, cited: notes };
}

function aboutTests(index: WorkspaceIndex): Findings {
  const files = [...index.files.values()];
  const subject = ({ path }: FileFacts) =>
    (path.split('/').pop() ?? '').replace(/\.[^.]+$/, '').replace(/[._-](?:test|spec)$|^test_/i, '');
  const tested = new Set(files.filter(({ kind }) => kind === 'tests').map(subject));
  const sources = files.filter(({ kind }) => kind === 'code');
  const without = sources
    .filter((file) => !tested.has(subject(file)))
    .sort((one, other) => other.lines - one.lines || byPath(one, other));
  const have = `${sources.length - without.length} of ${counted(sources.length, 'source file')} have a test of the same name`;
  return {
    lead: without.length === 0 ? `${have}.` : `${have}; those that have none, longest first:`,
    cited: without.map((file) => ({ path: file.path, line: 1, text: lengthOf(file) })),
  };
}

async function aboutGaps(index: WorkspaceIndex, asked: Frame): Promise<Findings> {
  const words = [...new Set([asked.objective, ...asked.criteria].flatMap(keyWords))];
  const found = words.filter((word) => index.filesWith(word) > 0);
  const thin = found.filter((word) => index.filesWith(word) === 1);
  const places = await Promise.all(
    thin.slice(0, 4).map((word) => tellingLines(index, new Map([[stem(word), 1]]), new Map([[stem(word), 1]]))),
  );
  const once =
    thin.length === 0
      ? `Every ${found.length < words.length ? 'other ' : ''}key word of the objective is in more than one file.`
      : `Only one file each speaks of ${quoted(thin)}:`;
  const cited = new Map(
    places.flatMap((lines) => lines.slice(0, 1)).map((place) => [`${place.path}:${place.line}`, place]),
  );
  return { lead: `${absent(index, words)}${once}`, cited: [...cited.values()] };
}

function withoutFiles(subject: Subject, { objective, criteria, task }: Frame & { task: string }): string {
  const parts = clausesOf(objective);
  if (subject.kind === 'topic') {
    return `${NO_FILES}, so nothing shows whether this is met: “${task.replace(/^[^:]*: /, '')}”.`;
  }
  if (subject.kind === 'part' && subject.part > 0) {
    return `${NO_FILES}. Part ${subject.part} of ${parts.length}: “${parts[subject.part - 1]}”. A language model would work it out from what it knows.`;
  }
  if (subject.kind === 'part') {
    const criteriaToo = criteria.length === 0 ? ', and acceptance criteria that say when the objective is met' : '';
    return `${NO_FILES}. Given: the objective, which turns on ${quoted(keyWords(objective).slice(0, 8))}. Missing: files to read${criteriaToo}.`;
  }
  const listed =
    parts.length > 1
      ? `has ${parts.length} parts: ${parts.map((part, at) => `(${at + 1}) ${part}`).join('; ')}`
      : `is one piece: ${parts[0] ?? objective}`;
  return `${NO_FILES}. The objective ${listed}.`;
}

/** The most telling lines of the files that a query finds: at most two of each, the best first. */
async function tellingLines(
  index: WorkspaceIndex,
  wanted: Query,
  query: Query,
  seen?: ReadonlySet<string>,
): Promise<Cited[]> {
  const lines: (Cited & { score: number })[] = [];
  for (const file of index.search(wanted).slice(0, MAX_FILES)) {
    const found = await index.lines(file.path, query, 2, seen);
    lines.push(...found);
  }
  return lines.sort((one, other) => other.score - one.score || byPath(one, other) || one.line - other.line);
}

/** “retry” is in 7 of 43 files, “jitter” in 2. No file speaks of “quota”. */
function occurrences(index: WorkspaceIndex, words: readonly string[]): string {
  const found = words.filter((word) => index.filesWith(word) > 0).slice(0, 6);
  const total = counted(index.files.size, 'file');
  const counts = found.map(
    (word, at) =>
      `“${word}” ${at === 0 ? `is in ${index.filesWith(word)} of ${total}` : `in ${index.filesWith(word)}`}`,
  );
  return `${counts.length === 0 ? '' : `${counts.join(', ')}. `}${absent(index, words)}`.trim();
}

function absent(index: WorkspaceIndex, words: readonly string[]): string {
  const missing = [...new Set(words)].filter((word) => index.filesWith(word) === 0).slice(0, 8);
  return missing.length === 0 ? '' : `${ABSENT}${quoted(missing)}. `;
}

function kindsOf(files: readonly FileFacts[]): string {
  const names = { docs: 'text', code: 'code', tests: 'test', data: 'data' } as const;
  const kinds = Object.entries(names).map(([kind, name]) => ({
    name,
    count: files.filter((file) => file.kind === kind).length,
  }));
  return kinds
    .filter(({ count }) => count > 0)
    .map(({ name, count }) => `${count} ${name}`)
    .join(', ');
}

function inOrder(cited: readonly Cited[]): Cited[] {
  return [...cited].sort((one, other) => one.line - other.line);
}

function quoted(words: readonly string[]): string {
  return words.map((word) => `“${word}”`).join(', ');
}

function lengthOf({ lines, read }: FileFacts): string {
  return read === 'nothing' ? 'not been read' : `${read === 'beginning' ? 'more than ' : ''}${counted(lines, 'line')}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
