import type { RunEvent } from '../run/events.ts';
import { jsonOrNull } from '../run/json.ts';
import type { Disk } from './disk.ts';
import { type RunFolder, segmentFile } from './folder.ts';
import { bodyIn, hashIn, isLine } from './line.ts';

/** The hash of the chain at an event of a log that was read: it stands for all of the log up to there. */
export async function chainAt(disk: Disk, folder: RunFolder, { seq, epoch }: RunEvent): Promise<string> {
  const bytes = await disk.read(segmentFile(folder, epoch));
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    const isSought =
      isLine(bytes, start, end) && (jsonOrNull(bodyIn(bytes, start, end)) as { seq?: unknown } | null)?.seq === seq;
    if (isSought) return hashIn(bytes, start);
    start = end + 1;
  }
  throw new Error(`event ${seq} is not in the segment of its epoch`);
}
