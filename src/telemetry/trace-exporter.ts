import type { EventDraft, RunEvent } from '../run/events.ts';
import { jsonOrNull } from '../run/json.ts';
import { messageOf } from '../run/message.ts';
import type { Clock, Random } from '../run/ports.ts';
import type { RunState } from '../run/state.ts';
import { VERSION } from '../run/version.ts';
import { Egress, EgressError, type EgressResponse } from '../safety/egress.ts';
import { retryAfter } from '../safety/retry-after.ts';
import type { Collector } from './collector.ts';
import type { Span } from './otlp.ts';
import { spansEndedBy, tracesOf } from './traces.ts';

const EVERY_MS = 5000;
const TIMEOUT_MS = 10_000;
/** Spans of one request, of half a kilobyte to two each. */
const BATCH = 256;
/** Spans that wait; the oldest give way, as those of the run and its iterations come last. */
const MOST_WAITING = 4096;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;
/** What the end of a run gives to what is left, and what somebody who stopped it or closes the window does. */
const LAST_MS = 2000;
const LAST_IN_HASTE_MS = 500;
/** Statuses after which the same spans may be sent again (OTLP/HTTP). */
const PASSING: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** Reasons of the gate that another attempt does not change. */
const LASTING: ReadonlySet<EgressError['reason']> = new Set([
  'origin_not_allowed',
  'redirect_refused',
  'address_refused',
  'bad_header',
]);
/** What a collector answers, bytes, and says. */
const LONGEST_ANSWER = 64 * 1024;
const LONGEST_REMARK = 200;

/** What it needs of a run in progress. */
export interface FollowedRun {
  readonly state: RunState;
  readonly log: { append(...drafts: EventDraft[]): void };
  subscribe(listener: (event: RunEvent) => void): () => void;
}

export interface ExporterParts {
  readonly clock: Clock;
  readonly random: Random;
  /** Told once, where something goes wrong. */
  readonly trace: (message: string) => void;
}

/** What kept spans from being taken. */
interface Refusal {
  readonly why: string;
  /** Another attempt may help. */
  readonly passes: boolean;
  readonly retryAfterMs: number | null;
}

/**
 * Sends the spans of a run to a collector, each once it is complete. As good as it gets: whatever the collector does, the run goes
 * on and ends as it would have, and what did not arrive is in the log.
 */
export class TraceExporter {
  private readonly collector: Collector;
  private readonly parts: ExporterParts;
  /** A gate of its own: that of the run leads only where the run needs to go. */
  private readonly egress: Egress;
  private readonly waiting = new Map<string, Span>();
  private readonly closing = new AbortController();
  private run: FollowedRun | null = null;
  private letGo = (): void => undefined;
  private sending: Promise<void> | null = null;
  private closed: Promise<void> | null = null;
  private notBefore = 0;
  /** The collector wants the pause. */
  private askedToWait = false;
  private delay = FIRST_RETRY_MS;
  private told = false;

  constructor(collector: Collector, parts: ExporterParts) {
    this.collector = collector;
    this.parts = parts;
    this.egress = new Egress({ allowedOrigins: [] });
    this.egress.allow(collector.url, { allowPrivate: collector.allowPrivate });
  }

  /** From its first event of this process on: call it in the turn in which the run began. */
  follow(run: FollowedRun, everyMs = EVERY_MS): void {
    this.run = run;
    const unsubscribe = run.subscribe((event) => this.take(run.state, event));
    const timer = setInterval(() => void this.send(), everyMs).unref();
    this.letGo = () => {
      unsubscribe();
      clearInterval(timer);
    };
    try {
      // The summary names all hosts.
      run.log.append({ type: 'traces.started', origin: this.collector.origin });
    } catch (error) {
      // The log is lost, and so is the run here.
      this.tell(messageOf(error));
    }
  }

  /** Sends what is left, but does not wait long. */
  close(): Promise<void> {
    return (this.closed ??= this.end());
  }

  private async end(): Promise<void> {
    this.letGo();
    // There is no later: whoever was gone for a moment is asked once more.
    if (!this.askedToWait) this.notBefore = 0;
    const end = this.run?.state.end ?? null;
    const inHaste = end === null || end.reason === 'stopped_by_user';
    const over = new AbortController();
    const waited = this.parts.clock.sleep(inHaste ? LAST_IN_HASTE_MS : LAST_MS, over.signal);
    await Promise.race([this.drain(), waited]);
    over.abort();
    if (this.waiting.size > 0) this.tell(`${this.collector.origin} did not take them in time.`);
    this.closing.abort();
    this.egress.close();
  }

  private async drain(): Promise<void> {
    await this.sending;
    await this.send();
  }

  private take(state: RunState, event: RunEvent): void {
    try {
      for (const span of spansEndedBy(state, event)) {
        this.waiting.delete(span.spanId);
        this.waiting.set(span.spanId, span);
      }
    } catch (error) {
      // The run is worth more than its spans.
      this.tell(messageOf(error));
    }
    for (const [oldest] of this.waiting) {
      if (this.waiting.size <= MOST_WAITING) return;
      this.waiting.delete(oldest);
    }
  }

  /** One request at a time. Never rejects. */
  private send(): Promise<void> {
    return (this.sending ??= this.sendWaiting().finally(() => {
      this.sending = null;
    }));
  }

  private async sendWaiting(): Promise<void> {
    const { clock, random } = this.parts;
    while (this.waiting.size > 0 && !this.closing.signal.aborted && clock.monotonic() >= this.notBefore) {
      const batch = [...this.waiting.values()].slice(0, BATCH);
      const refusal = await this.post(batch);
      if (refusal === null || !refusal.passes) {
        // One that was made anew meanwhile waits on.
        for (const span of batch) if (this.waiting.get(span.spanId) === span) this.waiting.delete(span.spanId);
      }
      if (refusal === null) this.delay = FIRST_RETRY_MS;
      else {
        this.tell(refusal.why);
        this.askedToWait = refusal.retryAfterMs !== null;
        this.notBefore = clock.monotonic() + Math.max(refusal.retryAfterMs ?? 0, this.delay * (0.5 + random() / 2));
        this.delay = Math.min(this.delay * 2, LONGEST_RETRY_MS);
      }
    }
  }

  private async post(spans: readonly Span[]): Promise<Refusal | null> {
    const { url, origin, headers } = this.collector;
    try {
      const response = await this.egress.request({
        url,
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json', 'user-agent': `babyagi/${VERSION}` },
        body: Buffer.from(tracesOf(spans)),
        timeoutMs: TIMEOUT_MS,
        signal: this.closing.signal,
      });
      const { status } = response;
      if (status >= 200 && status < 300) {
        this.look(response);
        return null;
      }
      const why = `${origin} answered ${status}.`;
      return { why, passes: PASSING.has(status), retryAfterMs: retryAfter(response.headers) };
    } catch (error) {
      const passes = error instanceof EgressError && !LASTING.has(error.reason);
      return { why: messageOf(error), passes, retryAfterMs: null };
    }
  }

  /** What was taken in part must not be sent again; what was answered by something else may have gone anywhere. */
  private look({ body }: EgressResponse): void {
    if (body.byteLength === 0) return;
    const { origin } = this.collector;
    const answer = body.byteLength > LONGEST_ANSWER ? null : jsonOrNull(Buffer.from(body).toString('utf8'));
    if (!isRecord(answer)) return this.tell(`What answers at ${origin} is no collector: check the endpoint.`);
    const { partialSuccess } = answer;
    if (!isRecord(partialSuccess)) return;
    const { rejectedSpans, errorMessage } = partialSuccess;
    const rejected = typeof rejectedSpans === 'string' || typeof rejectedSpans === 'number' ? Number(rejectedSpans) : 0;
    const remark = typeof errorMessage === 'string' ? errorMessage.slice(0, LONGEST_REMARK) : '';
    if (rejected > 0 || remark !== '') this.tell(`${origin} did not take ${rejected} spans. ${remark}`.trim());
  }

  private tell(why: string): void {
    if (this.told) return;
    this.told = true;
    this.parts.trace(
      `Traces do not all arrive: ${why} The run is the same without; \`export <run folder> --traces\` writes all of them.`,
    );
  }
}

/** Of several runs, what is told of one need not be told of the others, too. */
export function tellingOnce<T extends ExporterParts>(parts: T): T {
  const told = new Set<string>();
  const trace = (message: string) => {
    if (told.has(message)) return;
    told.add(message);
    parts.trace(message);
  };
  return { ...parts, trace };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
