import type { ExperimentFile } from './experiment-file.ts';
import { seededRandom } from './seeded-random.ts';

export interface PlannedTrial {
  readonly variant: string;
  /** From 1. */
  readonly trial: number;
  /** The sampling seed of its run: the same for this trial of every variant. */
  readonly seed: number;
}

/**
 * The order in which trials are taken: trial 1 of all variants, then trial 2 …, so that what changes at the server meets all of
 * them, and an experiment that ends early is paired. Within such a block the order is shuffled (Fisher and Yates).
 */
export function trialOrder({ variants, trials, seed }: ExperimentFile): PlannedTrial[] {
  return Array.from({ length: trials }, (_, index) => {
    const trial = index + 1;
    const random = seededRandom('order', seed, trial);
    const block = variants.map(({ name }) => ({ variant: name, trial, seed: seed + trial }));
    for (let last = block.length - 1; last > 0; last--) {
      const chosen = Math.floor(random() * (last + 1));
      const [one, other] = [block[last], block[chosen]];
      if (one && other) [block[last], block[chosen]] = [other, one];
    }
    return block;
  }).flat();
}
