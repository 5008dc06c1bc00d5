import { setImmediate } from 'node:timers/promises';
import type { WorkspaceReader } from '../tools/workspace.ts';
import { type Cited, citedText, type FileFacts, type FileKind, factsOf, kindOf, linesOf } from './rehearsal-facts.ts';
import { stem, stems } from './rehearsal-words.ts';

/** Stems, and how much each counts. */
export type Query = ReadonlyMap<string, number>;

/** Locks, licences and generated code: long, and about nothing. */
const NOISE = /(?:^|\/)(?:licen[cs]e|copying|notice)(?:\.[a-z]+)?$|[-.]lock(?:\.\w+)?$|\.min\.\w+$|\.map$|\.svg$/i;

/** Characters read in all: further files are known by their path alone. */
const MAX_CHARACTERS = 8 * 1024 * 1024;
/** Bytes that a file may have before its text. */
const BYTE_ORDER_MARK = 3;
/** A word in the path says more than one in the text. */
const PATH_WEIGHT = 4;
/** A word that is repeated in a file says no more from 2^this times on. */
const REPEATED = 4;

/**
 * A workspace read once: the facts of each file, and which words occur where. All scores are integers, and ties go by
 * path, so that the same workspace gives the same answers everywhere.
 */
export class WorkspaceIndex {
  /** By path. */
  readonly files: ReadonlyMap<string, FileFacts>;
  /** Each folder, with `/` at its end, and the files in it and below. The root is not among them. */
  readonly folders: ReadonlyMap<string, readonly FileFacts[]>;
  private readonly order: readonly FileFacts[];
  /** For each stem: place of a file in `order`, how often it occurs there, the next place, … */
  private readonly postings: ReadonlyMap<string, readonly number[]>;
  private readonly reader: WorkspaceReader;

  private constructor(
    reader: WorkspaceReader,
    order: readonly FileFacts[],
    postings: ReadonlyMap<string, readonly number[]>,
  ) {
    this.reader = reader;
    this.order = order;
    this.postings = postings;
    this.files = new Map(order.map((file) => [file.path, file]));
    const folders = new Map<string, FileFacts[]>();
    for (const file of order) {
      for (let slash = file.path.indexOf('/'); slash > 0; slash = file.path.indexOf('/', slash + 1)) {
        const folder = file.path.slice(0, slash + 1);
        const members = folders.get(folder);
        if (members) members.push(file);
        else folders.set(folder, [file]);
      }
    }
    this.folders = folders;
  }

  /** Reads the workspace, one file at a time. */
  static async build(reader: WorkspaceReader): Promise<WorkspaceIndex> {
    const order: FileFacts[] = [];
    const postings = new Map<string, number[]>();
    let left = MAX_CHARACTERS;
    for (const { path, size } of await reader.list()) {
      if (NOISE.test(path)) continue;
      const text = left > 0 ? await reader.read(path) : null;
      if (text === null && left > 0) continue;
      left -= text?.length ?? 0;
      const counts = new Map<string, number>();
      for (const [part, weight] of [
        [text ?? '', 1],
        [path, PATH_WEIGHT],
      ] as const) {
        for (const word of stems(part)) counts.set(word, (counts.get(word) ?? 0) + weight);
      }
      for (const [word, count] of counts) {
        const places = postings.get(word);
        if (places) places.push(order.length, count);
        else postings.set(word, [order.length, count]);
      }
      order.push(factsOf(path, text, Buffer.byteLength(text ?? '') >= size - BYTE_ORDER_MARK));
      // One file is some milliseconds of work; between two of them others get their turn.
      await setImmediate();
    }
    return new WorkspaceIndex(reader, order, postings);
  }

  /** The number of files that hold the word. */
  filesWith(word: string): number {
    return (this.postings.get(stem(word))?.length ?? 0) / 2;
  }

  /** How much a stem tells: the rarer the more, 0 where it does not occur. */
  weight(word: string): number {
    const files = (this.postings.get(word)?.length ?? 0) / 2;
    return files === 0 ? 0 : 32 - Math.clz32(Math.floor(this.order.length / files));
  }

  /** The files that a query speaks of, best first. */
  search(query: Query, within: (file: FileFacts) => boolean = () => true): FileFacts[] {
    const scores = new Map<FileFacts, number>();
    for (const [word, importance] of query) {
      const places = this.postings.get(word) ?? [];
      const weight = importance * this.weight(word);
      for (let at = 0; at < places.length; at += 2) {
        const file = this.order[places[at] ?? 0];
        if (file === undefined || !within(file)) continue;
        const often = Math.min(32 - Math.clz32(places[at + 1] ?? 0), REPEATED);
        scores.set(file, (scores.get(file) ?? 0) + weight * often * kindWeight(file));
      }
    }
    return [...scores]
      .sort(([one, scoreOfOne], [other, scoreOfOther]) => scoreOfOther - scoreOfOne || byPath(one, other))
      .map(([file]) => file);
  }

  /** The lines of a file that a query speaks of, best first, none next to another. */
  async lines(
    path: string,
    query: Query,
    most: number,
    skip: ReadonlySet<string> = new Set(),
  ): Promise<(Cited & { score: number })[]> {
    const text = await this.reader.read(path);
    if (text === null) return [];
    const kind = kindOf(path);
    const lines = linesOf(text);
    const found: (Cited & { score: number })[] = [];
    for (const [index, line] of lines.entries()) {
      if (IMPORT.test(line) || !/\p{L}{2}/u.test(line) || skip.has(`${path}:${index + 1}`)) continue;
      let score = 0;
      for (const word of new Set(stems(line))) score += (query.get(word) ?? 0) * this.weight(word);
      if (score === 0) continue;
      found.push({
        path,
        line: index + 1,
        text: line,
        score: score * (kind === 'docs' || PROSE.test(line) ? 4 : TELLING.test(line) ? 3 : 2),
      });
    }
    found.sort((one, other) => other.score - one.score || one.line - other.line);
    const chosen: typeof found = [];
    for (const candidate of found) {
      if (chosen.length === most) break;
      if (chosen.some(({ line }) => Math.abs(line - candidate.line) < 3)) continue;
      chosen.push({ ...candidate, text: citedText(kind, withContent(kind, lines, candidate.line)) });
    }
    return chosen;
  }

  /** The beginning of a file as it is now, or null. */
  read(path: string): Promise<string | null> {
    return this.reader.read(path);
  }
}

const IMPORT =
  /^\s*(?:import\b|from\s+\S+\s+import\b|using\s+\S+;|#include\b|package\s|const .*=\s*require\()|^\s*\} from '/;
/** Comments tell more than declarations, and those more than what stands between them. */
const PROSE = /^\s*(?:#\s|\/\*|\*|\/\/|"""|--\s)/;
const TELLING = /^\s*(?:export|pub|public|class|def|func|fn|interface|type)\b/;

/** A line; a heading with the beginning of what it stands over. */
function withContent(kind: FileKind, lines: readonly string[], line: number): string {
  const text = lines[line - 1] ?? '';
  if (kind !== 'docs' || !/^#+\s/.test(text)) return text;
  const content = lines.slice(line, line + 3).find((next) => next.trim() !== '');
  return content === undefined || /^#+\s/.test(content)
    ? text
    : `${text.trim()}: ${content.trim().replace(/^[-*+>]\s+/, '')}`;
}

/** Tests repeat the words of what they test, and data repeats everything. */
function kindWeight(file: FileFacts): number {
  return file.kind === 'tests' || file.kind === 'data' ? 1 : 2;
}

export function byPath(one: { path: string }, other: { path: string }): number {
  return one.path < other.path ? -1 : one.path > other.path ? 1 : 0;
}
