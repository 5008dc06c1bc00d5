import type { ErrorRecord } from '../run/events.ts';

/** A way to reach somebody. */
export interface Channel {
  readonly name: string;
  /** Where it connects to, without anything secret. */
  readonly origin: string;
  /** One attempt. Null: delivered. Never throws. */
  send(notice: { id: string; kind: string; text: string }, signal: AbortSignal): Promise<DeliveryFailure | null>;
}

export interface DeliveryFailure {
  readonly error: ErrorRecord;
  /** Trying again cannot help: the channel is gone or refuses us. */
  readonly permanent: boolean;
  readonly retryAfterMs: number | null;
}
