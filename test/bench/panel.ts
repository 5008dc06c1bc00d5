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
import { openPanelWindow, type PanelWindow } from '../support/panel-window.ts';
import { events } from '../support/run-events.ts';
import { startVscodeServer, type VscodeServer } from '../support/vscode-server.ts';
import type { TreeView } from '../support/tree-view.ts';
import { packaged, vsixOf } from '../support/vsix.ts';
import { openWorkbench, type Workbench } from '../support/workbench.ts';

/**
 * How soon the summary panel shows what is in the log, what twenty updates a second cost its page, and how soon a run of
 * 10 000 events is there: in a real VS Code, with the packaged extension where that matters.
 */
const REPETITIONS = 5;
/** New windows of each kind. */
const WINDOWS = 3;
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

const EMPTY_TITLE = 'Open Empty';

/** An extension that opens a webview with one line of text: what VS Code itself needs for one. */
const EMPTY_MANIFEST = {
  name: 'empty',
  engines: { vscode: '^1.101.0' },
  extensionKind: ['workspace'],
  activationEvents: ['onStartupFinished'],
  contributes: {
    commands: [{ command: 'empty.open', title: EMPTY_TITLE, icon: '$(circle)' }],
    menus: { 'view/item/context': [{ command: 'empty.open', when: 'view == babyagi.runs', group: 'inline@9' }] },
  },
};
const EMPTY_MAIN = `
const vscode = require('vscode');
exports.activate = (context) => {
  context.subscriptions.push(vscode.commands.registerCommand('empty.open', () => {
    const panel = vscode.window.createWebviewPanel('empty', 'Empty', vscode.ViewColumn.Active, { enableScripts: true });
    panel.webview.html = '<!DOCTYPE html><html><body><h1 data-empty>Nothing</h1></body></html>';
  }));
};
`;

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
    extensions: [vsix, await vsixOf(root, EMPTY_MANIFEST, EMPTY_MAIN)],
  });
  const firsts = { ours: [] as number[], empty: [] as number[] };
  for (let window = 0; window < WINDOWS; window += 1) {
    for (const kind of ['empty', 'ours'] as const) firsts[kind].push(await firstOfAWindow(server, kind));
  }
  say(`the first panel of a window, a run of ${count} events: ${figures(firsts.ours)}`);
  say(`the first webview of a window, with nothing in it: ${figures(firsts.empty)}`);
  say(
    `of it ours: ${(percentile(firsts.ours, 0.5) - percentile(firsts.empty, 0.5)).toFixed(0)} ms; the rest is VS Code`,
  );
  const workbench = await openWorkbench(server);
  try {
    const runs = await sideBar(workbench);
    await opened(workbench, nameOf(0), 'empty');
    const later = { ours: [] as number[], empty: [] as number[] };
    for (let repetition = 1; repetition <= REPETITIONS; repetition += 1) {
      for (const kind of ['empty', 'ours'] as const)
        later[kind].push(await opened(workbench, nameOf(repetition), kind));
    }
    say(`command to painted panel, ${count} events, later ones: ${figures(later.ours)} (goal 500 ms)`);
    say(`with nothing in it, later ones: ${figures(later.empty)}`);

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

type Kind = 'ours' | 'empty';

/** In a new window of a new browser: how long it takes until its first webview is on the screen, milliseconds. */
async function firstOfAWindow(server: VscodeServer, kind: Kind): Promise<number> {
  const workbench = await openWorkbench(server);
  try {
    return await opened(workbench, nameOf(0), kind);
  } finally {
    await workbench.close();
  }
}

/** From the click on the row of a run that was not read before to the picture, milliseconds. */
async function opened(workbench: Workbench, row: string, kind: Kind): Promise<number> {
  await workbench.runCommand('View: Close All Editors');
  const runs = await sideBar(workbench);
  await runs.waitForRow(row);
  const started = performance.timeOrigin + performance.now();
  await runs.inlineAction(row, kind === 'ours' ? 'Open Summary' : EMPTY_TITLE);
  const frame = await (kind === 'ours' ? panelFrame(workbench) : frameWith(workbench, 'h1[data-empty]'));
  return (await frame.evaluate<number>(PAINTED)) - started;
}

async function sideBar(workbench: Workbench): Promise<TreeView> {
  await workbench.openView('BabyAGI');
  return workbench.view('Runs');
}

function panelFrame(workbench: Workbench): Promise<Frame> {
  return frameWith(workbench, 'body[data-run-id] .tile');
}

function frameWith(workbench: Workbench, selector: string): Promise<Frame> {
  const look = `document.querySelector(${JSON.stringify(selector)}) !== null`;
  return eventually(`a frame with ${selector}`, async () => {
    for (const frame of workbench.page.frames()) {
      if (await frame.evaluate<boolean>(look).catch(() => false)) return frame;
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
