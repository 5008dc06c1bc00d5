import { createHash, randomUUID } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, onDisk } from '../engine/engine-error.ts';
import type { Host, StartOptions } from '../engine/host.ts';
import { snapshotConfig } from '../engine/snapshot.ts';
import type { RunSettings } from '../run/settings.ts';
import { inEnglish, type Translate } from '../run/translate.ts';
import { BUILD } from '../run/version.ts';
import { runFolderName } from '../runlog/folder.ts';
import type { Redactor } from '../safety/redaction.ts';
import { type ExperimentFile, MOST_FILE_BYTES } from './experiment-file.ts';
import { EXPERIMENT_FORMAT, experimentFolder, type ExperimentRecord, VariantConfig } from './experiment-folder.ts';

/** A variant as its flags mean it. */
export interface VariantStart {
  readonly name: string;
  readonly settings: RunSettings;
  readonly options: Omit<StartOptions, 'runsDirectory' | 'provider' | 'paceMs'>;
}

/** The text of an experiment file, as it was read. Throws EngineError. */
export async function readExperimentText(path: string): Promise<Buffer> {
  const size = await stat(path).then(
    (stats) => (stats.isFile() ? stats.size : null),
    () => null,
  );
  if (size === null) throw new EngineError('configuration', (translated) => [translated('{0} cannot be read.', path)]);
  if (size > MOST_FILE_BYTES)
    throw new EngineError('configuration', (translated) => [
      translated('{0} has {1} bytes: an experiment file has at most {2}.', path, size, MOST_FILE_BYTES),
    ]);
  return readFile(path);
}

/** The places of a value that hold a secret, such as `variants.1.settings.base_url`. */
export function secretPlaces(value: unknown, redactor: Redactor): string[] {
  return differing(value, redactor.redactJson(value), []);
}

function differing(value: unknown, redacted: unknown, at: readonly string[]): string[] {
  if (typeof value !== 'object' || value === null) return value === redacted ? [] : [at.join('.')];
  const other = new Map(Object.entries(redacted ?? {}));
  // Where a name is a secret, it must not be said.
  return Object.entries(value).flatMap(([name, item]) =>
    other.has(name) ? differing(item, other.get(name), [...at, name]) : [at.join('.')],
  );
}

/** What each variant's runs are configured with, or one sentence for each problem. */
export async function variantConfigs(
  variants: readonly VariantStart[],
  provider: ExperimentRecord['provider'],
  host: Pick<Host, 'clock' | 'redactor' | 'environment'>,
  translated: Translate = inEnglish,
): Promise<{ configs: ExperimentRecord['variants'] } | { problems: string[] }> {
  const problems: string[] = [];
  const configs: ExperimentRecord['variants'] = [];
  const environment = await host.environment();
  const parts = { ...host, environment: () => Promise.resolve(environment) };
  for (const { name, settings, options } of variants) {
    try {
      const config = await snapshotConfig(settings, { ...options, provider }, parts);
      configs.push({ name, config: VariantConfig.parse(host.redactor.redactJson(config)) });
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      problems.push(
        ...error
          .words(translated)
          .split('\n')
          .map((problem) => `${name}: ${problem}`),
      );
    }
  }
  return problems.length > 0 ? { problems } : { configs };
}

/** Makes the folder of an experiment and gives its path; nothing is begun yet. Throws EngineError. */
export async function createExperiment(
  experimentsDirectory: string,
  {
    text,
    file,
    variants,
    provider,
  }: Pick<ExperimentRecord, 'variants' | 'provider'> & { text: Buffer; file: ExperimentFile },
  { disk, clock }: Pick<Host, 'disk' | 'clock'>,
): Promise<string> {
  const experiment_id = randomUUID();
  const now = clock.now();
  const folder = experimentFolder(join(experimentsDirectory, runFolderName(now, file.name, experiment_id)));
  const record: ExperimentRecord = {
    format_version: EXPERIMENT_FORMAT,
    experiment_id,
    created_at: new Date(now).toISOString(),
    version: BUILD,
    provider,
    file: { sha256: createHash('sha256').update(text).digest('hex') },
    spec: file,
    variants,
  };
  await onDisk(experimentsDirectory, async () => {
    await disk.makeDirectory(folder.claims);
    await disk.makeDirectory(folder.runs);
    await disk.replace(join(folder.path, '.gitignore'), '*\n');
    await disk.replace(folder.record, `${JSON.stringify(record, null, 2)}\n`);
  });
  return folder.path;
}
