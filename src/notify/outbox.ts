import { randomUUID } from 'node:crypto';
import { progressWords } from '../run/cost-words.ts';
import type { RunEventOf } from '../run/events.ts';
import type { NoticeKind } from '../run/notice.ts';
import type { Clock, Random } from '../run/ports.ts';
import { readyTasks } from '../run/queue.ts';
import type { Notice, RunState } from '../run/state.ts';
import type { LogWriter } from '../runlog/writer.ts';
import type { Channel } from './channel.ts';

const HEARTBEAT_MS = 30 * 60_000;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 5 * 60_000;
const GIVE_UP_MS = 24 * 3_600_000;

/** How a run that lives stands. */
const STANDING: Readonly<Record<Exclude<RunState['status'], 'ended'>, string>> = {
  created: 'begins',
  running: 'is in progress',
  paused: 'is paused',
  review: 'waits for a checkpoint review',
};

type QueuedNotice = Pick<RunEventOf<'notice.queued'>, 'type' | 'notice_id' | 'kind' | 'text' | 'channels'>;

/**
 * Delivers the notices that the log holds: each at least once to every channel that it is for, in order, also those that an
 * earlier owner left behind. A channel that fails holds up no other one. Outcomes are events, so a notice is never silently
 * lost.
 */
export class Outbox {
  private readonly log: LogWriter;
  private readonly channels: readonly Channel[];
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly closing = new AbortController();
  private readonly timers: readonly NodeJS.Timeout[];
  private readonly unsubscribe: () => void;
  /** What each channel is at, and has to do after it. */
  private readonly working = new Map<Channel, Promise<void>>();

  constructor(log: LogWriter, channels: readonly Channel[], clock: Clock, random: Random) {
    this.log = log;
    this.channels = channels;
    this.clock = clock;
    this.random = random;
    this.unsubscribe = log.subscribe((event) => {
      if (event.type === 'notice.queued') this.deliverSoon(event.notice_id);
    });
    for (const { id } of log.state.notices.values()) this.deliverSoon(id);
    const pulses = channels.flatMap((channel) => {
      const { pulse } = channel;
      return pulse ? [[pulse.everyMs, () => this.pulse(channel, pulse)] as const] : [];
    });
    const regular = channels.length === 0 ? [] : [[HEARTBEAT_MS, () => this.beat()] as const, ...pulses];
    this.timers = regular.map(([everyMs, work]) => setInterval(work, everyMs).unref());
  }

  /** The event that queues a notice, for the batch of what it tells; none where nobody listens. */
  notice(kind: NoticeKind, text: string, to: readonly Channel[] = this.channels): QueuedNotice[] {
    const channels = to.filter((channel) => channel.takes(kind)).map(({ name }) => name);
    if (channels.length === 0) return [];
    return [{ type: 'notice.queued', notice_id: randomUUID().slice(0, 8), kind, text, channels }];
  }

  /** Notices that somebody here has still to be told. */
  get left(): number {
    return [...this.log.state.notices.values()].filter((notice) => this.channels.some((each) => isFor(each, notice)))
      .length;
  }

  /** Waits for what is being delivered, but not for long; the next owner of the run delivers the rest. */
  async close(atMostMs: number): Promise<void> {
    this.unsubscribe();
    for (const timer of this.timers) clearInterval(timer);
    if (this.working.size === 0) return this.closing.abort();
    const working = Promise.all(this.working.values());
    await Promise.race([working, this.clock.sleep(atMostMs, this.closing.signal)]);
    this.closing.abort();
    await working;
  }

  private beat(): void {
    const { state } = this.log;
    if (state.status === 'ended' || this.log.lost) return;
    const beats = [...state.notices.values()].filter(({ kind }) => kind === 'heartbeat');
    // One that has not gone out yet says the same.
    const idle = this.channels.filter((channel) => !beats.some((beat) => isFor(channel, beat)));
    const ready = readyTasks(state).length;
    const tasks = ready === 1 ? '1 task waiting' : `${ready} tasks waiting`;
    const text = `BabyAGI run ${STANDING[state.status]}: ${progressWords(state)}, ${tasks}. Objective: ${state.config.objective}`;
    this.log.append(...this.notice('heartbeat', text, idle));
  }

  /** Not beside a notice: what arrives after the end would say that the run lives. */
  private pulse(channel: Channel, pulse: NonNullable<Channel['pulse']>): void {
    const { status, config } = this.log.state;
    // Whoever took the run over speaks for it.
    if (status === 'ended' || this.log.lost || this.working.has(channel)) return;
    this.workSoon(channel, () => pulse.send(config.run_id, this.closing.signal));
  }

  private deliverSoon(id: string): void {
    const notice = this.log.state.notices.get(id);
    for (const channel of notice ? this.channels.filter((each) => isFor(each, notice)) : [])
      this.workSoon(channel, () => this.deliver(channel, id));
  }

  private workSoon(channel: Channel, work: () => Promise<unknown>): void {
    const before = this.working.get(channel) ?? Promise.resolve();
    const done = before.then(work).then(() => {
      if (this.working.get(channel) === done) this.working.delete(channel);
    });
    this.working.set(channel, done);
  }

  private async deliver(channel: Channel, id: string): Promise<void> {
    const notice = this.log.state.notices.get(id);
    if (!notice || !isFor(channel, notice)) return;
    const { kind, text, queuedAt: at } = notice;
    const message = { id, kind, text, runId: this.log.config.run_id, at, standing: notice };
    const started = this.clock.monotonic();
    for (let delay = FIRST_RETRY_MS; !this.closing.signal.aborted; delay = Math.min(delay * 2, LONGEST_RETRY_MS)) {
      const failure = await channel.send(message, this.closing.signal);
      if (this.log.lost) return;
      if (failure === null) {
        this.log.append({ type: 'notice.sent', notice_id: id, channel: channel.name, origin: channel.origin });
        return;
      }
      const final = failure.permanent || this.clock.monotonic() - started > GIVE_UP_MS;
      this.log.append({
        type: 'notice.failed',
        notice_id: id,
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

/** Whether the channel has still to be told. */
function isFor(channel: Channel, { kind, channels, outcomes, status }: Notice): boolean {
  if (status !== 'queued' || outcomes.has(channel.name)) return false;
  return channels === null ? channel.takes(kind) : channels.includes(channel.name);
}
