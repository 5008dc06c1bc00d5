import type { Agent } from './events.ts';
import type { ModelError, Random } from './ports.ts';

/** How long to wait before the next attempt, or null to give up. `attempt` counts from 1. */
export type RetryPolicy = (error: ModelError, attempt: number, random: Random, agent: Agent) => number | null;

const BASE_MS = 500;
const CAP_MS = 60_000;
export const MAX_ATTEMPTS = 6;

/** Whether another attempt may go better at all. */
export function isTransient(error: ModelError): boolean {
  switch (error.reason) {
    case 'rate_limited':
    case 'unreachable':
    case 'timeout':
    case 'interrupted':
    case 'server_error':
    case 'bad_reply':
      return true;
    case 'no_key':
    case 'not_an_api':
    case 'bad_key':
    case 'quota':
    case 'model_not_found':
    case 'context_too_long':
    case 'content_refused':
    case 'unsupported':
    case 'bad_request':
    case 'origin_refused':
    case 'aborted':
      return false;
  }
}

/**
 * Exponential back-off with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"), which a server's
 * Retry-After overrules however long it is.
 */
export const guardedRetry: RetryPolicy = (error, attempt, random) => {
  if (!isTransient(error)) return null;
  // Zero seconds is no answer to how long: without a pause it would be a storm.
  if (error.retryAfterMs !== null && error.retryAfterMs > 0)
    return attempt < MAX_ATTEMPTS * 4 ? error.retryAfterMs : null;
  if (attempt >= MAX_ATTEMPTS) return null;
  return random() * Math.min(CAP_MS, BASE_MS * 2 ** attempt);
};

/** The first request of a run: a person is watching, so a server that is not there is said soon. */
export const firstRequestRetry: RetryPolicy = (error, attempt, random, agent) =>
  attempt < 3 ? guardedRetry(error, attempt, random, agent) : null;

/**
 * The original waits ten seconds and tries a chat request for ever, also where that cannot help, and an embedding
 * request never. Our limits still end the run.
 */
export const classicRetry: RetryPolicy = (error, _attempt, _random, agent) => {
  if (agent === 'embedding') return null;
  return isTransient(error) || FUTILE.has(error.reason) ? 10_000 : null;
};

const FUTILE: ReadonlySet<ModelError['reason']> = new Set([
  'bad_request',
  'content_refused',
  'context_too_long',
  'quota',
]);
