import { inEnglish, type Translate } from '../run/translate.ts';
import { BUILD } from '../run/version.ts';
import type { Replay } from './replay.ts';

/** What a replay found, in sentences: the figures first, then what differs and what that may come from. */
export function replaySentences(replay: Replay, translated: Translate = inEnglish): string[] {
  const { identical, calls, events, difference, problem, stopReason } = replay;
  const figures = identical
    ? translated('replayed: {0} calls, {1} events, identical', calls, events)
    : translated('replayed: {0} calls, {1} events, different', calls, events);
  const sentences = [figures];
  if (difference !== null) {
    const { seq, type, at, recorded, replayed } = difference;
    sentences.push(
      at === ''
        ? translated('Event {0} ({1}) of the log is {2}; the replay gives {3}.', seq, type, recorded, replayed)
        : translated('Event {0} ({1}), {2}: the log has {3}; the replay gives {4}.', seq, type, at, recorded, replayed),
    );
  }
  if (problem !== null) sentences.push(translated('A file is not what the log gives: {0}', problem));
  if (!identical && isOfOtherVersion(replay)) {
    const named = replay.versions.map((version) => version ?? translated('one that did not say')).join(', ');
    sentences.push(
      translated('The log is of version {0}, and this is {1}: the difference may be one between them.', named, BUILD),
    );
  }
  if (identical && stopReason === null)
    sentences.push(translated('The log ends before the run does: it was replayed up to there.'));
  return sentences;
}

/** Whether another version than this one wrote any of the log. */
function isOfOtherVersion({ versions }: Pick<Replay, 'versions'>): boolean {
  return versions.some((version) => version !== BUILD);
}
