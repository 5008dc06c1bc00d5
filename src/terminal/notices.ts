import { checkNotices, NOTICE_FIELDS, type NoticeField } from '../notify/check.ts';
import { SECRET_FIELDS } from '../notify/secret-fields.ts';
import type { NoticeSettings } from '../notify/settings.ts';
import { inEnglish } from '../run/translate.ts';
import { type Options, UsageError } from './options.ts';

/** The variable of a field. The oldest has a name that does not say Slack. */
function variableOf(field: NoticeField): string {
  return field === 'slack_url' ? 'BABYAGI_WEBHOOK_URL' : `BABYAGI_${field.toUpperCase()}`;
}

/** Variables with secrets, and the rule by which each is replaced in all that is written. */
export const SECRET_VARIABLES: readonly (readonly [variable: string, rule: string])[] = Object.entries(
  SECRET_FIELDS,
).map(([field, rule]) => [variableOf(field as NoticeField), rule]);

/** Whom the variables say is told. Throws UsageError. */
export function noticesOf({ variables }: Pick<Options, 'variables'>): NoticeSettings {
  const raw = Object.fromEntries(NOTICE_FIELDS.map((field) => [field, variables[variableOf(field)]]));
  const checked = checkNotices(raw, {
    nameOf: variableOf,
    translated: inEnglish,
    wordsOf: (error) => error.message,
    // The addresses were given by the person at this terminal.
    allowPrivate: () => true,
  });
  if ('problems' in checked) throw new UsageError(checked.problems);
  return checked.settings;
}
