import { formatUsd, picoFromUsd } from '../budget/money.ts';
import { filesInWords } from '../run/review.ts';
import type { RunState } from '../run/state.ts';
import type { Translate } from '../run/translate.ts';

/** Why the pending review is due, in the language of whoever asks: the window, or the panel. */
export function reviewReason({ review, config: { loop } }: RunState, translated: Translate): string {
  const reason = review?.reason ?? 'iterations';
  switch (reason) {
    case 'cost':
      return translated('a review is due for each {0} spent', formatUsd(picoFromUsd(loop.review_every_usd)));
    case 'first_use':
      return translated(
        'the first use of a tool: {0} wants to write {1}',
        review?.firstUse?.task_id ?? '',
        filesInWords(review?.firstUse?.files ?? [], translated),
      );
    case 'iterations':
      return loop.review_every === 1
        ? translated('a review is due after every iteration')
        : translated('a review is due every {0} iterations', loop.review_every);
    default:
      return reason satisfies never;
  }
}
