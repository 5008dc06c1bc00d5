import type * as z from 'zod';
import { quoted } from './limits.ts';
import { known, type Translate } from './translate.ts';

type Issue = z.core.$ZodIssue;

/** What a schema calls a kind of value, for people. */
export const KINDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

/**
 * The first thing that a schema found wrong, without a full stop: `limits.max_cost_usd must be at most 1000`. A value that is
 * not there is told from a wrong one where the schema was asked to report its input.
 */
export function issueWords({ issues: [issue] }: Pick<z.ZodError, 'issues'>, translated: Translate): string {
  if (issue === undefined) return '';
  const at = issue.path.length === 0 ? translated('the whole') : issue.path.join('.');
  switch (issue.code) {
    case 'invalid_type':
      if ('input' in issue && issue.input === undefined) return translated('{0} is missing', at);
      return translated('{0} must be {1}', at, known(KINDS[issue.expected] ?? issue.expected, translated));
    case 'too_small':
      return tooSmall(issue, at, translated);
    case 'too_big':
      return tooBig(issue, at, translated);
    case 'invalid_value':
      return issue.values.length === 1
        ? translated('{0} must be {1}', at, quoted(issue.values[0]))
        : translated('{0} must be one of {1}', at, issue.values.map(quoted).join(', '));
    case 'unrecognized_keys':
      return translated('{0} has entries that are not known: {1}', at, issue.keys.map(quoted).join(', '));
    case 'invalid_format':
      return translated('{0} has not the form that it must have ({1})', at, issue.format);
    case 'not_multiple_of':
    case 'invalid_union':
    case 'invalid_key':
    case 'invalid_element':
    case 'custom':
      return translated('{0} is not valid', at);
  }
}

function tooSmall(issue: Extract<Issue, { code: 'too_small' }>, at: string, translated: Translate): string {
  const least = String(issue.minimum);
  if (least === '1' && (issue.origin === 'string' || issue.origin === 'array')) return translated('{0} is empty', at);
  if (issue.origin === 'string') return translated('{0} must have at least {1} characters', at, least);
  if (issue.origin === 'array') return translated('{0} must have at least {1} entries', at, least);
  return issue.inclusive === false
    ? translated('{0} must be above {1}', at, least)
    : translated('{0} must be at least {1}', at, least);
}

function tooBig(issue: Extract<Issue, { code: 'too_big' }>, at: string, translated: Translate): string {
  const most = String(issue.maximum);
  if (issue.origin === 'string') return translated('{0} must have at most {1} characters', at, most);
  if (issue.origin === 'array') return translated('{0} must have at most {1} entries', at, most);
  return issue.inclusive === false
    ? translated('{0} must be below {1}', at, most)
    : translated('{0} must be at most {1}', at, most);
}
