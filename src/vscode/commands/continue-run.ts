import * as vscode from 'vscode';
import { isIncluded } from '../../run/cost-words.ts';
import type { LimitName } from '../../run/limits.ts';
import type { RunState } from '../../run/state.ts';
import { isKeyLimit, LIMIT_OF, type StopReason } from '../../run/stop-reason.ts';
import type { App } from '../app.ts';
import { inMessage } from '../labels.ts';
import { l10n } from '../panel-l10n.ts';
import { pickRun } from '../pick-run.ts';
import { watchRun } from '../progress.ts';
import { askText } from '../steps.ts';
import { tellProblem } from '../tell.ts';
import type { RunEntry } from '../runs.ts';
import { resumeFolder } from './resume-folder.ts';

export function isLimit(reason: StopReason | null): boolean {
  return reason !== null && reason in LIMIT_OF;
}

/** The limit of its own that a run ended by. One that its key ended goes on by itself once the key has more. */
export function reachedLimit({ end }: RunState): LimitName | undefined {
  return end === null || isKeyLimit(end) ? undefined : LIMIT_OF[end.reason];
}

/** Goes on with a run that is not in progress, with more of a limit. */
export function continueRun(app: App, argument: unknown): Promise<void> {
  return giveMore(
    app,
    argument,
    vscode.l10n.t('Continue with More'),
    ({ session, isElsewhere, brief }) => session === null && !isElsewhere && !brief.imported,
  );
}

/** Raises a limit of a run in progress here, or adds one that it was started without. */
export function raiseLimit(app: App, argument: unknown): Promise<void> {
  return giveMore(app, argument, vscode.l10n.t('Raise a Limit'), ({ session }) => session !== null);
}

async function giveMore(app: App, argument: unknown, title: string, fits: (entry: RunEntry) => boolean): Promise<void> {
  const entry = await pickRun(app, argument, title, fits);
  const run = entry && (await app.runs.open(entry.runId));
  if (!entry || !run) {
    if (entry?.problem) void vscode.window.showErrorMessage(inMessage(entry.problem, 500));
    return;
  }
  const reached = reachedLimit(run.state);
  const limit = reached ?? (await pickLimit(run.state, title));
  if (limit === undefined) return;
  const to = await askRaise(run.state, limit, title);
  if (to === undefined) return;
  const { session } = entry;
  if (session) {
    try {
      session.steering.raiseLimit(limit, to);
    } catch (error) {
      await tellProblem(app, vscode.l10n.t('The limit was not raised.'), error);
    }
    return;
  }
  const resumed = await resumeFolder(app, entry, { [limit]: to });
  if (resumed) watchRun(app.runs, resumed);
}

/** Also used in a review. */
export async function pickLimit(state: RunState, title: string): Promise<LimitName | undefined> {
  const { LIMIT_WORDS, usedWithout } = await import('../run-world.ts');
  // Nothing is spent where the cost is included: more of that limit is no more of anything.
  const items = (Object.keys(LIMIT_WORDS) as LimitName[])
    .filter((limit) => limit !== 'max_cost_usd' || !isIncluded(state.config))
    .map((limit) => {
      const used = usedWithout(state, limit);
      const description =
        used === null ? vscode.l10n.t('now {0}', state.limits[limit] ?? 0) : vscode.l10n.t('none now, {0} used', used);
      return { label: l10n.known(LIMIT_WORDS[limit].name), description, limit };
    });
  return (
    await vscode.window.showQuickPick(items, {
      title,
      placeHolder: vscode.l10n.t('Which limit is to be raised, or added?'),
    })
  )?.limit;
}

/** The new value of a limit: above the present one, or no less than what is used where there is none. Undefined: cancelled. */
export async function askRaise(state: RunState, limit: LimitName, title: string): Promise<number | undefined> {
  const { LIMIT_WORDS, raiseProblem, usedWithout } = await import('../run-world.ts');
  const used = usedWithout(state, limit);
  const now = state.limits[limit] ?? 0;
  const [name, range] = [l10n.known(LIMIT_WORDS[limit].name), l10n.known(LIMIT_WORDS[limit].range)];
  const answer = await askText({
    title,
    prompt:
      used === null
        ? vscode.l10n.t('The new {0}; it is {1} now. Give {2}.', name, now, range)
        : vscode.l10n.t('The {0}, which the run has not got; {1} are used. Give {2}.', name, used, range),
    value: String(limit === 'max_iterations' ? now + 10 : 2 * (used ?? now)),
    problem: (text) => {
      const value = Number(text.trim().replace(',', '.'));
      if (text.trim() === '' || Number.isNaN(value)) return vscode.l10n.t('Give {0}.', range);
      const problem = raiseProblem(state, limit, value, l10n.t);
      return problem ?? (used !== null || value > now ? null : vscode.l10n.t('Give more than {0}.', now));
    },
  });
  return typeof answer === 'string' ? Number(answer.trim().replace(',', '.')) : undefined;
}
