import type { ErrorRecord } from '../run/events.ts';
import type { NoticeKind } from '../run/notice.ts';
import type { Notice } from '../run/state.ts';

/** What one channel is asked to tell. */
export interface Message {
  /** The same for each attempt. */
  readonly id: string;
  /** A log of a later version may have others. */
  readonly kind: NoticeKind | (string & {});
  readonly text: string;
  readonly runId: string;
  /** UTC ISO 8601. */
  readonly at: string;
  /** How the run stood; null where nobody can ask its thread. */
  readonly standing: Pick<Notice, 'reason' | 'iteration' | 'money' | 'maxCostUsd'> | null;
}

/** A way to reach somebody. */
export interface Channel {
  readonly name: string;
  /** Where it connects to, without anything secret. */
  readonly origin: string;
  takes(kind: string): boolean;
  /** One attempt. Null: delivered. Never throws. */
  send(message: Message, signal: AbortSignal): Promise<DeliveryFailure | null>;
  /** Says every so often that the run lives. Worth nothing later, so it is neither tried again nor on record. */
  readonly pulse?: { readonly everyMs: number; send(runId: string, signal: AbortSignal): Promise<unknown> };
}

export interface DeliveryFailure {
  readonly error: ErrorRecord;
  /** Trying again cannot help: the channel is gone or refuses us. */
  readonly permanent: boolean;
  readonly retryAfterMs: number | null;
}
