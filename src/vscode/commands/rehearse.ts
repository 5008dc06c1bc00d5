import * as vscode from 'vscode';
import type { App } from '../app.ts';
import { limitsIn } from '../settings.ts';
import { BACK, runSteps } from '../steps.ts';
import { askFolder, settingsOf } from '../workspace.ts';
import { l10n } from '../panel-l10n.ts';
import { launch } from './launch.ts';
import { limitOf } from './run-draft.ts';
import { askObjective } from './run-objective.ts';
import { askLimitText, tellSettings } from './run-questions.ts';

const ASKED = ['max_iterations', 'max_cost_usd'] as const;
/** The settings count, as they do for a run. */
const NOT_ASKED = ['max_requests', 'max_tokens', 'max_wall_time_minutes', 'task_timeout_seconds'] as const;

/** A run with the built-in offline model: no key, no network, nothing spent. */
export async function rehearse(app: App): Promise<void> {
  const folder = await askFolder();
  if (!folder) return;
  const title = vscode.l10n.t('Rehearse Objective (offline, nothing is spent)');
  const draft = { objective: '', limits: { max_iterations: '10', max_cost_usd: '1' } };
  const note = vscode.l10n.t('A rehearsal counts what the model would cost; nothing is spent.');
  const steps = [
    () => askObjective(draft, title, 3),
    ...ASKED.map((limit, index) => async () => {
      const answer = await askLimitText(limit, draft.limits[limit], { title, step: index + 2, totalSteps: 3, note });
      if (answer === BACK) return 'back' as const;
      if (answer === undefined) return 'cancel' as const;
      draft.limits[limit] = answer;
      return 'next' as const;
    }),
  ];
  if (!(await runSteps(steps))) return;

  const configured = settingsOf(folder);
  const { checkSettings } = await import('../run-world.ts');
  const checked = checkSettings(
    {
      ...configured.raw,
      ...limitsIn(configured, NOT_ASKED),
      objective: draft.objective,
      max_iterations: limitOf(draft.limits.max_iterations),
      max_cost_usd: limitOf(draft.limits.max_cost_usd),
    },
    l10n.t,
  );
  if ('problems' in checked) return tellSettings(checked.problems);
  await launch(app, { settings: checked.settings, provider: 'rehearsal', configured, folder });
}
