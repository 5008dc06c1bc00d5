import type { Host } from '../engine/host.ts';
import type { Session } from '../engine/session.ts';
import type { Redactor } from '../safety/redaction.ts';

/** Where a key may go, and where requests may go at all. */
export interface KeyBinding {
  readonly key: string | null;
  /** The only origin that the key may reach. */
  readonly keyOrigin: string;
  readonly allow: readonly string[];
}

/** What the composition root hands to a command that works with several runs. */
export interface Terminal {
  readonly redactor: Redactor;
  /** Nobody is there to review, so every review is approved. */
  readonly hostOf: (binding: KeyBinding) => Host;
  /** Gives what is to be told of each run that begins. Throws UsageError. */
  readonly serveMetrics: () => Promise<(session: Session) => void>;
}
