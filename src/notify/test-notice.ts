import { randomUUID } from 'node:crypto';
import type { Channel, DeliveryFailure } from './channel.ts';

export interface TestOutcome {
  readonly channel: Channel;
  readonly failure: DeliveryFailure | null;
}

/** Sends one notice to each channel, whatever it takes, so that a person sees before a run whether it arrives. */
export function sendTestNotice(
  channels: readonly Channel[],
  text: string,
  signal: AbortSignal,
): Promise<TestOutcome[]> {
  const runId = randomUUID();
  const message = {
    id: `test-${runId.slice(0, 8)}`,
    kind: 'test',
    text,
    runId,
    at: new Date().toISOString(),
    standing: null,
  };
  return Promise.all(channels.map(async (channel) => ({ channel, failure: await channel.send(message, signal) })));
}
