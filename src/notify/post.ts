import { type Egress, EgressError } from '../safety/egress.ts';
import { retryAfter } from '../safety/retry-after.ts';
import type { DeliveryFailure } from './channel.ts';

const TIMEOUT_MS = 10_000;

/** One POST. `who` begins the sentence of a failure; the address may be a secret, so that only its origin is told. */
export async function post(
  egress: Egress,
  who: string,
  { url, headers, body }: { readonly url: string; readonly headers: Record<string, string>; readonly body: string },
  signal: AbortSignal,
): Promise<DeliveryFailure | null> {
  try {
    const { status, headers: answered } = await egress.request({
      url,
      method: 'POST',
      headers,
      body: Buffer.from(body),
      timeoutMs: TIMEOUT_MS,
      signal,
    });
    if (status >= 200 && status < 300) return null;
    return {
      error: { class: `status_${status}`, message: `${who} at ${new URL(url).origin} answered ${status}.` },
      permanent: status >= 400 && status < 500 && status !== 408 && status !== 429,
      retryAfterMs: retryAfter(answered),
    };
  } catch (error) {
    return notReached(error);
  }
}

/** Throws what is no EgressError. */
export function notReached(error: unknown): DeliveryFailure {
  if (!(error instanceof EgressError)) throw error;
  const permanent = error.reason === 'origin_not_allowed' || error.reason === 'bad_header';
  return { error: { class: error.reason, message: error.message }, permanent, retryAfterMs: null };
}
