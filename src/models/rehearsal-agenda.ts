import type { FileFacts } from './rehearsal-facts.ts';
import { byPath, type Query, type WorkspaceIndex } from './rehearsal-index.ts';
import type { Frame } from './rehearsal-question.ts';
import { keyWords, stem, tellingWords } from './rehearsal-words.ts';

/** What a task is about, as far as the files can tell. */
export type Subject =
  | { readonly kind: 'file' | 'folder'; readonly path: string }
  | { readonly kind: 'topic'; readonly words: readonly string[] }
  /** A part of the objective, from 1; 0 is the whole of it. Only where there are no files. */
  | { readonly kind: 'part'; readonly part: number }
  | { readonly kind: 'notes' | 'tests' | 'gaps' | 'open' };

export interface AgendaItem {
  readonly text: string;
  readonly subject: Subject;
}

/** Longer task texts are shown shortened in requests, and could not be recognised there for certain. */
const MAX_TASK = 100;
const MAX_TOPICS = 4;
const MAX_FOLDERS = 4;
const MAX_FILES = 4;
const MAX_CRITERIA = 5;
const MAX_PARTS = 6;
/** A word that is in more of the files than this, in per cent, tells none from another. */
const COMMON_PERCENT = 80;
/** The best files of a search, by which folders are ranked. */
const RANKED = 20;

const MANIFEST = /^(?:package\.json|pyproject\.toml|Cargo\.toml|go\.mod|composer\.json|pom\.xml|Gemfile|setup\.cfg)$/;
const README = /^readme(?:\.\w+)?$/i;

/**
 * All tasks that an objective gives over a workspace, in their order. It depends on nothing else: where a run is on it
 * is read from the tasks that a request lists, so that a run can go on in another process.
 */
export function agendaOf(index: WorkspaceIndex, frame: Frame): AgendaItem[] {
  const items = index.files.size === 0 ? partsOf(frame) : surveyOf(index, frame);
  const known = new Set<string>();
  return items.filter(({ text }) => text.length <= MAX_TASK && !known.has(squashed(text)) && known.add(squashed(text)));
}

/** The place of a task on the agenda, or -1. Also of one that lost its punctuation, as the baseline's tasks do. */
export function placeOf(agenda: readonly AgendaItem[], task: string): number {
  const wanted = squashed(task);
  return agenda.findIndex(({ text }) => squashed(text) === wanted);
}

export function isSameTask(one: string, other: string): boolean {
  return squashed(one) === squashed(other);
}

/** What a task is about: by the agenda, or by the paths and the words in it that mean something in this workspace. */
export function subjectOf(index: WorkspaceIndex, agenda: readonly AgendaItem[], task: string): Subject {
  const item = agenda[placeOf(agenda, task)];
  if (item !== undefined) return item.subject;
  const mentioned = task.split(/[\s`"'“”‘’,;()]+/).map((word) => word.replace(/^\.\/|[.:?!]+$/g, ''));
  const file = mentioned.find((word) => index.files.has(word));
  if (file !== undefined) return { kind: 'file', path: file };
  const folder = mentioned.map((word) => word.replace(/\/?$/, '/')).find((word) => index.folders.has(word));
  if (folder !== undefined) return { kind: 'folder', path: folder };
  return /\b(?:TODO|FIXME)\b/.test(task) ? { kind: 'notes' } : { kind: 'open' };
}

/** The words of the objective and what goes with it; those of the task, if there is one, count more. */
export function queryOf(frame: Frame, task = ''): Query {
  const query = new Map<string, number>();
  const add = (words: readonly string[], importance: number) => {
    for (const word of words) query.set(stem(word), Math.max(importance, query.get(stem(word)) ?? 0));
  };
  add(tellingWords(task), 3);
  add(frame.guidance.flatMap(keyWords), 2);
  add(frame.criteria.flatMap(keyWords), 1);
  add(keyWords(frame.objective), 2);
  return query;
}

function surveyOf(index: WorkspaceIndex, frame: Frame): AgendaItem[] {
  const ranked = index.search(queryOf(frame));
  const files = [...index.files.values()];
  const rootFile = (pattern: RegExp) => files.find(({ path }) => pattern.test(path));
  const first = [rootFile(README), rootFile(MANIFEST)].filter((file) => file !== undefined);
  const rest = [...new Set([...ranked, ...bySubstance(files)])].filter(
    (file) => file.kind !== 'tests' && !first.includes(file),
  );
  const topics = topicsOf(index, frame.objective);
  return [
    ...first.map(fileItem),
    ...interleaved(
      topics.slice(0, MAX_TOPICS).map(topicItem),
      foldersOf(index, ranked).map(folderItem),
      rest.slice(0, MAX_FILES).map(fileItem),
    ),
    ...frame.criteria.slice(0, MAX_CRITERIA).map(criterionItem),
    ...(files.filter(({ kind }) => kind === 'code').length > 1
      ? [{ text: 'Find the source files that have no test', subject: { kind: 'tests' } } as const]
      : []),
    ...(files.some(({ notes }) => notes.length > 0)
      ? [{ text: 'List the open TODO and FIXME notes', subject: { kind: 'notes' } } as const]
      : []),
    { text: 'Name what the files leave open for the objective', subject: { kind: 'gaps' } },
    // Last, so that guidance that comes in the middle of a run leaves the places of the rest as they were.
    ...frame.guidance.flatMap((text) => topicsOf(index, text).slice(0, 2)).map(topicItem),
  ];
}

/** Without files: the objective's own parts. */
function partsOf({ objective, criteria }: Frame): AgendaItem[] {
  const clauses = clausesOf(objective);
  const parts = clauses.length > 1 ? clauses.slice(0, MAX_PARTS) : [];
  return [
    { text: 'Say what is given and what is missing to begin', subject: { kind: 'part', part: 0 } },
    ...parts.map(
      (clause, at): AgendaItem => ({ text: `Work out: ${clause}`, subject: { kind: 'part', part: at + 1 } }),
    ),
    ...criteria.slice(0, MAX_CRITERIA).map(criterionItem),
  ];
}

/** The parts of a sentence that ask for something of their own. */
export function clausesOf(objective: string): string[] {
  const split = (text: string, at: RegExp) =>
    text
      .split(at)
      .map((part) => part.replace(/^[\s\d.):*-]+|[\s.,;:]+$/g, ''))
      .filter((part) => part !== '');
  const sentences = split(objective, /\n|[;.!?](?=\s|$)|[。;!?、]|,?\s+(?:and )?then\s+/i);
  const clauses = sentences.length > 1 ? sentences : split(objective, /,\s*(?:and\s+)?|\s+and\s+/i);
  return clauses.map((clause) =>
    clause.length <= MAX_TASK - 20 ? clause : `${clause.slice(0, MAX_TASK - 21).replace(/\s+\S*$/, '')}…`,
  );
}

function topicsOf(index: WorkspaceIndex, text: string): string[] {
  const few = index.files.size < 5;
  return keyWords(text)
    .filter((word) => word.length <= 40 && index.filesWith(word) > 0)
    .filter((word) => few || index.filesWith(word) * 100 <= index.files.size * COMMON_PERCENT)
    .map((word, place) => ({ word, place, weight: index.weight(stem(word)) }))
    .sort((one, other) => other.weight - one.weight || one.place - other.place)
    .map(({ word }) => word);
}

/** Folders with two files or more of their own: where the best files of the search are, then the fullest. */
function foldersOf(index: WorkspaceIndex, ranked: readonly FileFacts[]): string[] {
  const scores = new Map<string, number>();
  ranked.slice(0, RANKED).forEach(({ path }, rank) => {
    const folder = path.slice(0, path.lastIndexOf('/') + 1);
    scores.set(folder, (scores.get(folder) ?? 0) + RANKED - rank);
  });
  return [...index.folders]
    .filter(([path, members]) => members.filter((file) => !file.path.includes('/', path.length)).length > 1)
    .map(([path, members]) => ({ path, score: scores.get(path) ?? 0, size: members.length }))
    .sort((one, other) => other.score - one.score || other.size - one.size || byPath(one, other))
    .slice(0, MAX_FOLDERS)
    .map(({ path }) => path);
}

/** Documents before code before data, those with most to say first. */
function bySubstance(files: readonly FileFacts[]): FileFacts[] {
  const kinds = ['docs', 'code', 'data'];
  return [...files].sort(
    (one, other) =>
      kinds.indexOf(one.kind) - kinds.indexOf(other.kind) ||
      other.outline.length - one.outline.length ||
      byPath(one, other),
  );
}

function fileItem({ path }: { path: string }): AgendaItem {
  return { text: `Extract the key points of \`${path}\``, subject: { kind: 'file', path } };
}

function folderItem(path: string): AgendaItem {
  return { text: `Describe what the folder \`${path}\` holds`, subject: { kind: 'folder', path } };
}

function topicItem(word: string): AgendaItem {
  return { text: `Find where the files speak of “${word}”`, subject: { kind: 'topic', words: [word] } };
}

function criterionItem(criterion: string): AgendaItem {
  const start = 'Check the files against: ';
  const room = MAX_TASK - start.length;
  const words = criterion.length <= room ? criterion : `${criterion.slice(0, room - 1)}…`;
  return { text: start + words, subject: { kind: 'topic', words: keyWords(criterion) } };
}

/** One of each in turn. */
function interleaved(...lists: readonly (readonly AgendaItem[])[]): AgendaItem[] {
  const longest = Math.max(...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, at) => lists.flatMap((list) => list[at] ?? [])).flat();
}

/** Letters and digits only: what is left of a task text in every strategy. */
function squashed(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '');
}
