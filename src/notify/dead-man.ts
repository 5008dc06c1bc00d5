import type { Egress } from '../safety/egress.ts';
import type { Channel, DeliveryFailure, Message } from './channel.ts';
import { post } from './post.ts';
import type { WebAddress } from './settings.ts';

const PULSE_MS = 60_000;

/**
 * A dead-man's switch as healthchecks.io has it: somebody else raises the alarm when a run that began falls silent. While
 * the run lives it says `/start` every minute, from which on the switch waits for a while; a plain call ends the wait,
 * `/fail` raises the alarm at once. So a run that has ended is not missed. The URL is a secret.
 */
export class DeadMan implements Channel {
  readonly name = 'dead_man';
  readonly origin: string;
  readonly pulse = {
    everyMs: PULSE_MS,
    send: (runId: string, signal: AbortSignal) => this.call('/start', runId, '', signal),
  };
  private readonly url: string;
  private readonly egress: Egress;

  constructor({ url }: WebAddress, egress: Egress) {
    this.url = url;
    this.origin = new URL(url).origin;
    this.egress = egress;
  }

  takes(kind: string): boolean {
    return callsFor({ kind, standing: null }).length > 0;
  }

  async send(message: Message, signal: AbortSignal): Promise<DeliveryFailure | null> {
    for (const what of callsFor(message)) {
      const failure = await this.call(what, message.runId, message.text, signal);
      if (failure !== null) return failure;
    }
    return null;
  }

  private call(what: string, runId: string, body: string, signal: AbortSignal): Promise<DeliveryFailure | null> {
    const url = new URL(this.url);
    url.pathname = `${url.pathname.replace(/\/+$/, '')}${what}`;
    // Several runs may share the switch.
    url.searchParams.set('rid', runId);
    const headers = { 'content-type': 'text/plain; charset=utf-8' };
    return post(this.egress, "The dead-man's switch", { url: url.href, headers, body }, signal);
  }
}

/** What is behind the address at each call; none where there is nothing to say. */
function callsFor({ kind, standing }: Pick<Message, 'kind' | 'standing'>): ('/start' | '' | '/fail')[] {
  switch (kind) {
    case 'started':
      return ['/start'];
    // It may have failed before: an alarm that is on hears no silence.
    case 'resumed':
      return ['', '/start'];
    case 'ended':
    case 'limit':
    case 'test':
      return [''];
    case 'failed':
      return ['/fail'];
    case 'review':
      // Nobody is there who could decide it, and its process has ended; or it waits for somebody, and lives.
      return [standing?.reason === 'stopped_at_review' ? '' : '/start'];
    default:
      return [];
  }
}
