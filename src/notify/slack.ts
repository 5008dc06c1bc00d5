import { type Egress, EgressError } from '../safety/egress.ts';
import { retryAfter } from '../safety/retry-after.ts';
import type { Channel, DeliveryFailure } from './channel.ts';

const TIMEOUT_MS = 10_000;

/** A Slack incoming webhook, or anything that takes its `{"text":…}` (Mattermost, Rocket.Chat, Discord's /slack). The URL is a secret. */
export class SlackWebhook implements Channel {
  readonly name = 'slack';
  readonly origin: string;
  private readonly url: string;
  private readonly egress: Egress;

  constructor(url: string, egress: Egress) {
    this.url = url;
    this.origin = new URL(url).origin;
    this.egress = egress;
  }

  async send(notice: { id: string; text: string }, signal: AbortSignal): Promise<DeliveryFailure | null> {
    try {
      // The id lets a reader see that a notice came twice.
      const body = Buffer.from(JSON.stringify({ text: `${escaped(notice.text)} [${notice.id}]` }));
      const headers = { 'content-type': 'application/json' };
      const { status, headers: answered } = await this.egress.request({
        url: this.url,
        method: 'POST',
        headers,
        body,
        timeoutMs: TIMEOUT_MS,
        signal,
      });
      if (status >= 200 && status < 300) return null;
      return {
        error: { class: `status_${status}`, message: `The webhook at ${this.origin} answered ${status}.` },
        permanent: status >= 400 && status < 500 && status !== 408 && status !== 429,
        retryAfterMs: retryAfter(answered),
      };
    } catch (error) {
      if (!(error instanceof EgressError)) throw error;
      const permanent = error.reason === 'origin_not_allowed' || error.reason === 'bad_header';
      return { error: { class: error.reason, message: error.message }, permanent, retryAfterMs: null };
    }
  }
}

/** The three characters that Slack gives a meaning: an objective must neither call a whole channel nor hide a link. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
