import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';
import type { FrameLocator } from 'playwright-core';
import { startVscodeServer } from './vscode-server.ts';
import { openWorkbench, type Workbench, type WorkbenchOptions } from './workbench.ts';

// The panel in a real VS Code, over runs made by hand: an extension of its own stands in for the rest of the product.
const PANEL_RUNS = [
  'empty',
  'running',
  'paused',
  'near',
  'over',
  'review',
  'declined',
  'capped',
  'complete',
  'failed',
  'imported',
  'long',
] as const;
export type PanelRun = (typeof PANEL_RUNS)[number];

export const PANEL_OBJECTIVE =
  'Compare three embedded databases for crash safety and recommend one for a desktop application';
export const PANEL_TITLE = 'Compare three embedded databases for cr…';

export interface PanelWindow {
  readonly workbench: Workbench;
  /** Shows the panel of this run and nothing else. */
  open(run: PanelRun): Promise<FrameLocator>;
  /** What the controls asked for so far: a line of JSON for each command. */
  asked(): string;
  close(): Promise<void>;
}

export async function openPanelWindow(options: WorkbenchOptions = {}): Promise<PanelWindow> {
  const root = mkdtempSync(path.join(tmpdir(), 'panel-'));
  const log = path.join(root, 'asked.jsonl');
  const workspace = path.join(root, 'workspace');
  const developmentPath = path.join(root, 'extension');
  mkdirSync(workspace);
  writeFileSync(log, '');
  await buildExtension(developmentPath);
  const env = { PANEL_LOG: log };
  const server = await startVscodeServer({ workspace, dataDir: path.join(root, 'data'), developmentPath, env });
  const close = async () => {
    await server.close();
    rmSync(root, { recursive: true, force: true });
  };
  try {
    const workbench = await openWorkbench(server, options);
    return {
      workbench,
      open: async (run) => {
        await workbench.runCommand('View: Close All Editors');
        await workbench.runCommand(`Panel: ${run}`);
        const panel = await workbench.webviewFrame(PANEL_TITLE);
        await panel.locator('h1').waitFor();
        return panel;
      },
      asked: () => readFileSync(log, 'utf8'),
      close: async () => {
        await workbench.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function buildExtension(folder: string): Promise<void> {
  mkdirSync(path.join(folder, 'dist'), { recursive: true });
  cpSync('media', path.join(folder, 'media'), { recursive: true });
  // By its path: bundled into a test, it would look for the sources beside that.
  const { exactChecks } = (await import(pathToFileURL(path.resolve('esbuild.mjs')).href)) as {
    readonly exactChecks: esbuild.Plugin;
  };
  await esbuild.build({
    entryPoints: ['test/e2e/panel-extension-main.ts'],
    outfile: path.join(folder, 'dist', 'extension.js'),
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['vscode'],
    // A library looks for it, and Node's own makes the host complain.
    define: { BABYAGI_VERSION: '"0.0.1"', BABYAGI_BUILD: '"test"', navigator: 'undefined' },
    // As in the product: without it, the schemas check every event of a log.
    plugins: [exactChecks],
    logLevel: 'error',
  });
  await esbuild.build({
    entryPoints: ['src/webview/main.ts'],
    outfile: path.join(folder, 'dist', 'webview.js'),
    bundle: true,
    format: 'iife',
    minify: true,
    target: 'es2022',
    logLevel: 'error',
  });
  const commands = [...PANEL_RUNS, 'Step', 'Live'].map((title) => ({
    command: `panel.${title.toLowerCase()}`,
    title,
    category: 'Panel',
  }));
  const manifest = {
    name: 'panel-fixture',
    publisher: 'test',
    version: '0.0.1',
    engines: { vscode: '^1.101.0' },
    main: './dist/extension.js',
    activationEvents: ['onWebviewPanel:babyagi.summary'],
    contributes: { commands },
  };
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify(manifest));
}
