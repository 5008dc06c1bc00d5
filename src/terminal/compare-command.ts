import { resolve } from 'node:path';
import { compareRuns } from '../research/compare.ts';
import { comparisonMarkdown } from '../research/compare-markdown.ts';
import { withRunFolders } from '../research/opened-archive.ts';
import { nodeDisk } from '../runlog/disk.ts';
import type { Redactor } from '../safety/redaction.ts';
import { interruption } from './interruption.ts';
import { snakeCase } from './json.ts';
import { type Options, UsageError } from './options.ts';
import { say } from './result.ts';

export async function compare(options: Options, redactor: Redactor): Promise<number> {
  const { operands } = options;
  if (operands.length < 2) throw new UsageError(['compare takes two run folders or archives, or more.']);
  const paths = operands.map((operand) => resolve(operand));
  const comparison = await withRunFolders(paths, interruption(), (directories) =>
    compareRuns(
      nodeDisk,
      directories.map((directory, index) => ({ directory, name: operands[index] ?? directory })),
    ),
  );
  const told = redactor.redactJson(comparison);
  return say(options.isSet('json') ? JSON.stringify(snakeCase(told)) : comparisonMarkdown(told).trimEnd());
}
