import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { eventually } from '../support/eventually.ts';
import { startVscodeServer } from '../support/vscode-server.ts';
import { packaged, vsixOf } from '../support/vsix.ts';
import { openWorkbench } from '../support/workbench.ts';

// What the activation of the packaged extension takes in the real VS Code: the CPU time of the thread for our own code
// (`require` and `activate`, the goal is 15 ms together), and what VS Code says of it, which counts the waiting for all that
// starts at the same time; beside what it says of an extension that does nothing.

const STARTS = 9;
const OURS = 'BabyAGI for VS Code';
const EMPTY = 'Does Nothing';

const root = mkdtempSync(path.join(tmpdir(), 'babyagi-bench-'));
const workspace = path.join(root, 'workspace');
const times = path.join(root, 'times');
mkdirSync(workspace);
const manifest = {
  name: 'empty',
  displayName: EMPTY,
  engines: { vscode: '^1.90.0' },
  activationEvents: ['onStartupFinished'],
};
const extensions = [packaged(), await vsixOf(root, manifest, 'exports.activate = () => {};')];
const server = await startVscodeServer({ workspace, dataDir: path.join(root, 'data'), extensions });
timeOurs();
const workbench = await openWorkbench(server);
try {
  const ours: number[] = [];
  const empty: number[] = [];
  for (let start = 0; start < STARTS; start += 1) {
    if (start > 0) await workbench.reload();
    const shown = await activationTimes();
    ours.push(shown.get(OURS) ?? Number.NaN);
    empty.push(shown.get(EMPTY) ?? Number.NaN);
  }
  const inside = readFileSync(times, 'utf8').trim().split('\n').map(Number);
  console.log(`require and activate, CPU: ${words(inside)}`);
  console.log(`as VS Code shows it: ${words(ours)}; an extension that does nothing: ${words(empty)}`);
} finally {
  await workbench.close();
  await server.close();
  rmSync(root, { recursive: true, force: true });
}

/** Puts a clock around the installed extension, which writes milliseconds, a line for each start. */
function timeOurs(): void {
  const installed = path.join(root, 'data', 'extensions');
  const name = readdirSync(installed).find((each) => each.includes('babyagi')) ?? '';
  const file = path.join(installed, name, 'package.json');
  const described = JSON.parse(readFileSync(file, 'utf8')) as { main: string };
  const timed = `const milliseconds = ({ user, system }) => (user + system) / 1000;
const started = process.threadCpuUsage();
const extension = require(${JSON.stringify(path.join(installed, name, described.main))});
const { activate } = extension;
const loading = milliseconds(process.threadCpuUsage(started));
exports.activate = (context) => {
  const called = process.threadCpuUsage();
  activate(context);
  const activating = milliseconds(process.threadCpuUsage(called));
  require('node:fs').appendFileSync(${JSON.stringify(times)}, loading + activating + '\\n');
};
exports.deactivate = extension.deactivate;
`;
  writeFileSync(path.join(installed, name, 'timed.js'), timed);
  writeFileSync(file, JSON.stringify({ ...described, main: './timed.js' }));
}

/** What the editor of running extensions says, in milliseconds by the name of the extension. */
async function activationTimes(): Promise<Map<string, number>> {
  const { page } = workbench;
  await workbench.runCommand('Developer: Show Running Extensions');
  const rows = page.locator('.runtime-extensions-editor .monaco-list-row');
  const shown = new Map<string, number>();
  await eventually('the activation times', async () => {
    for (const text of await rows.allInnerTexts()) {
      const [, name, ms] = /^(.+)\n[^]*Activation: (\d+)ms/.exec(text.trim()) ?? [];
      if (name !== undefined) shown.set(name.trim(), Number(ms));
    }
    // The slowest stand above, and only what is in view is there.
    await page.mouse.move(640, 400);
    await page.mouse.wheel(0, 200);
    return shown.has(OURS) && shown.has(EMPTY);
  });
  await page.keyboard.press('Escape');
  return shown;
}

function words(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  return `${middle.toFixed(1)} ms (${sorted.map((value) => value.toFixed(1)).join(', ')})`;
}
