import type { EventDraft } from '../run/events.ts';
import type { Redactor } from '../safety/redaction.ts';

/** An event as it may be written. Vectors are numbers: nothing to redact, and the bulk of the bytes. */
export function redactDraft(redactor: Redactor, draft: EventDraft): EventDraft {
  if (draft.type !== 'call.settled' || draft.vectors === undefined) return redactor.redactJson(draft);
  const { vectors, ...rest } = draft;
  return { ...redactor.redactJson(rest), vectors };
}
