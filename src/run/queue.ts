/** Of the state of a run: the ids of the waiting tasks in their order, and the tasks. */
interface Queue {
  readonly pending: readonly string[];
  readonly tasks: ReadonlyMap<string, { readonly state: string }>;
}

/** Why a run pauses that has nothing but blocked tasks left. */
export const ONLY_BLOCKED_WAIT = 'Only blocked tasks wait. Unblock one, or add one; resuming ends the run.';

/** The waiting tasks that nobody holds back, in their order. */
export function readyTasks({ pending, tasks }: Queue): string[] {
  return pending.filter((id) => tasks.get(id)?.state !== 'blocked');
}

/** The task that the next iteration takes. */
export function firstReady({ pending, tasks }: Queue): string | undefined {
  return pending.find((id) => tasks.get(id)?.state !== 'blocked');
}

/** The list with the named tasks put, in that order, into the places that they hold together. */
export function permuted(pending: readonly string[], order: readonly string[]): string[] {
  const named = new Set(order);
  const known = new Set(pending);
  const queue = order.filter((id, index) => known.has(id) && order.indexOf(id) === index);
  let next = 0;
  return pending.map((id) => (named.has(id) ? (queue[next++] ?? id) : id));
}

/** A new list in place of the old one, in which blocked tasks keep their places. */
export function replacedAround({ pending, tasks }: Queue, list: readonly string[]): string[] {
  const queue = [...list];
  pending.forEach((id, place) => {
    if (tasks.get(id)?.state === 'blocked') queue.splice(place, 0, id);
  });
  return queue;
}
