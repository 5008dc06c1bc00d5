import type { Message } from '../../src/notify/channel.ts';

export const RUN_ID = '01234567-89ab-4cde-8f01-23456789abcd';

/** A notice as the outbox hands it to a channel. */
export function message(more: Partial<Message> = {}): Message {
  return {
    id: 'n1',
    kind: 'ended',
    text: 'Hello',
    runId: RUN_ID,
    at: '2026-05-17T10:00:00.000Z',
    standing: {
      reason: 'objective_complete',
      iteration: 3,
      money: { settled: 250_000_000_000n, held: 0n, reserved: 0n },
      maxCostUsd: 1,
    },
    ...more,
  };
}
