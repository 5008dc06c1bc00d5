import type { NotPossible, RequestAgain } from '../research/request-again.ts';
import type { Call, RunState } from '../run/state.ts';
import { jsonOrNull } from '../run/json.ts';
import { printable } from '../safety/text.ts';
import { l10n } from './panel-l10n.ts';
import { visible } from './panel-lists.ts';
import type { CallDetail, CallRequest } from './panel-messages.ts';

/** Characters of a request, and of an answer, that are shown; nobody reads more there. */
const MAX_SHOWN = 60_000;
const MAX_ERROR = 4000;

/** What the state knows of a call, or null where there is no such call. Its request comes from the log. */
export function callDetail(state: RunState, callId: string): CallDetail | null {
  const call = state.calls.get(callId);
  if (!call) return null;
  const { answer, error, status } = call;
  return {
    callId,
    status,
    request: null,
    answer: answer === null ? null : { text: cut(answer).text, markdown: WRITES_MARKDOWN.has(call.agent) },
    error: error && visible(error.message.slice(0, MAX_ERROR)),
    notes: notesOf(call),
  };
}

const WRITES_MARKDOWN: ReadonlySet<Call['agent']> = new Set(['execution', 'synthesis']);

function notesOf({ answer, status, vectors, finishReason }: Call): string[] {
  const notes = [];
  if (vectors) notes.push(vectors.length === 1 ? l10n.t('1 vector.') : l10n.t('{0} vectors.', vectors.length));
  else if (answer === '') notes.push(l10n.t('The answer is empty.'));
  else if (answer === null)
    notes.push(status === 'reserved' ? l10n.t('There is no answer yet.') : l10n.t('There was no answer.'));
  if (finishReason === 'length') notes.push(l10n.t('It was cut off at the limit of its length.'));
  if (finishReason === 'refusal') notes.push(l10n.t('The model refused.'));
  if ((answer?.length ?? 0) > MAX_SHOWN) notes.push(l10n.t('It is longer; the whole is in the log.'));
  return notes;
}

/** The request for the panel. Its texts are data, in whatever language a person or a model wrote them. */
export function callRequest(again: RequestAgain, call: Call): CallRequest {
  if (again.outcome === 'not_possible') {
    const words = l10n.t('The request could not be made again: {0}', reason(again.why));
    return { proof: 'not_possible', words, parameters: [], parts: [] };
  }
  const body = record(jsonOrNull(Buffer.from(again.body)));
  let left = MAX_SHOWN;
  const parts = partsOf(body, call).map(({ title, text }) => {
    const shown = cut(text, left);
    left -= shown.text.length;
    return { title, text: shown.text, cut: shown.cut };
  });
  return { proof: again.outcome, words: proofWords(again.outcome), parameters: parametersOf(body), parts };
}

function proofWords(outcome: 'same' | 'different'): string {
  return outcome === 'same'
    ? l10n.t('Made again from the log, and proved by its sha256 to be the very request of this call.')
    : l10n.t(
        'Made again from the log, but its sha256 is another one: what was sent differed. Another version made it.',
      );
}

function reason(why: NotPossible): string {
  switch (why) {
    case 'no_such_call':
      return l10n.t('the log does not come to this call, or cannot be read.');
    case 'newer_version':
      return l10n.t('a newer version of BabyAGI made it.');
    case 'taken_over':
      return l10n.t('it was made in the run that this one was forked from.');
    case 'inconsistent':
      return l10n.t('the log does not hold all that it was made from.');
    default:
      return why satisfies never;
  }
}

/** The texts of the body as it was sent, whatever kind of model it was for. */
function partsOf(body: Json, { inputs }: Call): { title: string; text: string }[] {
  const inner = innerOf(body);
  const texts = inner['input'] ?? inner['texts'];
  if (Array.isArray(texts))
    return texts.map((text, index) => ({ title: nameOf(inputs.embeds?.[index] ?? ''), text: String(text) }));
  const messages: readonly unknown[] = Array.isArray(inner['messages']) ? inner['messages'] : [];
  return messages.map((message) => {
    const { role, content } = record(message);
    return { title: role === 'system' ? l10n.t('System prompt') : l10n.t('User prompt'), text: String(content) };
  });
}

/** What else the body says: `temperature 0`, in the words of the API. */
function parametersOf(body: Json): string[] {
  return Object.entries({ ...body, ...innerOf(body) }).flatMap(([name, value]) => {
    if (['string', 'number', 'boolean'].includes(typeof value)) return `${name} ${printable(String(value), 80)}`;
    const { type, name: schema } = record(value);
    const kind = name === 'response_format' ? type : name === 'schema' ? schema : undefined;
    return typeof kind === 'string' ? `${name} ${kind}` : [];
  });
}

/** The rehearsal model is sent the request itself. */
function innerOf(body: Json): Json {
  return 'request' in body ? record(body['request']) : body;
}

/** `task/t3` in words. */
function nameOf(what: string): string {
  if (what === 'objective') return l10n.t('Objective');
  const id = printable(what.slice(what.indexOf('/') + 1), 80);
  return what.startsWith('result/') ? l10n.t('Result of {0}', id) : l10n.t('Task {0}', id);
}

function cut(text: string, most = MAX_SHOWN): { text: string; cut: boolean } {
  return { text: visible(text.slice(0, most)), cut: text.length > most };
}

type Json = Readonly<Record<string, unknown>>;

function record(value: unknown): Json {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
