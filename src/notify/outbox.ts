import { randomUUID } from 'node:crypto';
import type { Clock, Random } from '../run/ports.ts';
import type { LogWriter } from '../runlog/writer.ts';
import { spentOfLimit } from '../run/cost-words.ts';
import { readyTasks } from '../run/queue.ts';
import type { Channel } from './channel.ts';

const HEARTBEAT_MS = 30 * 60_000;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 5 * 60_000;
const GIVE_UP_MS = 24 * 3_600_000;

/**
 * Delivers the notices that the log holds: each at least once, in order, also those that an earlier owner left behind.
 * Outcomes are events, so a notice is never silently lost.
 */
export class Outbox {
  private readonly log: LogWriter;
  private readonly channels: readonly Channel[];
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly closing = new AbortController();
  private readonly heartbeat: NodeJS.Timeout | null = null;
  private readonly unsubscribe: () => void;
  private working: Promise<void> = Promise.resolve();

  constructor(log: LogWriter, channels: readonly Channel[], clock: Clock, random: Random) {
    this.log = log;
    this.channels = channels;
    this.clock = clock;
    this.random = random;
    this.unsubscribe = log.subscribe((event) => {
      if (event.type === 'notice.queued') this.deliverSoon(event.notice_id);
    });
    if (channels.length === 0) return;
    for (const notice of log.state.notices.values()) if (notice.status === 'queued') this.deliverSoon(notice.id);
    this.heartbeat = setInterval(() => this.beat(), HEARTBEAT_MS);
    this.heartbeat.unref();
  }

  /** The event that queues a notice, for the batch of what it tells; none where nobody listens. */
  notice(kind: string, text: string): { type: 'notice.queued'; notice_id: string; kind: string; text: string }[] {
    return this.channels.length === 0
      ? []
      : [{ type: 'notice.queued', notice_id: randomUUID().slice(0, 8), kind, text }];
  }

  /** Waits for what is being delivered, but not for long; the next owner of the run delivers the rest. */
  async close(atMostMs: number): Promise<void> {
    this.unsubscribe();
    if (this.heartbeat) clearInterval(this.heartbeat);
    if (this.channels.length === 0) return;
    await Promise.race([this.working, this.clock.sleep(atMostMs, this.closing.signal)]);
    this.closing.abort();
    await this.working;
  }

  private beat(): void {
    const { state } = this.log;
    if (state.status === 'ended' || this.log.lost) return;
    const pending = [...state.notices.values()].some(({ kind, status }) => kind === 'heartbeat' && status === 'queued');
    // One that has not gone out yet says the same.
    if (pending) return;
    const spent = spentOfLimit(state, state.money.settled);
    this.log.append(
      ...this.notice(
        'heartbeat',
        `BabyAGI run is ${state.status}: iteration ${state.iteration}, ${readyTasks(state).length} tasks waiting, ${spent}. Objective: ${state.config.objective}`,
      ),
    );
  }

  private deliverSoon(id: string): void {
    this.working = this.working.then(() => this.deliver(id));
  }

  private async deliver(id: string): Promise<void> {
    const notice = this.log.state.notices.get(id);
    if (!notice || notice.status !== 'queued') return;
    for (const channel of this.channels) await this.deliverTo(channel, notice);
  }

  private async deliverTo(channel: Channel, notice: { id: string; kind: string; text: string }): Promise<void> {
    const started = this.clock.monotonic();
    for (let delay = FIRST_RETRY_MS; !this.closing.signal.aborted; delay = Math.min(delay * 2, LONGEST_RETRY_MS)) {
      const failure = await channel.send(notice, this.closing.signal);
      if (this.log.lost) return;
      if (failure === null) {
        this.log.append({ type: 'notice.sent', notice_id: notice.id, channel: channel.name, origin: channel.origin });
        return;
      }
      const final = failure.permanent || this.clock.monotonic() - started > GIVE_UP_MS;
      this.log.append({
        type: 'notice.failed',
        notice_id: notice.id,
        channel: channel.name,
        error: failure.error,
        final,
      });
      if (final) return;
      // A server that asks for no pause, or for years, gets ours.
      const wait = Math.min(GIVE_UP_MS, Math.max(failure.retryAfterMs ?? 0, delay * (0.5 + this.random() / 2)));
      await this.clock.sleep(wait, this.closing.signal);
    }
  }
}
