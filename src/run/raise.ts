import { type Drawing, drawn } from './drawn.ts';
import type { EventDraft } from './events.ts';
import { LIMIT_WORDS, type LimitName, limitProblem, OPTIONAL_LIMITS, type OptionalLimit } from './limits.ts';
import { inEnglish, known, type Translate } from './translate.ts';

/*
 * How the limits of a run in progress change: one is raised, or added where the run was started without it. None is lowered,
 * and none begins below what is used, as what is used cannot be taken back.
 */

/** The limit as one that can be added; null where the run has it. */
function missing({ limits }: Drawing, limit: LimitName): OptionalLimit | null {
  return OPTIONAL_LIMITS.find((optional) => optional === limit && limits[optional] === undefined) ?? null;
}

/** What counts against a limit that the run has not got, used and reserved; null where it has it. */
export function usedWithout(state: Drawing, limit: LimitName): number | null {
  const absent = missing(state, limit);
  return absent && Number(drawn(state, absent));
}

/** One sentence why the limit cannot get that value, or null where it can. */
export function raiseProblem(
  state: Drawing,
  limit: LimitName,
  to: number,
  translated: Translate = inEnglish,
): string | null {
  const problem = limitProblem(limit, to, translated);
  if (problem !== null) return problem;
  const used = usedWithout(state, limit);
  if (used === null || to >= used) return null;
  const name = known(LIMIT_WORDS[limit].name, translated);
  return translated('The {0} cannot begin at {1}, as {2} are used or reserved already: give no less.', name, to, used);
}

/** The event that gives the limit its new value; null where that is not above the present one. */
export function raisedTo(state: Drawing, limit: LimitName, to: number): EventDraft | null {
  const absent = missing(state, limit);
  if (absent) return { type: 'limit.added', limit: absent, to, by: 'user' };
  const from = state.limits[limit];
  return from === undefined || to <= from ? null : { type: 'limit.raised', limit, from, to, by: 'user' };
}
