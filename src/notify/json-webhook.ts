import { createHmac } from 'node:crypto';
import { usdFromPico } from '../budget/money.ts';
import type { Egress } from '../safety/egress.ts';
import type { Channel, DeliveryFailure, Message } from './channel.ts';
import type { NoticeBody } from './notice-body.ts';
import { ENCODED } from './secret-fields.ts';
import { post } from './post.ts';
import type { NoticeSettings } from './settings.ts';

/**
 * Any address that takes `NoticeBody`. With a secret it is signed as Standard Webhooks says (standardwebhooks.com), so that
 * the receiver can tell that it is ours, whole, and not an old one again.
 */
export class JsonWebhook implements Channel {
  readonly name = 'json_webhook';
  readonly origin: string;
  private readonly settings: NonNullable<NoticeSettings['json_webhook']>;
  private readonly egress: Egress;
  private readonly now: () => number;

  constructor(settings: NonNullable<NoticeSettings['json_webhook']>, egress: Egress, now: () => number = Date.now) {
    this.settings = settings;
    this.origin = new URL(settings.url).origin;
    this.egress = egress;
    this.now = now;
  }

  takes(kind: string): boolean {
    return this.settings.kinds.some((taken) => taken === kind);
  }

  send(message: Message, signal: AbortSignal): Promise<DeliveryFailure | null> {
    const { url, secret } = this.settings;
    const body = JSON.stringify(bodyOf(message));
    // Each attempt has its own time: a receiver refuses what is minutes old.
    const timestamp = String(Math.floor(this.now() / 1000));
    const headers = {
      'content-type': 'application/json',
      'webhook-id': message.id,
      'webhook-timestamp': timestamp,
      ...(secret !== null && { 'webhook-signature': signatureOf(secret, `${message.id}.${timestamp}.${body}`) }),
    };
    return post(this.egress, 'The JSON webhook', { url, headers, body }, signal);
  }
}

function bodyOf({ id, kind, runId, at, text, standing }: Message): NoticeBody {
  return {
    version: 1,
    id,
    kind,
    run_id: runId,
    at,
    reason: standing?.reason ?? null,
    text,
    iterations: standing?.iteration ?? null,
    money: standing && {
      settled_usd: usdFromPico(standing.money.settled),
      held_usd: usdFromPico(standing.money.held),
      reserved_usd: usdFromPico(standing.money.reserved),
      limit_usd: standing.maxCostUsd,
    },
  };
}

/** Any other secret is taken as it is. */
function signatureOf(secret: string, content: string): string {
  const key = secret.startsWith(ENCODED) ? Buffer.from(secret.slice(ENCODED.length), 'base64') : secret;
  return `v1,${createHmac('sha256', key).update(content).digest('base64')}`;
}
