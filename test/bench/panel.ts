import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Frame } from 'playwright-core';
import { RunEvent } from '../../src/run/events.ts';
import { runFolder, runFolderName, segmentFile } from '../../src/runlog/folder.ts';
import { asciiJson, formatLine, GENESIS_HASH } from '../../src/runlog/line.ts';
import { atEnd, longRun } from '../e2e/panel-runs.ts';
import { eventually } from '../support/eventually.ts';
import { packaged } from '../support/packaged.ts';
import { openPanelWindow, type PanelWindow } from '../support/panel-window.ts';
import { events } from '../support/run-events.ts';
import { startVscodeServer } from '../support/vscode-server.ts';
import type { TreeView } from '../support/tree-view.ts';
import { openWorkbench, type Workbench } from '../support/workbench.ts';

/**
 * How soon the summary panel shows what is in the log, what twenty updates a second cost its page, and how soon a run of
 * 10 000 events is there: in a real VS Code, with the packaged extension where that matters.
 */
const REPETITIONS = 5;
const OBJECTIVE = 'Find out what this garden lacks';
const REHEARSED = 60;

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const percentile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.ceil(share * values.length) - 1] ?? 0;
const figures = (values: readonly number[]): string =>
  `median ${percentile(values, 0.5).toFixed(0)} ms, p95 ${percentile(values, 0.95).toFixed(0)} ms, most ${Math.max(...values).toFixed(0)} ms, of ${values.length}`;

/**
 * For the frame of the panel: notes when each number of iterations came onto the screen, and every task of more than 50 ms.
 * A frame that was drawn is on the screen by the time of the message after it.
 */
const PROBE = `{
  globalThis.shown = [];
  globalThis.slow = [];
  const tile = () => document.querySelectorAll('.tile .value strong')[1]?.textContent;
  let last = tile();
  const look = () => {
    if (tile() !== last) {
      last = tile();
      const entry = Number(last);
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => globalThis.shown.push([entry, performance.timeOrigin + performance.now()]);
      port2.postMessage(null);
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  new PerformanceObserver((list) => globalThis.slow.push(...list.getEntries().map(({ duration }) => duration)))
    .observe({ type: 'longtask' });
}`;

/** When the largest part of the page was painted. */
const PAINTED = `new Promise((done) => {
  const painted = [];
  new PerformanceObserver((list) => painted.push(...list.getEntries().map(({ startTime }) => performance.timeOrigin + startTime)))
    .observe({ type: 'largest-contentful-paint', buffered: true });
  setTimeout(() => done(Math.max(...painted)), 1000);
})`;

async function main(): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'panel-bench-'));
  try {
    await underLoad();
    await inTheProduct(root);
    say(`script of the panel: ${Math.round(statSync('dist/webview.js').size / 1024)} KB (goal 150 KB)`);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** With the package: from an event in the log to the pixel, and from the command to the panel of a long run. */
async function inTheProduct(root: string): Promise<void> {
  const vsix = packaged();
  const workspace = join(root, 'workspace');
  mkdirSync(workspace);
  for (let part = 0; part < 20; part += 1)
    writeFileSync(
      join(workspace, `part${part}.md`),
      `# Part ${part}\n\nWhat this garden lacks: bed ${part}. Where does it go?\n`,
    );
  let count = 0;
  for (let number = 0; number <= REPETITIONS; number += 1)
    count = writeLongRun(join(workspace, '.babyagi', 'runs'), number);
  const server = await startVscodeServer({
    workspace,
    dataDir: join(root, 'data'),
    extensions: [vsix],
  });
  const workbench = await openWorkbench(server, { theme: 'dark' });
  try {
    const runs = await sideBar(workbench);
    const opened: number[] = [];
    for (let repetition = 0; repetition <= REPETITIONS; repetition += 1) {
      await workbench.runCommand('View: Close All Editors');
      await runs.waitForRow(nameOf(repetition));
      const started = performance.timeOrigin + performance.now();
      await runs.inlineAction(nameOf(repetition), 'Open Summary');
      const frame = await panelFrame(workbench);
      opened.push((await frame.evaluate<number>(PAINTED)) - started);
    }
    say(`one after the other: ${opened.map((each) => each.toFixed(0)).join(', ')} ms`);
    say(`the first panel of a window, a run of ${count} events: ${opened.shift()?.toFixed(0)} ms`);
    say(`command to painted panel, ${count} events: ${figures(opened)} (goal 500 ms)`);

    await workbench.runCommand('View: Close All Editors');
    await workbench.runCommand('BabyAGI: Rehearse Objective…');
    const title = 'Rehearse Objective (offline, nothing is spent)';
    await (await workbench.quickInput(`${title} (1/3)`)).enter(OBJECTIVE);
    await (await workbench.quickInput(`${title} (2/3)`)).enter(String(REHEARSED));
    await (await workbench.quickInput(`${title} (3/3)`)).accept();
    await runs.waitForRow(OBJECTIVE, /running/);
    await runs.inlineAction(OBJECTIVE, 'Open Summary');
    const frame = await panelFrame(workbench);
    await frame.evaluate(PROBE);
    const state = () => frame.evaluate<string>(`document.querySelector('.state').textContent`);
    await eventually('the end of the run', async () => (await state()) !== 'Running', 180_000);
    const shown = await frame.evaluate<[number, number][]>('globalThis.shown');
    const folders = join(workspace, '.babyagi', 'runs');
    const logged = completions(join(folders, readdirSync(folders).sort().at(-1) ?? ''));
    const delays = shown.flatMap(([iteration, at]) => {
      const when = logged.get(iteration);
      return when === undefined || iteration <= (shown[0]?.[0] ?? 0) ? [] : [at - when];
    });
    say(`event in the log to pixel: ${figures(delays)} (goal 100 ms)`);
  } finally {
    await workbench.close();
    await server.close();
  }
}

async function sideBar(workbench: Workbench): Promise<TreeView> {
  await workbench.openView('BabyAGI');
  return workbench.view('Runs');
}

async function panelFrame(workbench: Workbench): Promise<Frame> {
  return eventually('the panel', async () => {
    for (const frame of workbench.page.frames()) {
      if (
        await frame.evaluate<boolean>('document.querySelector("body[data-run-id] .tile") !== null').catch(() => false)
      )
        return frame;
    }
    return undefined;
  });
}

/** When each iteration was complete, by the log. */
function completions(directory: string): Map<number, number> {
  const folder = runFolder(directory);
  const lines = readdirSync(folder.log).flatMap((name) =>
    readFileSync(join(folder.log, name), 'utf8').trim().split('\n'),
  );
  const bodies = lines.map((line) => (JSON.parse(line) as { e: unknown }).e);
  return new Map(
    bodies.flatMap((body) => {
      const event = RunEvent.parse(body);
      return event.type === 'iteration.completed' ? [[event.iteration, Date.parse(event.ts)] as const] : [];
    }),
  );
}

const nameOf = (number: number): string => `Long run ${number}`;

function writeLongRun(runsDirectory: string, number: number): number {
  const objective = nameOf(number);
  const made = atEnd(
    longRun(790, 4, { objective, run_id: randomUUID() }),
    'max_iterations',
    'All iterations are done.',
  );
  const all = events(...made.drafts).map((event) => ({ ...event, run_id: made.config.run_id }));
  const directory = join(runsDirectory, runFolderName(Date.UTC(2025, 0, 2), objective, made.config.run_id));
  const folder = runFolder(directory);
  mkdirSync(folder.log, { recursive: true });
  writeFileSync(folder.config, JSON.stringify(made.config));
  let hash = GENESIS_HASH;
  const lines = all.map((event) => {
    const formatted = formatLine(hash, asciiJson(event));
    hash = formatted.hash;
    return formatted.line;
  });
  writeFileSync(segmentFile(folder, 1), lines.join(''));
  return all.length;
}

/** Twenty steps of a run a second, in each part of the panel. */
async function underLoad(): Promise<void> {
  const window: PanelWindow = await openPanelWindow();
  try {
    const panel = await window.open('running');
    const frame = await panelFrame(window.workbench);
    await frame.evaluate(PROBE);
    for (const tab of ['Overview', 'Tasks', 'Calls']) {
      await panel.getByRole('tab', { name: tab }).click();
      await window.workbench.runCommand('Panel: Live');
      await frame.evaluate('{ shown.length = 0; slow.length = 0; }');
      await eventually('200 updates', async () => (await frame.evaluate<number>('shown.length')) >= 200, 60_000);
      const shown = await frame.evaluate<[number, number][]>('shown');
      const slow = await frame.evaluate<number[]>('slow');
      await window.workbench.runCommand('Panel: Live');
      const seconds = ((shown.at(-1)?.[1] ?? 0) - (shown[0]?.[1] ?? 0)) / 1000;
      const most = slow.length === 0 ? '' : `, the longest ${Math.max(...slow).toFixed(0)} ms`;
      say(
        `${tab}: ${(shown.length / seconds).toFixed(1)} updates a second, ${slow.length} tasks of more than 50 ms${most} (goal none)`,
      );
    }
  } finally {
    await window.close();
  }
}

await main();
