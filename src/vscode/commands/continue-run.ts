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
import { resumeFolder } from './resume-folder.ts';

export function isLimit(reason: StopReason | null): boolean {
  return reason !== null && reason in LIMIT_OF;
}

/** The limit of its own that a run ended by. One that its key ended goes on by itself once the key has more. */
export function reachedLimit({ end }: RunState): LimitName | undefined {
  return end === null || isKeyLimit(end) ? undefined : LIMIT_OF[end.reason];
}

/** Raises a limit of a run, and goes on with it where it had ended. */
export async function continueRun(app: App, argument: unknown): Promise<void> {
  const title = vscode.l10n.t('Continue with More');
  const entry = await pickRun(app, argument, title, ({ isElsewhere, brief }) => !isElsewhere && !brief.imported);
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
export async function pickLimit({ limits, config }: RunState, title: string): Promise<LimitName | undefined> {
  const { LIMIT_WORDS } = await import('../run-world.ts');
  // Nothing is spent where the cost is included: more of that limit is no more of anything.
  const items = (Object.keys(LIMIT_WORDS) as LimitName[]).flatMap((limit) => {
    const now = limits[limit];
    if (now === undefined || (limit === 'max_cost_usd' && isIncluded(config))) return [];
    return [{ label: l10n.known(LIMIT_WORDS[limit].name), description: vscode.l10n.t('now {0}', now), limit }];
  });
  return (
    await vscode.window.showQuickPick(items, { title, placeHolder: vscode.l10n.t('Which limit is to be raised?') })
  )?.limit;
}

/** The new value of a limit, above the present one. Undefined: cancelled. */
export async function askRaise({ limits }: RunState, limit: LimitName, title: string): Promise<number | undefined> {
  const { LIMIT_WORDS, limitProblem } = await import('../run-world.ts');
  const now = limits[limit] ?? 0;
  const [name, range] = [l10n.known(LIMIT_WORDS[limit].name), l10n.known(LIMIT_WORDS[limit].range)];
  const answer = await askText({
    title,
    prompt: vscode.l10n.t('The new {0}; it is {1} now. Give {2}.', name, now, range),
    value: String(limit === 'max_iterations' ? now + 10 : now * 2),
    problem: (text) => {
      const value = Number(text.trim().replace(',', '.'));
      if (text.trim() === '' || Number.isNaN(value)) return vscode.l10n.t('Give {0}.', range);
      return limitProblem(limit, value, l10n.t) ?? (value > now ? null : vscode.l10n.t('Give more than {0}.', now));
    },
  });
  return typeof answer === 'string' ? Number(answer.trim().replace(',', '.')) : undefined;
}
