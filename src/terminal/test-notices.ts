import { channelsFor } from '../notify/channels.ts';
import { sendTestNotice } from '../notify/test-notice.ts';
import { Egress } from '../safety/egress.ts';
import type { Redactor } from '../safety/redaction.ts';
import { interruption } from './interruption.ts';
import { noticesOf } from './notices.ts';
import { type Options, UsageError } from './options.ts';
import { FAILED, OK, say } from './result.ts';

/** Sends one notice by every way that is set up, and says whether it was taken. */
export async function testNotices(options: Options, redactor: Redactor): Promise<number> {
  const settings = noticesOf(options);
  const egress = new Egress({ allowedOrigins: [] });
  try {
    const channels = channelsFor(settings, egress);
    if (channels.length === 0)
      throw new UsageError([
        'Nobody is to be told: set BABYAGI_WEBHOOK_URL or one of the other variables, see --help.',
      ]);
    const outcomes = await sendTestNotice(channels, 'This is a test notice of BabyAGI.', interruption());
    const told = outcomes.map(({ channel: { name, origin }, failure }) => ({
      name,
      origin,
      error: failure && redactor.redact(failure.error.message),
    }));
    const code = told.every(({ error }) => error === null) ? OK : FAILED;
    if (options.isSet('json')) return say(JSON.stringify({ channels: told }), code);
    return say(told.map(({ name, error }) => `${name}: ${error ?? 'taken'}`).join('\n'), code);
  } finally {
    egress.close();
  }
}
