import { basename } from 'node:path';
import * as vscode from 'vscode';
import type { App } from '../app.ts';
import { type CheckedExperiment, checkExperiment, type ExperimentPlace } from '../experiment-check.ts';
import { watchExperiment } from '../experiment-progress.ts';
import { capWords, dollars } from '../experiment-words.ts';
import { experimentsDirectoryOf } from '../experiments-directory.ts';
import { EXPERIMENTS_VIEW } from '../ids.ts';
import { inQuickPick } from '../labels.ts';
import { folderProblems, originOf } from '../run-world.ts';
import { askPick, BACK } from '../steps.ts';
import { tellProblem } from '../tell.ts';
import { mayRun, pickFolder, promptsDirectoryOf, settingsOf } from '../workspace.ts';
import { accessTo } from './run-objective.ts';

const SUFFIX = '.experiment.json';
/** Offered for how many runs at once; more are for the terminal, as all share this window. */
const PARALLEL = [1, 2, 4];
/** A dialog does not scroll. */
const MOST_PROBLEMS = 15;

/** Runs an experiment file: the one of the explorer or the editor, or one that a person picks. */
export async function runExperiment(app: App, argument?: unknown): Promise<void> {
  if (!(await mayRun())) return;
  const uri = await fileOf(argument);
  if (!uri) return;
  const failed = vscode.l10n.t('The experiment was not started.');
  const folder = vscode.workspace.getWorkspaceFolder(uri) ?? (await pickFolder());
  if (!folder) return;
  try {
    // What stands in the editor is what is meant.
    const open = vscode.workspace.textDocuments.find((document) => document.uri.toString() === uri.toString());
    if (open?.isDirty === true && !(await open.save())) return;
    const configured = settingsOf(folder);
    const workspace = folder.uri.fsPath;
    const promptsDirectory = promptsDirectoryOf(folder, configured);
    const experimentsDirectory = experimentsDirectoryOf(folder);
    const { redactor } = app.control;
    const place = { path: uri.fsPath, configured, workspace, promptsDirectory, redactor };
    const links = await folderProblems({ workspace, runsDirectory: experimentsDirectory, promptsDirectory });
    const asWritten = await checkExperiment(place, false);
    const problems = [...('problems' in asWritten ? asWritten.problems : []), ...links];
    if (!('checked' in asWritten) || problems.length > 0) return await tellProblems(uri, problems);
    const choice = await confirm(app, asWritten.checked, place);
    if (choice === undefined) return;
    if (choice === 'open') return void (await vscode.window.showTextDocument(uri));
    const checked = choice.rehearses ? await checkExperiment(place, true) : asWritten;
    if ('problems' in checked) return await tellProblems(uri, checked.problems);
    const { text, file, provider, configs, baseUrl } = checked.checked;
    const isRehearsal = provider === 'rehearsal';
    if (!isRehearsal && (await accessTo(app, originOf(baseUrl, configured), Promise.resolve([]))) !== 'server') return;
    const experiments = await app.experiments();
    const directory = await experiments.control.start({
      configured,
      baseUrl: isRehearsal ? null : baseUrl,
      workspace,
      parallel: choice.parallel,
      experimentsDirectory,
      made: { text, file, variants: configs, provider },
    });
    await experiments.scan();
    watchExperiment(experiments, directory, file.name);
    await vscode.commands.executeCommand(`${EXPERIMENTS_VIEW}.focus`);
  } catch (error) {
    await tellProblem(app, failed, error);
  }
}

/** The file of the argument, that in front, the only one, or the one that a person picks. */
async function fileOf(argument: unknown): Promise<vscode.Uri | undefined> {
  if (argument instanceof vscode.Uri) return argument;
  const front = vscode.window.activeTextEditor?.document.uri;
  if (front?.path.endsWith(SUFFIX) === true) return front;
  const found = await vscode.workspace.findFiles(`**/*${SUFFIX}`, '**/{node_modules,.babyagi}/**', 200);
  if (found.length === 0) {
    const make = vscode.l10n.t('New Experiment File…');
    const message = vscode.l10n.t('There is no experiment file (*.experiment.json) in this workspace yet.');
    if ((await vscode.window.showInformationMessage(message, make)) === make)
      await vscode.commands.executeCommand('babyagi.newExperiment');
    return undefined;
  }
  if (found.length === 1) return found[0];
  const items = found
    .map((uri) => ({ label: basename(uri.path), description: vscode.workspace.asRelativePath(uri), uri }))
    .sort((one, other) => (one.description < other.description ? -1 : 1));
  const title = vscode.l10n.t('Run Experiment');
  const placeHolder = vscode.l10n.t('Choose an experiment file');
  return (await vscode.window.showQuickPick(items, { title, placeHolder }))?.uri;
}

/** All at once, so that a person can mend all at once. */
async function tellProblems(uri: vscode.Uri, problems: readonly string[]): Promise<void> {
  const open = vscode.l10n.t('Open File');
  const name = vscode.workspace.asRelativePath(uri);
  const message =
    problems.length === 1
      ? vscode.l10n.t('{0} cannot be run, as there is a problem.', name)
      : vscode.l10n.t('{0} cannot be run, as there are {1} problems.', name, problems.length);
  const more = problems.length - MOST_PROBLEMS;
  const lines = problems.slice(0, MOST_PROBLEMS).map((problem) => `• ${problem}`);
  if (more > 0) lines.push(vscode.l10n.t('… and {0} more', more));
  const detail = lines.join('\n');
  if ((await vscode.window.showErrorMessage(message, { modal: true, detail }, open)) === open)
    await vscode.window.showTextDocument(uri);
}

interface Choice {
  readonly rehearses: boolean;
  readonly parallel: number;
}

interface ChoiceItem extends vscode.QuickPickItem {
  readonly goes: 'start' | 'rehearse' | 'parallel' | 'open';
}

/** Shows what would run and what that may cost; undefined: cancelled. */
async function confirm(
  app: App,
  checked: CheckedExperiment,
  place: ExperimentPlace,
): Promise<Choice | 'open' | undefined> {
  const title = vscode.l10n.t('Run Experiment: Start?');
  for (let parallel = 1; ; ) {
    const items = (cost: string) => itemsOf(checked, parallel, cost);
    const first = items(vscode.l10n.t('What it will probably cost is being worked out…'));
    const answer = await askPick<ChoiceItem>({
      title,
      placeholder: inQuickPick(checked.file.objective, 90),
      items: first,
      active: first[0],
      // Nobody has to wait for it.
      later: (show, signal) => void forecastWords(app, checked, place, signal).then((cost) => show(items(cost))),
    });
    if (answer === undefined || answer === BACK) return undefined;
    if (answer.goes === 'open') return 'open';
    if (answer.goes !== 'parallel') return { rehearses: answer.goes === 'rehearse', parallel };
    const counts = PARALLEL.map((count) => ({ label: String(count), count }));
    const placeholder = vscode.l10n.t(
      'How many runs at once? All of them share this window and the limits of the key.',
    );
    const active = counts.find(({ count }) => count === parallel);
    const chosen = await askPick({ title: vscode.l10n.t('Runs at Once'), placeholder, items: counts, active });
    if (chosen !== undefined && chosen !== BACK) parallel = chosen.count;
  }
}

function itemsOf(
  { file, configs, provider, baseUrl }: CheckedExperiment,
  parallel: number,
  cost: string,
): ChoiceItem[] {
  const runs = file.trials * configs.length;
  const caps = vscode.l10n.t('{0} runs, at most {1} in all', runs, dollars(file.max_total_cost_usd));
  const start: ChoiceItem = {
    label: `$(play) ${vscode.l10n.t('Start')}`,
    description: caps,
    detail: cost,
    goes: 'start',
  };
  const variants = configs.map(
    ({ name, config }, at): ChoiceItem => ({
      label: `$(versions) ${inQuickPick(name, 40)}`,
      description: [
        ...(at === 0 ? [vscode.l10n.t('baseline')] : []),
        vscode.l10n.t('{0} times', file.trials),
        `${config.strategy}, ${inQuickPick(config.model.requested, 40)}`,
      ].join(' · '),
      detail: vscode.l10n.t('each at most {0}', capWords(config.limits)),
      goes: 'open',
    }),
  );
  const server = provider === 'rehearsal' ? vscode.l10n.t('none, it is a rehearsal') : new URL(baseUrl).host;
  return [
    ...(provider === 'rehearsal' ? [] : [start]),
    {
      label: `$(beaker) ${vscode.l10n.t('Rehearse')}`,
      description: vscode.l10n.t('{0} runs, offline: no key, nothing is spent', runs),
      goes: 'rehearse',
    },
    { label: `$(split-horizontal) ${vscode.l10n.t('Runs at once: {0}', parallel)}`, goes: 'parallel' },
    { label: vscode.l10n.t('What runs'), kind: vscode.QuickPickItemKind.Separator, goes: 'open' },
    ...variants,
    { label: `$(server) ${vscode.l10n.t('Server: {0}', server)}`, goes: 'open' },
    { label: `$(go-to-file) ${vscode.l10n.t('Open File')}`, goes: 'open' },
  ];
}

/** What all runs would probably cost, or why that is not known. Never rejects. */
async function forecastWords(
  app: App,
  { file, starts, provider }: CheckedExperiment,
  { configured, workspace, promptsDirectory }: ExperimentPlace,
  signal: AbortSignal,
): Promise<string> {
  try {
    let [expected, worst] = [0, 0];
    for (const { settings, options } of starts) {
      const { prices } = options;
      const request = { settings, provider, configured, prices, workspace, runsDirectory: '', promptsDirectory };
      const { expectedUsd, worstUsd } = await app.control.forecast(request, signal);
      expected += file.trials * expectedUsd;
      worst += file.trials * worstUsd;
    }
    const most = Math.min(worst, file.max_total_cost_usd);
    return vscode.l10n.t(
      'Forecast: about {0}, up to {1} if no request has to be repeated',
      dollars(Math.min(expected, most)),
      dollars(most),
    );
  } catch (error) {
    if (!signal.aborted) app.output.error('The cost of the experiment could not be forecast.', error);
    return vscode.l10n.t('What it will probably cost is not known; the limits hold in any case.');
  }
}
