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

/** Who looks at runs while they go on: metrics and traces. */
export interface Watchers {
  readonly began: (session: Session) => void;
  /** Once all of them have ended: what they have to say still goes out. */
  readonly ended: () => Promise<void>;
}

/** What the composition root hands to a command that works with several runs. */
export interface Terminal {
  readonly redactor: Redactor;
  /** Nobody is there to review, so every review is approved. */
  readonly hostOf: (binding: KeyBinding) => Host;
  /** Throws UsageError. */
  readonly watchersOf: (host: Host) => Promise<Watchers>;
}
