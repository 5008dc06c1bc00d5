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
import { openWorkbench, type Workbench } from '../support/workbench.ts';

/**
 * How soon the summary panel shows what is in the log, what twenty updates a second cost its page, and how soon a run of
 * 10 000 events is there: in a real VS Code, with the packaged extension where that matters.
 */
const REPETITIONS = 5;
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
    await inTheProduct(root);
    await underLoad();
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
  const count = writeLongRun(join(workspace, '.babyagi', 'runs'));
  const server = await startVscodeServer({ workspace, dataDir: join(root, 'data'), extensions: [vsix] });
  const workbench = await openWorkbench(server, { theme: 'dark' });
  try {
    const opened: number[] = [];
    for (let repetition = 0; repetition < REPETITIONS; repetition += 1) {
      // Each time in a host that has not read the run yet.
      await workbench.reload();
      await workbench.openView('BabyAGI');
      await workbench.view('Runs').waitForRow(LONG);
      opened.push(await openedIn(workbench));
      await workbench.runCommand('View: Close All Editors');
      const again = await openedIn(workbench);
      say(`panel of ${count} events: ${opened.at(-1)?.toFixed(0)} ms from the command, ${again.toFixed(0)} ms again`);
    }
    say(`command to painted panel, ${count} events: ${figures(opened)} (goal 500 ms)`);

    await workbench.runCommand('View: Close All Editors');
    await workbench.runCommand('BabyAGI: Rehearse Objective…');
    const title = 'Rehearse Objective (offline, nothing is spent)';
    await (await workbench.quickInput(`${title} (1/3)`)).enter('Find out what this garden lacks');
    await (await workbench.quickInput(`${title} (2/3)`)).enter(String(REHEARSED));
    await (await workbench.quickInput(`${title} (3/3)`)).accept();
    await workbench.view('Runs').waitForRow('Find out what this garden lacks', /running/);
    await workbench.runCommand('BabyAGI: Pause');
    await workbench.view('Runs').waitForRow('Find out what this garden lacks', /paused|iteration limit|no task/);
    await workbench.view('Runs').inlineAction('Find out what this garden lacks', 'Open Summary');
    const frame = await panelFrame(workbench);
    await frame.evaluate(PROBE);
    await workbench.view('Runs').inlineAction('Find out what this garden lacks', 'Resume');
    await workbench.view('Runs').waitForRow('Find out what this garden lacks', /iteration limit|no task left/);
    const shown = await frame.evaluate<[number, number][]>('globalThis.shown');
    const runs = join(workspace, '.babyagi', 'runs');
    const folder = readdirSync(runs).sort().at(-1) ?? '';
    const logged = completions(join(runs, folder));
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

/** Milliseconds from Enter in the palette to the panel on the screen. */
async function openedIn(workbench: Workbench): Promise<number> {
  const { page } = workbench;
  const palette = await eventually('the palette', async () => {
    await page.keyboard.press('F1');
    return await workbench.quickInput().catch(() => undefined);
  });
  await palette.fill('>BabyAGI: Open Summary');
  await eventually('the command', async () => (await palette.rows())[0]?.label === 'BabyAGI: Open Summary');
  const started = performance.timeOrigin + performance.now();
  await palette.accept();
  const frame = await panelFrame(workbench);
  return (await frame.evaluate<number>(PAINTED)) - started;
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

const LONG = 'A long run';

function writeLongRun(runsDirectory: string): number {
  const made = atEnd(longRun(720, 4, { objective: LONG }), 'max_iterations', 'All iterations are done.');
  const all = events(...made.drafts);
  const directory = join(runsDirectory, runFolderName(Date.UTC(2025, 0, 2), LONG, made.config.run_id));
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
