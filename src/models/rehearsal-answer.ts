import type { Tokens } from '../run/ports.ts';
import { shortened } from './rehearsal-facts.ts';
import { ABSENT, NO_FILES } from './rehearsal-findings.ts';
import { type Frame, type ListedResult, RESULT_START } from './rehearsal-question.ts';
import { keyWords, stem, stems } from './rehearsal-words.ts';

/** A criterion counts as met where one result holds so many of its key words. */
const MET = 2 / 3;
/** Places that the final answer names, and how many of one file. */
const PLACES = 8;
const PLACES_OF_FILE = 2;
/** Characters of what a task found. */
const LEAD_LENGTH = 160;
const MAX_TOKENS = 1400;
/** Share of the tokens for the results; the rest is for what remains open. */
const ROOM = 0.8;

const OPENING =
  'This was a rehearsal: no language model was asked. What follows was copied from the files of the workspace by fixed rules, to show how a run goes and what it may cost.';

/** The answer to a judge's request, as JSON. It goes by words: an imitation of a verdict. */
export function judgeReply({ objective, criteria, results }: Frame & { results: readonly ListedResult[] }): string {
  const verdicts = (criteria.length > 0 ? criteria : [objective]).map((criterion) => {
    const wanted = [...new Set(keyWords(criterion).map(stem))];
    const held = (text: string) => {
      const said = new Set(stems(text));
      return wanted.filter((word) => said.has(word)).length;
    };
    // Of equal results the one whose task asks for it.
    const scored = results.map(({ id, task, text }) => ({
      id,
      held: text.includes(NO_FILES) ? 0 : held(found(text)),
      asked: held(task),
    }));
    const best = scored.sort((one, other) => other.held - one.held || other.asked - one.asked)[0];
    return best !== undefined && best.held > 0 && best.held >= wanted.length * MET
      ? { met: true, task: best.id }
      : { met: false, task: '' };
  });
  return JSON.stringify({ verdicts });
}

/** The final answer, in Markdown: the most telling places, then what each task found, as far as the tokens go. */
export function synthesisReply(
  { objective, results }: Frame & { results: readonly ListedResult[] },
  tokens: Tokens,
  maxTokens: number,
): string {
  const ordered = [...results].sort((one, other) => numberOf(one.id) - numberOf(other.id)).map(readResult);
  const first = mostTelling(objective, ordered);
  let answer = `${OPENING}\n`;
  if (first.length > 0)
    answer += `\nWhere to look first:\n\n${first.map(({ text, id }) => `- ${text} [${id}]`).join('\n')}\n`;
  if (ordered.length > 0) answer += '\nWhat each task found:\n';
  const open = new Map<string, string>();
  const room = Math.min(maxTokens, MAX_TOKENS) * ROOM;
  let left = 0;
  for (const { id, task, lead } of ordered) {
    for (const missing of absences(lead)) open.set(missing, `${open.get(missing) ?? missing} [${id}]`);
    const longer = `${answer}\n- ${task} [${id}]: ${alone(lead)}`;
    if (left > 0 || tokens.count(longer) > room) left += 1;
    else answer = longer;
  }
  const remains = [
    ...open.values(),
    ...(left > 0 ? [`${left} more results did not fit in here; they are in the summary.`] : []),
  ];
  if (results.length === 0) remains.push('There are no results.');
  return remains.length === 0
    ? answer.trimEnd()
    : `${answer.trimEnd()}\n\nWhat remains open:\n\n${remains.map((line) => `- ${line}`).join('\n')}`;
}

interface Place {
  readonly id: string;
  /** `path:line` */
  readonly place: string;
  readonly text: string;
}

/** A result taken apart again: its sentence, and the places that it cites. Where it was shortened, what is left. */
function readResult({ id, task, text }: ListedResult): { id: string; task: string; lead: string; places: Place[] } {
  const [lead = '', ...bullets] = text
    .replace(RESULT_START, '')
    .split(/ - (?=`[^`]+:\d+` )/)
    .map((part) => part.replace(/[ -]*\[(?:…|\.{3})[^\]]*\].*$/, ' …').trim());
  return {
    id,
    task,
    lead,
    places: bullets.map((bullet) => ({ id, place: /^`([^`]+)`/.exec(bullet)?.[1] ?? bullet, text: bullet })),
  };
}

/** The places that hold most of the objective's key words, each once. */
function mostTelling(objective: string, results: readonly { places: readonly Place[] }[]): Place[] {
  const wanted = keyWords(objective).map(stem);
  const all = new Map<string, Place>();
  for (const place of results.flatMap(({ places }) => places)) {
    // Where a result was shortened, another may hold the whole.
    if (place.text.length > (all.get(place.place)?.text.length ?? 0)) all.set(place.place, place);
  }
  const scored = [...all.values()].map((place) => {
    const line = place.text.slice(place.place.length + 3);
    const said = new Set(stems(line));
    const isCode = /^`[^`]*`$/.test(line);
    return { place, hits: wanted.filter((word) => said.has(word)).length, prose: isCode ? 0 : 1 };
  });
  const best = scored
    .filter(({ hits }) => hits > 0)
    .sort((one, other) => other.hits + other.prose - one.hits - one.prose);
  const ofFile = new Map<string, number>();
  const chosen = best.filter(({ place: { place } }) => {
    const file = place.slice(0, place.lastIndexOf(':'));
    ofFile.set(file, (ofFile.get(file) ?? 0) + 1);
    return (ofFile.get(file) ?? 0) <= PLACES_OF_FILE;
  });
  return chosen.slice(0, PLACES).map(({ place }) => place);
}

const ABSENCE = new RegExp(`${ABSENT}[^.]*\\.`, 'g');

/** A result without the words that it says it did not find. */
function found(text: string): string {
  return text.replace(ABSENCE, '').trim();
}

/** The sentence of a result, when the places that it announces do not follow. */
function alone(lead: string): string {
  return shortened(found(lead).replace(/; [^;.]*:$|:$/, '.'), LEAD_LENGTH);
}

function absences(text: string): string[] {
  return [...text.matchAll(ABSENCE)].map(([sentence]) => sentence);
}

/** User's tasks (u1) behind the loop's (t1). */
function numberOf(id: string): number {
  return Number(/\d+/.exec(id)?.[0] ?? 0) + (id.startsWith('t') ? 0 : 1e6);
}
