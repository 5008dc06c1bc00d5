import type { RunEvent } from './events.ts';
import { type Translate, TranslatableError } from './translate.ts';

/** The log contradicts itself: an event names a task or call that is not there, or in another state. */
export class FoldError extends TranslatableError {
  readonly reason = 'inconsistent';

  /** `what` with `{0}`, `{1}` … for the values, and without a full stop. */
  constructor(event: RunEvent, what: string, ...values: readonly (string | number)[]) {
    super((translated) => {
      const filled: Translate = translated;
      return translated('Event {0} ({1}): {2}.', event.seq, event.type, filled(what, ...values));
    });
    this.name = 'FoldError';
  }
}
