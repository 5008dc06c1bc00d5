import type { Session } from '../engine/session.ts';
import { nodeDisk } from '../runlog/disk.ts';
import { type Command, Inbox } from './inbox.ts';
import type { World } from './run-world.ts';

/** How often a window looks for what other windows ask of it. */
const LOOK_MS = 500;

/** Carries out what other windows ask of a run or an experiment, as long as it is this window's; until the timer is cleared. */
export function obey(
  { inboxDirectory, output }: Pick<World, 'inboxDirectory' | 'output'>,
  id: string,
  isOurs: () => Promise<boolean>,
  act: (command: Command) => void,
): NodeJS.Timeout {
  const inbox = new Inbox(nodeDisk, inboxDirectory);
  let busy = false;
  const look = async () => {
    if (busy) return;
    busy = true;
    try {
      if (await isOurs()) await inbox.take(id, act);
    } catch (error) {
      output.error(`What another window asks of ${id} could not be read.`, error);
    } finally {
      busy = false;
    }
  };
  return setInterval(() => void look(), LOOK_MS).unref();
}

/** Throws SteerError. */
export function carryOut(session: Session, command: Command): void {
  switch (command.do) {
    case 'stop':
      return session.stop();
    case 'pause':
      return session.steering.pause();
    case 'resume':
      return session.steering.resume();
    case 'approve_review':
      return session.steering.decideReview('approve', command.digest, 'another window');
    case 'stop_at_review':
      return session.steering.decideReview('stop', command.digest, 'another window');
    default:
      command satisfies never;
  }
}
