import type { RunConfig } from '../run/config.ts';
import { inEnglish, type Translate, wordsOf } from '../run/translate.ts';
import { raiseProblem } from '../run/raise.ts';
import { runFolder } from '../runlog/folder.ts';
import { keepReserve } from '../runlog/reserve.ts';
import { OriginError, parseOrigin } from '../safety/origin.ts';
import { EngineError, onDisk } from './engine-error.ts';
import type { Host } from './host.ts';
import { modelElsewhere } from './model.ts';
import { owning } from './owning.ts';
import { readConfig, readState } from './read.ts';
import { raisesOf, resumeEvents, type ResumeOptions } from './resume-events.ts';
import { Session } from './session.ts';

/** Takes a run folder up where its log ends. Throws EngineError where it cannot go on; then nothing was changed. */
export async function resumeRun(directory: string, options: ResumeOptions, host: Host): Promise<Session> {
  const { disk } = host;
  const folder = runFolder(directory);
  const { config, bytes } = await readConfig(disk, folder);
  checkServer(config, host);
  return onDisk(directory, async () => {
    if (await disk.exists(folder.imported))
      throw new EngineError('imported', (translated) => [
        translated('{0} came from an archive: the run can be looked at, not resumed.', directory),
      ]);
    return owning(folder, host, async (ownership) => {
      const { state, end } = await readState(disk, folder, config);
      // Perhaps only just now, while its owner was waited for: what a person stopped does not go on by itself.
      if (state.status === 'ended' && state.epoch > (options.unlessEndedAfter ?? Number.POSITIVE_INFINITY))
        throw new EngineError('has_ended', (translated) => [
          translated('The run in {0} has ended: a person may go on with it.', directory),
        ]);
      if (config.forked_from && state.tasks.size === 0)
        throw new EngineError('damaged', (translated) => [
          translated('This fork was interrupted before it had the state of its other run: fork that one again.'),
        ]);
      const raises = raisesOf(state, options);
      const problems = (translated: Translate) =>
        raises.flatMap(([limit, to]) => raiseProblem(state, limit, to, translated) ?? []);
      if (problems(inEnglish).length > 0) throw new EngineError('configuration', problems);
      await keepReserve(disk, folder);
      const session = await Session.open(host, folder, bytes, state, end, ownership, options.paceMs);
      session.begin(resumeEvents(session.state, options));
      return session;
    });
  });
}

/** A folder may come from anywhere, and so may the address in it. */
function checkServer(
  { model: { provider, base_url } }: RunConfig,
  { languageModel }: Pick<Host, 'languageModel'>,
): void {
  if (provider === 'rehearsal') return;
  if (provider === 'vscode-lm') {
    if (languageModel === undefined) throw modelElsewhere();
    return;
  }
  try {
    parseOrigin(base_url, { allowPrivate: true });
  } catch (error) {
    if (error instanceof OriginError)
      throw new EngineError('damaged', (translated) => [
        translated('The server of this run cannot be used: {0}', wordsOf(error, translated)),
      ]);
    throw error;
  }
}
