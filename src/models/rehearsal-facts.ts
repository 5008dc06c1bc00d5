/** What a file says of itself on a first reading: its kind, one sentence, its outline, the notes left open in it. */

/** A line that a result may cite: `path:line` and its text, fit for Markdown. */
export interface Cited {
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

export type FileKind = 'docs' | 'code' | 'tests' | 'data';

export interface FileFacts {
  readonly path: string;
  readonly kind: FileKind;
  /** Of what was read. */
  readonly lines: number;
  readonly read: 'all' | 'beginning' | 'nothing';
  readonly summary: Cited | null;
  /** Headings, declarations or top-level keys. */
  readonly outline: readonly Cited[];
  readonly notes: readonly Cited[];
}

const CODE =
  /\.(?:[cm]?[jt]sx?|py|go|rs|java|kts?|swift|rb|php|c|h|cc|cpp|hpp|cs|m|mm|scala|sh|bash|ps1|sql|lua|r|jl|dart|exs?|erl|hs|clj|vue|svelte|css|scss|less)$/i;
const DATA = /\.(?:json5?|jsonc|jsonl|ya?ml|toml|xml|csv|tsv|ini|cfg|conf|properties)$/i;
const TEST = /(?:^|\/)(?:tests?|specs?|__tests__)\/|[._-](?:test|spec)\.\w+$|(?:^|\/)test_[^/]+$/i;

const NOTE = /\b(?:TODO|FIXME|XXX|HACK)\b(?:[:( ]|$)/;
/** In code the word alone may be a string or a name. */
const COMMENTED_NOTE = /(?:\/\/|\/\*|^\s*\*|#|--|;;|<!--).{0,40}\b(?:TODO|FIXME|XXX|HACK)\b/;
const HEADING = /^#{1,4}\s+(\S.*)/;
const COMMENT = /^\s*(?:\/\*\*?|\*(?!\/)|\/\/[/!]?|#(?![!#]|include|define|if|end|region)|--|;;|"""|''')\s*([^\s*].*)/;
const LEGAL = /copyright|licen[cs]e|spdx|eslint|prettier|@ts-|oxlint|pylint|noqa|coding[:=]|^[-=*#/]{3}/i;
const DECLARATION =
  /^\s{0,4}(?:(?:export|pub(?:\([a-z]+\))?|public|open|internal|static|abstract|final|default|async|declare|data|sealed)\s+)*(?:class|interface|trait|struct|enum|record|object|module|namespace|protocol|function\*?|func|fun|fn|def|sub|type|const|let|impl)\s+(?:\([^)]{0,60}\)\s*)?([\p{L}_$][\p{L}\p{N}_$]*)/u;
const PUBLIC = /^\s*(?:export|pub|public)\b/;
const KEY = /^(?:\[+([^\]]+)\]+|\s{0,2}"([^"]{1,60})"\s*:|([A-Za-z][\w.-]*)\s*[:=])/;

const MAX_OUTLINE = 40;
const MAX_NOTES = 10;
/** Characters of a line that are looked at: minified code has lines without end. */
const MAX_LINE = 400;
const CITED_LENGTH = 130;

export function kindOf(path: string): FileKind {
  if (DATA.test(path)) return 'data';
  if (!CODE.test(path)) return 'docs';
  return TEST.test(path) ? 'tests' : 'code';
}

export function linesOf(text: string): string[] {
  return text
    .replace(/\r?\n$/, '')
    .split(/\r?\n/)
    .map((line) => line.slice(0, MAX_LINE));
}

/** `text` is what was read of the file, null where nothing was. */
export function factsOf(path: string, text: string | null, isWhole: boolean): FileFacts {
  const lines = linesOf(text ?? '');
  const kind = kindOf(path);
  const notes: Cited[] = [];
  const note = kind === 'docs' ? NOTE : COMMENTED_NOTE;
  for (const [index, line] of lines.entries()) {
    if (notes.length < MAX_NOTES && note.test(line)) notes.push({ path, line: index + 1, text: citedText(kind, line) });
  }
  const told =
    kind === 'docs'
      ? documentOutline(path, lines)
      : kind === 'data'
        ? dataOutline(path, lines)
        : codeOutline(path, lines);
  const { summary, outline } = told;
  const read = text === null ? 'nothing' : isWhole ? 'all' : 'beginning';
  return { path, kind, lines: lines.length, read, notes, summary, outline: outline.slice(0, MAX_OUTLINE) };
}

/** A line as it is shown: without comment signs, code as code, not too long. */
export function citedText(kind: FileKind, line: string): string {
  const comment = kind === 'docs' ? undefined : COMMENT.exec(line)?.[1]?.replace(/\s*\*\/$/, '');
  if (comment !== undefined || kind === 'docs') return shownProse(comment ?? line);
  return shownCode(line);
}

/** Text as a part of another Markdown text: no list or heading of its own, no picture, no link, no HTML. */
function shownProse(text: string): string {
  const plain = text
    .trim()
    .replace(/\s+/g, ' ')
    .replace(/^(?:#+|[-*+>]|\d+[.)]) /, '')
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1');
  const short = shortened(plain);
  // A code span that is not closed would swallow what follows.
  const parts = short.split('`');
  if (parts.length % 2 === 0) return withoutHtml(short.replaceAll('`', "'"));
  return parts.map((part, at) => (at % 2 === 0 ? withoutHtml(part) : part)).join('`');
}

function withoutHtml(text: string): string {
  return text.replace(/<(?=[A-Za-z!/])/g, '\\<');
}

function shownCode(line: string): string {
  return `\`${shortened(line.trim().replace(/\s+/g, ' ')).replaceAll('`', "'")}\``;
}

export function shortened(text: string, length = CITED_LENGTH): string {
  if (text.length <= length) return text;
  const head = text.slice(0, length - 1).replace(/[\uD800-\uDBFF]$/, '');
  const word = head.replace(/\s+\S*$/, '');
  return `${word.length > length / 2 ? word : head}…`;
}

/** With a full stop, unless it ends in a mark of its own. */
export function ended(text: string): string {
  return /[.!?…:。!?]$/.test(text) ? text : `${text}.`;
}

interface Told {
  readonly summary: Cited | null;
  readonly outline: Cited[];
}

function documentOutline(path: string, lines: readonly string[]): Told {
  const outline: Cited[] = [];
  let summary: Cited | null = null;
  let fenced = false;
  for (const [index, text] of lines.entries()) {
    if (/^\s*(?:```|~~~)/.test(text)) fenced = !fenced;
    if (fenced) continue;
    const heading = HEADING.exec(text)?.[1];
    if (heading !== undefined) outline.push({ path, line: index + 1, text: shownProse(heading) });
    else if (summary === null && isProse(text))
      summary = { path, line: index + 1, text: firstSentence(text, lines.slice(index + 1, index + 4)) };
  }
  return { summary: summary ?? outline[0] ?? null, outline };
}

function codeOutline(path: string, lines: readonly string[]): Told {
  const outline: (Cited & { readonly name: string; readonly about: string; readonly isPublic: boolean })[] = [];
  let header: Cited | null = null;
  let comment: { readonly line: number; readonly words: string[] } | null = null;
  let isTop = true;
  for (const [index, text] of lines.entries()) {
    const said = COMMENT.exec(text)?.[1]?.replace(/\s*(?:\*\/|"""|''')$/, '');
    if (said !== undefined) {
      if (LEGAL.test(said)) continue;
      comment ??= { line: index + 1, words: [] };
      comment.words.push(said);
      continue;
    }
    // The frame of a comment, or an attribute between it and its declaration.
    if (/^\s*(?:\*+\/|\/\*+|[@[].*)$/.test(text)) continue;
    const name = DECLARATION.exec(text)?.[1];
    if (name !== undefined) {
      const docstring = /^\s*(?:"""|''')\s*(\S.*?)(?:"""|''')?$/.exec(lines[index + 1] ?? '')?.[1];
      const told = comment?.words.join(' ') ?? docstring;
      const about = told === undefined ? '' : firstSentence(told);
      const shown = shortened(about === '' ? `\`${name}\`` : `\`${name}\` – ${about}`);
      outline.push({ path, line: index + 1, text: shown, name, about, isPublic: PUBLIC.test(text) });
    } else if (isTop && comment !== null) {
      header = { path, line: comment.line, text: firstSentence(comment.words.join(' ')) };
    }
    if (comment !== null || text.trim() !== '') isTop = false;
    comment = null;
  }
  const shown = outline.some((entry) => entry.isPublic) ? outline.filter((entry) => entry.isPublic) : outline;
  const stem = (path.split('/').pop() ?? '').replace(/\..*$/, '').replace(/\W/g, '').toLowerCase();
  const telling = shown.filter(({ name, about }) => about !== '' && !/error|exception/i.test(name));
  const namesake = telling.find(({ name }) => name.toLowerCase().includes(stem));
  const longest = telling.reduce<(typeof shown)[number] | undefined>(
    (best, entry) => (entry.about.length > (best?.about.length ?? 0) ? entry : best),
    undefined,
  );
  return { summary: header ?? namesake ?? longest ?? shown[0] ?? null, outline: shown };
}

function dataOutline(path: string, lines: readonly string[]): Told {
  if (/\.[ct]sv$/i.test(path)) {
    const columns = shortened(
      (lines[0] ?? '')
        .split(/[,;\t]/)
        .map((cell) => cell.trim().replace(/^"|"$/g, ''))
        .join(', '),
    );
    return { summary: { path, line: 1, text: `Columns: ${columns}` }, outline: [] };
  }
  const outline: Cited[] = [];
  for (const [index, text] of lines.entries()) {
    const match = KEY.exec(text);
    const key = match?.[1] ?? match?.[2] ?? match?.[3];
    if (key !== undefined) outline.push({ path, line: index + 1, text: shownCode(text.replace(/[\s,{[]+$/, '')) });
  }
  return { summary: outline[0] ?? null, outline };
}

function isProse(line: string): boolean {
  return (
    /^\s*(?:[-*+>]\s+)?[\p{L}\p{N}"'“*_[(]/u.test(line) &&
    /\p{L}\s+\S*\p{L}|[\p{Script=Han}\p{Script=Hiragana}]{4}/u.test(line) &&
    !/^\s*(?:<|\[!|!\[)|^\s*-{3}|^\w+:\s*$/.test(line)
  );
}

/** Up to the end of the first sentence; `rest` are the lines that the paragraph may run on in. */
function firstSentence(text: string, rest: readonly string[] = []): string {
  const end = rest.findIndex((line) => line.trim() === '' || /^\s*(?:[-*#>]|\d+\.)/.test(line));
  const paragraph = [text, ...rest.slice(0, Math.min(end < 0 ? 3 : end, 3))].map((line) => line.trim()).join(' ');
  const sentence = /^.{25,}?[.!?。!?](?=\s|$)/u.exec(paragraph)?.[0] ?? paragraph;
  return shownProse(sentence);
}
