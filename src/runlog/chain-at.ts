import type { RunEvent } from '../run/events.ts';
import { jsonOrNull } from '../run/json.ts';
import type { Disk } from './disk.ts';
import { type RunFolder, segmentFile } from './folder.ts';
import { parseLine } from './line.ts';

/** The hash of the chain at an event of a log that was read: it stands for all of the log up to there. */
export async function chainAt(disk: Disk, folder: RunFolder, { seq, epoch }: RunEvent): Promise<string> {
  const bytes = await disk.read(segmentFile(folder, epoch));
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, start);
    const line = parseLine(bytes.subarray(start, newline < 0 ? bytes.length : newline));
    if (line && (jsonOrNull(line.body) as { seq?: unknown } | null)?.seq === seq) return line.hash;
    start = newline < 0 ? bytes.length : newline + 1;
  }
  throw new Error(`event ${seq} is not in the segment of its epoch`);
}
