import { printable } from '../safety/text.ts';

/** Where the text of a model stands in a document of ours. */
export interface Frame {
  /** Before each line: `> ` for a quote, or nothing. */
  readonly prefix: string;
  /** Levels by which headings are lowered, so that the document's own stay above them. */
  readonly lower: number;
  /** Tasks that have a heading of their own, and the file it is in (empty: this one): `[t3]` links there. */
  readonly tasks: ReadonlySet<string>;
  readonly file: string;
}

/**
 * `text` on one line, at most `max` characters, in which nothing is Markdown. `<` and `&` become entities: readers that
 * make links of bare addresses take a backslash for a part of the address, and see what it should have hidden.
 */
export function plainText(text: string, max: number): string {
  return printable(text, max)
    .replace(/[\\`*_[\]$|~#]/g, '\\$&')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;');
}

/** `text` on one line as code. */
export function codeSpan(text: string, max: number): string {
  const line = printable(text, max).replaceAll('|', '¦');
  const ticks = '`'.repeat(longestRun(line) + 1);
  return line === '' ? '' : line.includes('`') ? `${ticks} ${line} ${ticks}` : `\`${line}\``;
}

/**
 * The lines of a Markdown text that somebody else wrote, made safe to stand among ours: no HTML, no images, no links but
 * plain ones to the web, no mathematics, no hidden characters; code blocks, lists, tables and emphasis as they are.
 * Whatever the text does, it ends where its lines end.
 */
export function containedMarkdown(text: string, frame: Frame): string[] {
  const fence = '`'.repeat(Math.max(3, longestRun(text) + 1));
  const lines: string[] = [];
  let open: { readonly mark: string; readonly indent: RegExp } | null = null;
  for (const line of visible(text)
    .replace(/^(?:[^\S\n]*\n)+|\s+$/g, '')
    .split('\n')) {
    if (open) {
      // Fences are written anew, longer than any in the text and never indented: no reader can see them end elsewhere.
      const closing = /^\s*(`{3,}|~{3,})\s*$/.exec(line)?.[1];
      const closes = closing?.startsWith(open.mark) === true;
      lines.push(closes ? fence : line.replace(open.indent, ''));
      if (closes) open = null;
      continue;
    }
    const [, indent = '', mark = '', language = ''] = /^(\s*)(`{3,}|~{3,})\s*([\w+#.-]{0,20})[^`]*$/.exec(line) ?? [];
    if (mark !== '') {
      lines.push(fence + language);
      open = { mark, indent: new RegExp(`^\\s{0,${indent.length}}`) };
    } else {
      lines.push(containedLine(line, frame));
    }
  }
  if (open) lines.push(fence);
  return lines.map((line) => `${frame.prefix}${line}`.trimEnd());
}

function containedLine(line: string, frame: Frame): string {
  // A line of dashes or equals signs would make a heading of the line before it.
  const [, margin = '', rule = ''] = /^([\s>]*)(-+|=+)\s*$/.exec(line) ?? [];
  if (rule !== '') return margin + (rule.startsWith('---') ? '***' : `\\${rule}`);
  const heading = /^\s*(?:>\s*|[-*+]\s+|\d{1,9}[.)]\s+)*(#{1,6})(?=\s|$)/.exec(line);
  if (heading === null) return inline(line, frame);
  const [before, marks = ''] = heading;
  const lowered = '#'.repeat(Math.min(6, marks.length + frame.lower));
  return before.slice(0, before.length - marks.length) + lowered + inline(line.slice(before.length), frame);
}

const CITED = /^\[[a-z]\d+(?:\.\d+)?(?:[,;] ?[a-z]\d+(?:\.\d+)?)*\]/;
const LINK = /^\[[^[\]`<>\\!&$\n]{1,300}\]\(https?:\/\/[^\s()<>\\`|]{1,2000}\)/;

/** Walks a line as a Markdown reader does: escapes, then code spans, then everything else. */
function inline(line: string, frame: Frame): string {
  let out = '';
  let at = 0;
  while (at < line.length) {
    const next = line.slice(at).search(/[\\`<&$![]|~~~/);
    if (next < 0) break;
    out += line.slice(at, at + next);
    at += next;
    const rest = line.slice(at);
    const taken = rest.startsWith('`')
      ? code(rest, out)
      : rest.startsWith('[')
        ? brackets(rest, frame)
        : character(rest);
    out += taken.out;
    at += taken.length;
  }
  return out + line.slice(at);
}

interface Taken {
  readonly out: string;
  readonly length: number;
}

function character(rest: string): Taken {
  const [escaped] = /^\\[!-/:-@[-`{-~]/.exec(rest) ?? [];
  if (escaped !== undefined) return { out: escaped.replace(/\\([<&])/, (_, char: string) => entity(char)), length: 2 };
  if (rest.startsWith('<') || /^&[#\w]/.test(rest)) return { out: entity(rest.charAt(0)), length: 1 };
  // Three begin a code block where a list or quote lets a line begin in its middle.
  const tildes = /^~+/.exec(rest)?.[0];
  if (tildes !== undefined) return { out: tildes.replaceAll('~', '\\~'), length: tildes.length };
  return { out: /^(?:\$|!\[)/.test(rest) ? `\\${rest.charAt(0)}` : rest.charAt(0), length: 1 };
}

function entity(char: string): string {
  return char === '<' ? '&lt;' : '&amp;';
}

/** A code span that begins and ends on this line stays; other backticks are characters. */
function code(rest: string, before: string): Taken {
  const ticks = /^`+/.exec(rest)?.[0] ?? '';
  const end = rest.slice(ticks.length).search(new RegExp(`(?<!\`)${ticks}(?!\`)`));
  const span = end < 0 ? '' : rest.slice(0, end + 2 * ticks.length);
  // A bar may cut it in two, in a table; an address before it may take its first backtick. Both would free what is in it.
  const certain = !span.includes('|') && (!/[\\<&$![]|~~~/.test(span) || /(?:^|\s)[("'*_]*$/.test(before));
  if (span === '' || !certain) return { out: ticks.replaceAll('`', '\\`'), length: ticks.length };
  return { out: span, length: span.length };
}

function brackets(rest: string, frame: Frame): Taken {
  const cited = CITED.exec(rest)?.[0];
  const ids = cited?.slice(1, -1).split(/[,;] ?/) ?? [];
  if (cited !== undefined && ids.every((id) => frame.tasks.has(id))) {
    return { out: ids.map((id) => `[${id}](${frame.file}#${anchorOf(id)})`).join(', '), length: cited.length };
  }
  const link = LINK.exec(rest)?.[0];
  return link === undefined ? { out: '\\[', length: 1 } : { out: link, length: link.length };
}

/** The anchor that Markdown readers give a heading that is a task id. */
export function anchorOf(taskId: string): string {
  return taskId.replaceAll('.', '');
}

function longestRun(text: string): number {
  let longest = 0;
  for (const [run] of text.matchAll(/`+/g)) longest = Math.max(longest, run.length);
  return longest;
}

// Control, invisible format (bidi among them) and private-use characters, half surrogate pairs; not line breaks, tabs,
// the joiners, and the variation selector that emoji and several scripts are made with.
const HIDDEN = /(?![\n\t\u200c\u200d\ufe0f])[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;

function visible(text: string): string {
  return text.replace(/\r\n?|[\v\f\u0085\u2028\u2029]/g, '\n').replace(HIDDEN, '');
}
