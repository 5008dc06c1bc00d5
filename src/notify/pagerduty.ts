import { hostname } from 'node:os';
import { usdFromPico } from '../budget/money.ts';
import type { Egress } from '../safety/egress.ts';
import { printable } from '../safety/text.ts';
import type { Channel, DeliveryFailure, Message } from './channel.ts';
import { post } from './post.ts';
import type { NoticeSettings } from './settings.ts';

/** What its API takes of a summary. */
const LONGEST_SUMMARY = 1024;

const SEVERITIES: Readonly<Record<string, 'critical' | 'error' | 'warning' | 'info'>> = {
  failed: 'critical',
  hang: 'critical',
  overdue: 'error',
  limit: 'warning',
  test: 'info',
  review: 'warning',
  paused: 'warning',
};

/**
 * PagerDuty, by its Events API v2. A run has one incident for what waits for a person, and one for what its watchdog saw,
 * as the one may be over while the other is not. They are resolved when the run goes on or ends well.
 */
export class PagerDuty implements Channel {
  readonly name = 'pagerduty';
  readonly origin: string;
  private readonly settings: NonNullable<NoticeSettings['pagerduty']>;
  private readonly egress: Egress;

  constructor(settings: NonNullable<NoticeSettings['pagerduty']>, egress: Egress) {
    this.settings = settings;
    this.origin = new URL(settings.url).origin;
    this.egress = egress;
  }

  takes(kind: string): boolean {
    return this.triggers(kind) || incidentsOver(kind, '').length > 0;
  }

  async send(message: Message, signal: AbortSignal): Promise<DeliveryFailure | null> {
    const { kind, runId } = message;
    if (this.triggers(kind) || kind === 'test') {
      const failure = await this.post(this.trigger(message), signal);
      if (kind !== 'test' || failure !== null) return failure;
    }
    for (const dedup_key of incidentsOver(kind, runId)) {
      const failure = await this.post({ event_action: 'resolve', dedup_key }, signal);
      if (failure !== null) return failure;
    }
    return null;
  }

  private triggers(kind: string): boolean {
    return this.settings.kinds.some((taken) => taken === kind);
  }

  private trigger({ id, kind, text, runId, at, standing }: Message): Record<string, unknown> {
    return {
      event_action: 'trigger',
      dedup_key: kind === 'hang' || kind === 'overdue' ? watchdogIncident(runId) : runIncident(runId),
      client: 'BabyAGI for VS Code',
      payload: {
        summary: printable(text, LONGEST_SUMMARY),
        source: hostname(),
        severity: SEVERITIES[kind] ?? 'error',
        timestamp: at,
        component: 'babyagi',
        group: runId,
        class: kind,
        custom_details: {
          notice_id: id,
          run_id: runId,
          reason: standing?.reason ?? null,
          iterations: standing?.iteration ?? null,
          settled_usd: standing && usdFromPico(standing.money.settled),
          held_usd: standing && usdFromPico(standing.money.held),
          limit_usd: standing?.maxCostUsd ?? null,
        },
      },
    };
  }

  private post(event: Record<string, unknown>, signal: AbortSignal): Promise<DeliveryFailure | null> {
    const { url, routingKey } = this.settings;
    const body = JSON.stringify({ routing_key: routingKey, ...event });
    return post(this.egress, 'PagerDuty', { url, headers: { 'content-type': 'application/json' }, body }, signal);
  }
}

const runIncident = (runId: string) => `babyagi/${runId}`;
const watchdogIncident = (runId: string) => `babyagi/${runId}/watchdog`;

/** What is over with a notice of this kind, where it is none that calls somebody. */
function incidentsOver(kind: string, runId: string): string[] {
  switch (kind) {
    // A process that hung may have been ended: nobody else says that it does not hang any more.
    case 'resumed':
      return [runIncident(runId), watchdogIncident(runId)];
    case 'continued':
    case 'ended':
    case 'limit':
    // A test calls nobody for long.
    case 'test':
      return [runIncident(runId)];
    case 'recovered':
      return [watchdogIncident(runId)];
    default:
      return [];
  }
}
