import type { Channel } from '../notify/channel.ts';
import type { WatchdogSettings } from '../notify/watchdog.ts';
import type { PriceOverride } from '../budget/prices.ts';
import type { RunConfig } from '../run/config.ts';
import type { Clock, KeyLedger, LanguageModel, Random } from '../run/ports.ts';
import type { StopReason } from '../run/stop-reason.ts';
import type { Disk } from '../runlog/disk.ts';
import type { OwnerIdentity, ProcessTable } from '../runlog/owner-file.ts';
import type { Egress } from '../safety/egress.ts';
import type { Redactor } from '../safety/redaction.ts';
import type { WorkspaceReader } from '../tools/workspace.ts';

/** What both front ends hand in: the world outside a run. */
export interface Host {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly identity: OwnerIdentity;
  readonly processes: ProcessTable;
  readonly egress: Egress;
  readonly redactor: Redactor;
  readonly channels: readonly Channel[];
  /** What tells somebody when the thread of the run is blocked; none: nobody is told. */
  readonly watchdog?: WatchdogSettings;
  /** The spending ledger of the key for an origin, where the key has a limit of its own. */
  readonly ledgerFor?: (origin: string) => KeyLedger | null;
  /** The API key for an origin, or null. Asked before every request. */
  readonly keyFor: (origin: string) => Promise<string | null>;
  /** Where the token ranks of the build are. */
  readonly distDirectory: string;
  readonly environment: () => Promise<RunConfig['environment']>;
  /** The model of a run whose provider is `vscode-lm`; none: such a run cannot be worked on here. */
  readonly languageModel?: (config: RunConfig) => Promise<LanguageModel>;
  /** What a rehearsal reads. */
  readonly workspace: WorkspaceReader;
  /** Whether a person may answer reviews and resume pauses here, or answer reviews only. */
  readonly attended: boolean | 'reviews';
  /** Approves every review at once, as the person asked. */
  readonly skipReviews?: boolean;
  /** What happened that a person may want to look up; never anything secret. */
  readonly trace: (message: string) => void;
}

export interface StartOptions {
  readonly runsDirectory: string;
  /** With `vscode-lm` the settings' base URL is `vscode:lm/<vendor>/<family>`, and there are no embeddings. */
  readonly provider: 'openai' | 'rehearsal' | 'vscode-lm';
  readonly prices: { readonly overrides: readonly PriceOverride[]; readonly freeOrigins: readonly string[] };
  readonly promptOverrides: ReadonlyMap<string, { text: string; file: string }>;
  /** Non-secret settings as they were, for the config snapshot. */
  readonly snapshot: Readonly<Record<string, unknown>>;
  /** Slows a rehearsal down so that a person can watch, milliseconds a request. */
  readonly paceMs?: number;
}

export interface Outcome {
  readonly runId: string;
  readonly runDirectory: string;
  readonly stopReason: StopReason;
  readonly detail: string;
  readonly iterations: number;
  readonly costUsd: number;
}
