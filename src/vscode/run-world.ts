import { basename, join } from 'node:path';
import { KeyLedgerFile } from '../budget/key-ledger.ts';
import { picoFromUsd } from '../budget/money.ts';
import type { Host } from '../engine/host.ts';
import { channelsFor } from '../notify/channels.ts';
import { environmentSnapshot, variableSnapshot } from '../research/environment.ts';
import { systemClock } from '../run/clock.ts';
import type { KeyLedger } from '../run/ports.ts';
import { wordsOf } from '../run/translate.ts';
import { nodeDisk } from '../runlog/disk.ts';
import type { OwnerIdentity } from '../runlog/owner-file.ts';
import { processTable } from '../runlog/machine.ts';
import { Egress } from '../safety/egress.ts';
import { isLoopback, OriginError, parseOrigin } from '../safety/origin.ts';
import type { Redactor } from '../safety/redaction.ts';
import type { TraceExporter } from '../telemetry/trace-exporter.ts';
import { leadsWhereItSays } from '../tools/inside.ts';
import { FolderWorkspace } from '../tools/workspace.ts';
import { l10n } from './panel-l10n.ts';
import type { Keys } from './keys.ts';
import { languageModelOf } from './lm-names.ts';
import { noticesOf } from './notice-settings.ts';
import type { Output } from './output.ts';
import type { Configured } from './settings.ts';

// What a run needs of the world, and the checks before it starts. Loaded on first use: see extension.ts.
export { DEFAULT_LIMITS, LIMIT_WORDS, limitProblem } from '../run/limits.ts';
export { raiseProblem, usedWithout } from '../run/raise.ts';
export { checkSettings, DEFAULTS } from '../run/settings.ts';

/** What the window lends to each of its runs. */
export interface World {
  readonly redactor: Redactor;
  readonly keys: Keys;
  readonly output: Output;
  readonly identity: () => OwnerIdentity;
  /** Where the spending of keys is noted: outside every workspace, for all windows. */
  readonly ledgerDirectory: string;
  /** Where windows ask each other for something: see inbox.ts. */
  readonly inboxDirectory: string;
  readonly distDirectory: string;
  readonly extensionVersion: string;
  readonly vscodeVersion: string;
}

/** Why the server of a run may not be contacted, as a sentence. */
export class ServerRefused extends Error {
  readonly reason: 'base_url' | 'notices' | 'traces';
  constructor(reason: ServerRefused['reason'], message: string) {
    super(message);
    this.name = 'ServerRefused';
    this.reason = reason;
  }
}

/** The origin that requests of this base URL go to. Throws ServerRefused. */
export function originOf(baseUrl: string, configured: Pick<Configured, 'privateOrigins'>): string {
  const allowPrivate = URL.canParse(baseUrl) && configured.privateOrigins.includes(new URL(baseUrl).origin);
  try {
    return parseOrigin(baseUrl, { allowPrivate }).text;
  } catch (error) {
    if (!(error instanceof OriginError)) throw error;
    throw new ServerRefused('base_url', l10n.t('The base URL cannot be used: {0}', wordsOf(error, l10n.t)));
  }
}

/** `baseUrl` null: a rehearsal; `vscode:lm/…`: a language model of VS Code. Throws ServerRefused. The caller closes the gate after its runs, and the exporter of each. */
export async function hostFor(
  world: World,
  configured: Configured,
  { baseUrl, workspace }: { baseUrl: string | null; workspace: string },
): Promise<{ host: Host; gate: Egress; newExporter: NewExporter | null }> {
  const { keys, output, redactor } = world;
  const checked = await noticesOf(keys, configured);
  if ('problems' in checked) throw new ServerRefused('notices', checked.problems.join(' '));
  const notices = checked.settings;
  const gate = new Egress({ allowedOrigins: [], localOnly: configured.localOnly });
  if (baseUrl !== null && languageModelOf(baseUrl) !== null) {
    if (configured.localOnly) {
      const message = l10n.t(
        'A language model of VS Code may be anywhere, and the setting babyagi.localOnly allows servers on this machine only.',
      );
      throw new ServerRefused('base_url', message);
    }
  } else if (baseUrl !== null) {
    gate.allow(originOf(baseUrl, configured), { allowPrivate: isPrivate(baseUrl, configured) });
  }
  const { distDirectory, extensionVersion, vscodeVersion } = world;
  const host: Host = {
    clock: systemClock,
    random: Math.random,
    disk: nodeDisk,
    identity: world.identity(),
    processes: processTable,
    egress: gate,
    redactor,
    channels: channelsFor(notices, gate),
    watchdog: { limitMs: configured.watchdogSeconds * 1000, notices, localOnly: configured.localOnly },
    keyFor: (origin) => keys.keyFor(origin),
    ledgerFor: (origin) => ledgerOf(world, configured, origin),
    languageModel: async ({ model }) => {
      const { LmModel } = await import('./lm-model.ts');
      return new LmModel(model.base_url, model.requested);
    },
    distDirectory,
    environment: () => environmentSnapshot({ distDirectory, extensionVersion, vscodeVersion, workspace }),
    workspace: new FolderWorkspace(workspace),
    attended: true,
    trace: (message) => output.info(message),
  };
  return { host, gate, newExporter: await exportersFor(world, configured, host) };
}

/** What sends the spans of one run. */
export type NewExporter = () => TraceExporter;

/** Null where there is no collector. Throws ServerRefused. */
async function exportersFor(
  { keys, redactor, output }: World,
  configured: Configured,
  host: Host,
): Promise<NewExporter | null> {
  const { otlpEndpoint, localOnly } = configured;
  if (otlpEndpoint === '') return null;
  const [{ CollectorError, collectorOf, originOf: originOfCollector, secretsIn }, { TraceExporter, tellingOnce }] =
    await Promise.all([import('../telemetry/collector.ts'), import('../telemetry/trace-exporter.ts')]);
  try {
    const allowPrivate = URL.canParse(otlpEndpoint) && isPrivate(otlpEndpoint, configured);
    const origin = originOfCollector(otlpEndpoint, allowPrivate);
    if (localOnly && !isLoopback(new URL(origin).hostname)) {
      output.info(`Traces are not sent to ${origin}: babyagi.localOnly allows servers on this machine only.`);
      return null;
    }
    const headers = await keys.traceHeaders(origin);
    for (const secret of secretsIn(headers ?? '')) redactor.register(secret, 'otlp_headers');
    const collector = collectorOf(otlpEndpoint, headers, allowPrivate);
    const parts = tellingOnce(host);
    return () => new TraceExporter(collector, parts);
  } catch (error) {
    if (!(error instanceof CollectorError)) throw error;
    throw new ServerRefused('traces', wordsOf(error, l10n.t));
  }
}

/** One file for each key and day, which all windows add to. */
function ledgerOf({ keys, ledgerDirectory }: World, { maxKeyUsdPerDay }: Configured, origin: string): KeyLedger | null {
  if (maxKeyUsdPerDay === null) return null;
  return new KeyLedgerFile({
    directory: ledgerDirectory,
    key: () => keys.keyFor(origin),
    limitPerDay: picoFromUsd(maxKeyUsdPerDay),
    now: Date.now,
  });
}

/** What a forecast needs of the world: it reads the workspace, and nothing else. */
export function forecastHost(
  { redactor, distDirectory }: World,
  workspace: string,
): Pick<Host, 'clock' | 'redactor' | 'distDirectory' | 'workspace'> {
  return { clock: systemClock, redactor, distDirectory, workspace: new FolderWorkspace(workspace) };
}

function isPrivate(url: string, { privateOrigins }: Configured): boolean {
  return privateOrigins.includes(new URL(url).origin);
}

/** One sentence for each folder that a link leads out of the workspace: a repository may bring one along. */
export async function folderProblems(folders: {
  readonly workspace: string;
  readonly runsDirectory: string;
  readonly promptsDirectory: string;
}): Promise<string[]> {
  const { workspace, runsDirectory, promptsDirectory } = folders;
  const named = [
    ['runsFolder', runsDirectory],
    ['promptsFolder', promptsDirectory],
  ] as const;
  const inside = await Promise.all(named.map(([, path]) => leadsWhereItSays(workspace, path)));
  return named
    .filter((_, index) => !inside[index])
    .map(([name, path]) =>
      l10n.t(
        '{0} is behind a link that leads out of the workspace: remove the link, or name another folder in the setting babyagi.{1}; an absolute path counts in user settings only.',
        path,
        name,
      ),
    );
}

/** `<agent>.md` files that replace built-in prompts. */
export async function promptFiles(directory: string): Promise<Map<string, { text: string; file: string }>> {
  const names = await nodeDisk.list(directory).catch(() => [] as string[]);
  const files = names.filter((name) => /\.md$/i.test(name)).sort();
  const texts = await Promise.all(files.map((name) => nodeDisk.read(join(directory, name))));
  return new Map(files.map((name, index) => [basename(name, '.md'), { text: String(texts[index]), file: name }]));
}

/** The non-secret settings and variables that shaped a run, for its config snapshot. */
export function snapshotOf(configured: Configured): Record<string, unknown> {
  return { vscode: configured.snapshot, variables: variableSnapshot(process.env) };
}
