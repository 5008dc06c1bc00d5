import type { Egress } from '../safety/egress.ts';
import type { Channel, DeliveryFailure, Message } from './channel.ts';
import { post } from './post.ts';
import type { NoticeSettings } from './settings.ts';

/** A Slack incoming webhook, or anything that takes its `{"text":…}` (Mattermost, Rocket.Chat, Discord's /slack). The URL is a secret. */
export class SlackWebhook implements Channel {
  readonly name = 'slack';
  readonly origin: string;
  private readonly settings: NonNullable<NoticeSettings['slack']>;
  private readonly egress: Egress;

  constructor(settings: NonNullable<NoticeSettings['slack']>, egress: Egress) {
    this.settings = settings;
    this.origin = new URL(settings.url).origin;
    this.egress = egress;
  }

  takes(kind: string): boolean {
    return this.settings.kinds.some((taken) => taken === kind);
  }

  send({ id, text }: Message, signal: AbortSignal): Promise<DeliveryFailure | null> {
    // The id lets a reader see that a notice came twice.
    const body = JSON.stringify({ text: `${escaped(text)} [${id}]` });
    const headers = { 'content-type': 'application/json' };
    return post(this.egress, 'The webhook', { url: this.settings.url, headers, body }, signal);
  }
}

/** The three characters that Slack gives a meaning: an objective must neither call a whole channel nor hide a link. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
