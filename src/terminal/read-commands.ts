import { readRun } from '../engine/read.ts';
import { forecastRun } from '../engine/start.ts';
import { isExperiment } from '../research/experiment.ts';
import { explainRun, explanationLines } from '../research/explain.ts';
import { forecastSentence } from '../research/forecast.ts';
import { systemClock } from '../run/clock.ts';
import { DEFAULTS } from '../run/settings.ts';
import { nodeDisk } from '../runlog/disk.ts';
import { runFolder } from '../runlog/folder.ts';
import { processTable, thisProcess } from '../runlog/machine.ts';
import { isOwned } from '../runlog/owner-file.ts';
import { type Verification, verifyRun } from '../runlog/verify.ts';
import type { Redactor } from '../safety/redaction.ts';
import { printable } from '../safety/text.ts';
import { FolderWorkspace } from '../tools/workspace.ts';
import { Check, folderOperand, originOf, pricesOf, promptsOf, settingsOf } from './configuration.ts';
import { interruption } from './interruption.ts';
import { snakeCase } from './json.ts';
import type { Options } from './options.ts';
import { FAILED, OK, say, SENTENCE } from './result.ts';

/** The commands that look and change nothing. Each gives its exit code; the first request of a run does not wait for them. */

export async function forecast(options: Options, redactor: Redactor): Promise<number> {
  const check = new Check();
  const baseUrl = options.text('base-url') ?? DEFAULTS.baseUrl;
  const origin = check.of(() => originOf(baseUrl));
  const settings = check.of(() => settingsOf(options, 'openai', origin));
  const prices = check.of(() => pricesOf(options, options.text('model') ?? DEFAULTS.model, baseUrl));
  const promptOverrides = check.of(() => promptsOf(options));
  if (!settings || !origin || !prices || !promptOverrides) throw check.error();
  const host = {
    clock: systemClock,
    redactor,
    distDirectory: __dirname,
    workspace: new FolderWorkspace(process.cwd()),
  };
  const foreseen = await forecastRun(settings, { provider: 'openai', prices, promptOverrides }, host, interruption());
  if (options.isSet('json')) return say(JSON.stringify(snakeCase(foreseen)));
  const { model, rehearsedIterations, answerTokens, priceSource, priceAsOf } = foreseen.basis;
  say(forecastSentence(foreseen));
  return say(
    `From ${rehearsedIterations === 1 ? '1 rehearsed iteration' : `${rehearsedIterations} rehearsed iterations`}, results of ${answerTokens} tokens, and the price of ${model} (${priceSource}, looked up for ${priceAsOf}).`,
  );
}

export async function verify(options: Options, redactor: Redactor): Promise<number> {
  const directory = folderOperand(options, 'folder of a run or an experiment');
  const result = redactor.redactJson(await verification(directory));
  if (options.isSet('json')) return say(JSON.stringify(snakeCase(result)), result.ok ? OK : FAILED);
  for (const check of result.checks)
    say(`${check.ok ? 'ok  ' : 'BAD '} ${check.name}: ${printable(check.detail, SENTENCE)}`);
  for (const note of result.notes) say(`note ${printable(note, SENTENCE)}`);
  return say(
    result.ok
      ? `${result.events} events, all in order.`
      : `Not in order: ${printable(result.firstProblem ?? '', SENTENCE)}`,
    result.ok ? OK : FAILED,
  );
}

async function verification(directory: string): Promise<Verification> {
  if (!(await isExperiment(nodeDisk, directory))) return verifyRun(nodeDisk, directory);
  const { verifyExperiment } = await import('../research/verify-experiment.ts');
  return verifyExperiment(nodeDisk, directory, interruption());
}

export async function explain(options: Options, redactor: Redactor): Promise<number> {
  const directory = folderOperand(options);
  const folder = runFolder(directory);
  const state = await readRun(nodeDisk, directory);
  const [owned, imported] = await Promise.all([
    isOwned(nodeDisk, folder, thisProcess(), processTable),
    nodeDisk.exists(folder.imported),
  ]);
  const explanation = redactor.redactJson(
    explainRun(state, { directory: options.operands[0] ?? directory, owned, imported }),
  );
  if (options.isSet('json')) return say(JSON.stringify(snakeCase(explanation)));
  for (const line of explanationLines(explanation)) say(printable(line, SENTENCE));
  return OK;
}
