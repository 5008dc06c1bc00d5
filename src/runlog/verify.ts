import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import * as z from 'zod';
import { formatUsd, type Pico, picoFromUsd } from '../budget/money.ts';
import { counted } from '../run/drawn.ts';
import { RunConfig } from '../run/config.ts';
import type { RunEvent, UnknownEvent } from '../run/events.ts';
import { apply } from '../run/fold.ts';
import { initialState, type RunState } from '../run/state.ts';
import type { Ending } from '../run/stop.ts';
import { inEnglish } from '../run/translate.ts';
import { BUILD } from '../run/version.ts';
import { parseOutputPath } from '../safety/output-path.ts';
import { checkpointOf } from './checkpoint.ts';
import { type Disk, DRAFT, ForeignFile } from './disk.ts';
import { type ExitFile, exitFiles } from './exit-files.ts';
import { MOST_CONFIG_BYTES, type RunFolder, runFolder, sixDigits } from './folder.ts';
import { pausing } from './pause.ts';
import { type ReadLog, readLog } from './reader.ts';
import { factsThatDiffer } from './same-facts.ts';
import { Summary } from './summary.ts';
import { jsonOrNull } from '../run/json.ts';
import { messageOf } from '../run/message.ts';

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

export interface Verification {
  readonly ok: boolean;
  /** In the order in which they were made. */
  readonly checks: readonly Check[];
  /** The first bad place, or null. */
  readonly firstProblem: string | null;
  /** Events that were read and are in order. */
  readonly events: number;
  /** What is unusual and still right. */
  readonly notes: readonly string[];
}

/**
 * Reads all of a run folder again and compares it with its log: nothing is changed, nothing is sent. Never throws for
 * what is in the folder: what cannot be read is a check that failed.
 */
export async function verifyRun(disk: Disk, folderPath: string): Promise<Verification> {
  const run = new RunVerifier(disk, runFolder(folderPath));
  await run.verify();
  const failed = run.checks.find(({ ok }) => !ok);
  return {
    ok: failed === undefined,
    checks: run.checks,
    firstProblem: failed ? `${failed.name}: ${failed.detail}` : null,
    events: run.events,
    notes: run.notes,
  };
}

/** The fields of summary.json that say what to compare it with. */
const SummaryHead = Summary.pick({ events: true, stop_reason: true, detail: true, error: true, end_is_logged: true });
type SummaryHead = z.infer<typeof SummaryHead>;

interface CheckpointFile {
  readonly name: string;
  readonly content: string;
}

/** Sentences for people in the JSON files: what another version words in its own way. */
const PROSE: ReadonlySet<string> = new Set(['meaning', 'next', 'continue_with', 'cost.note']);

/** The exit files as a state of the run gives them, and the version whose epoch it is. */
interface Expected {
  readonly files: readonly ExitFile[];
  readonly version: string | null;
}

/** What folding the log gave. */
interface Replay {
  readonly complete: boolean;
  readonly state: RunState;
  /** Event that ended the run, if it has ended. */
  readonly endSeq: number | null;
  /** The exit files as of the event that summary.json names. */
  readonly summarized: Expected | null;
}

class RunVerifier {
  readonly checks: Check[] = [];
  readonly notes: string[] = [];
  events = 0;
  private readonly disk: Disk;
  private readonly folder: RunFolder;
  private readonly pause = pausing();

  constructor(disk: Disk, folder: RunFolder) {
    this.disk = disk;
    this.folder = folder;
  }

  async verify(): Promise<void> {
    const { folder } = this;
    const configBytes = await this.read(folder.config, MOST_CONFIG_BYTES);
    const config = this.checkConfig(configBytes);
    const log = await this.checkLog();
    await this.checkNames(log);
    await this.checkTails(log?.events ?? []);
    if ((await this.read(folder.imported)) !== null) this.notes.push('The run came from an archive.');
    if (configBytes === null || config === null || log === null) return;
    this.checkConfigHash(configBytes, log);
    this.checkPrompts(config);

    const summaryBytes = await this.read(folder.summaryJson);
    const head = summaryBytes && headOf(summaryBytes);
    const checkpoints = await this.readCheckpoints();
    const replay = await this.replay(config, log.events, head, checkpoints);
    await this.checkOutput(log.events);
    await this.checkExitFiles(replay, summaryBytes, head);
  }

  private checkConfig(bytes: Buffer | null): RunConfig | null {
    if (bytes === null) return this.fail('config.json', 'It cannot be read.');
    const parsed = RunConfig.safeParse(jsonOrNull(bytes));
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      return this.fail(
        'config.json',
        `It is not a run configuration: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
      );
    }
    return parsed.data;
  }

  private async checkLog(): Promise<ReadLog | null> {
    let log: ReadLog;
    try {
      log = await readLog(this.disk, this.folder);
    } catch (error) {
      return this.fail('log', `It cannot be read: ${messageOf(error)}`);
    }
    const { damage, end, events } = log;
    if (damage)
      this.fail('log', `log/${sixDigits(damage.segment)}.jsonl, byte ${damage.offset}: ${damage.what(inEnglish)}.`);
    else if (events.length === 0) this.fail('log', 'It holds no event.');
    else
      this.pass(
        'log',
        `${events.length} events, each as it was written and in its place; chain ${end.hash.slice(0, 16)}.`,
      );
    if (end.tail !== 'none' && !damage) {
      this.notes.push(
        `log/${sixDigits(end.segment)}.jsonl ends in ${end.tailBytes} bytes of an unfinished write, which do not count: normal after a crash.`,
      );
    }
    return log;
  }

  /** Foreign files where a program would look. What a crash left behind is only noted. */
  private async checkNames(log: ReadLog | null): Promise<void> {
    const expected: [string, RegExp][] = [
      ['log', /^\d{6}\.jsonl$/],
      ['blobs', /^[0-9a-f]{64}$/],
      ['owner', /^\d{6}$/],
      ['checkpoints', /^\d{6}\.json$/],
    ];
    const foreign: string[] = [];
    for (const [directory, pattern] of expected) {
      const names = await this.disk.list(join(this.folder.path, directory)).catch(() => []);
      for (const name of names.filter((one) => !pattern.test(one)).sort()) {
        if (DRAFT.test(name)) this.notes.push(`${directory}/${name} is an unfinished write: normal after a crash.`);
        else foreign.push(`${directory}/${JSON.stringify(name)}`);
      }
    }
    const counting = new Set(log?.events.flatMap((event) => (event.type === 'unknown' ? [] : [event.epoch])));
    const names: string[] = await this.disk.list(this.folder.log).catch(() => []);
    for (const name of names.sort()) {
      if (/^\d{6}\.jsonl$/.test(name) && !counting.has(Number.parseInt(name, 10)))
        this.notes.push(`log/${name} holds nothing that counts.`);
    }
    if (foreign.length > 0) this.fail('files', `${foreign.join(', ')}: no run writes that.`);
    else this.pass('files', 'Nothing foreign is among the files of the run.');
  }

  /** What stands behind the place where the next owner went on does not count, and is as long as that owner found it. */
  private async checkTails(events: ReadLog['events']): Promise<void> {
    for (const event of events) {
      if (event.type !== 'epoch.opened' || event.previous === null) continue;
      const { segment, cut_at, tail_bytes } = event.previous;
      const name = `${sixDigits(segment)}.jsonl`;
      const size = (await this.read(join(this.folder.log, name)))?.length ?? 0;
      if (size !== cut_at + tail_bytes)
        this.notes.push(
          `log/${name} has ${size - cut_at} bytes that do not count; its next owner found ${tail_bytes}: normal where an owner hung.`,
        );
    }
  }

  private checkConfigHash(bytes: Buffer, { events }: ReadLog): void {
    const [first] = events;
    if (first?.type !== 'run.created')
      this.fail('config.json', 'The log does not begin with the event that names its sha256.');
    else if (first.config_sha256 !== sha256(bytes))
      this.fail('config.json', 'It was changed: its sha256 is not the one in event 1.');
    else this.pass('config.json', 'It is what the run was started with.');
  }

  private checkPrompts({ prompts }: RunConfig): void {
    const names = Object.keys(prompts);
    const changed = names.filter((name) => prompts[name] && prompts[name].sha256 !== sha256(prompts[name].text));
    // The sha256 is of the prompt as it was used; on record its secrets are marks.
    const redacted = changed.filter((name) => prompts[name]?.text.includes('[REDACTED:'));
    for (const name of redacted)
      this.notes.push(`The text of prompt ${name} was redacted, so its sha256 cannot be checked.`);
    const [bad] = changed.filter((name) => !redacted.includes(name));
    if (bad !== undefined) this.fail('prompts', `The text of prompt ${JSON.stringify(bad)} is not that of its sha256.`);
    else this.pass('prompts', `${names.length} prompts, each that of its sha256.`);
  }

  /** By the event that they were made after, or by -1 less their place where they name none. */
  private async readCheckpoints(): Promise<Map<number, CheckpointFile>> {
    const names = await this.disk.list(this.folder.checkpoints).catch(() => []);
    const found = new Map<number, CheckpointFile>();
    for (const name of names.filter((one) => /^\d{6}\.json$/.test(one)).sort()) {
      const content = String(await this.read(join(this.folder.checkpoints, name)));
      const parsed = z.object({ seq: z.int() }).safeParse(jsonOrNull(content));
      found.set(parsed.success && !found.has(parsed.data.seq) ? parsed.data.seq : -1 - found.size, { name, content });
    }
    return found;
  }

  /** Folds the log event by event and looks at what each one leaves. */
  private async replay(
    config: RunConfig,
    events: readonly (RunEvent | UnknownEvent)[],
    head: SummaryHead | null,
    checkpoints: ReadonlyMap<number, CheckpointFile>,
  ): Promise<Replay> {
    const state = initialState(config);
    const saved = new Set<string>();
    const right = new Set<string>();
    let problem: string | null = null;
    let money: string | null = null;
    let counts: string | null = null;
    let most = 0n;
    let endSeq: number | null = null;
    let summarized: Expected | null = null;
    for (const event of events) {
      try {
        const before = spent(state);
        const cap = applyOwn(state, event);
        const after = spent(state);
        if (after > most) most = after;
        // A cap that was lowered below what is spent, as older versions let a person do, undoes nothing that was right.
        if (after > cap && after > before) {
          money ??= `After event ${event.seq} (${event.type}) ${formatUsd(after)} are settled, held and reserved, above the cap of ${formatUsd(cap)}.`;
        }
        // What a server used beyond the request is no request too many.
        const over =
          event.type === 'call.reserved' ? counted(state).find(({ used, cap: most }) => used > most) : undefined;
        if (over) {
          counts ??= `After event ${event.seq} (${event.type}) ${over.used} are counted against ${over.limit}, above the cap of ${over.cap}.`;
        }
      } catch (error) {
        problem = messageOf(error);
        break;
      }
      this.events = state.lastSeq;
      if (event.type === 'run.ended') endSeq = event.seq;
      if (event.type === 'checkpoint.saved') saved.add(basename(event.file.replaceAll('\\', '/')));
      const checkpoint = checkpoints.get(event.seq);
      if (checkpoint && this.isCheckpoint(checkpoint, state)) right.add(checkpoint.name);
      if (head?.events === event.seq) summarized = { files: exitFiles(state, endingOf(head)), version: state.version };
      await this.pause();
    }
    if (problem !== null) this.fail('events', problem);
    else this.pass('events', `${this.events} events fit together.`);
    if (money !== null) this.fail('money', money);
    else this.pass('money', `Settled, held and reserved were never above the cap; at most ${formatUsd(most)}.`);
    if (counts !== null) this.fail('counts', counts);
    else if (counted(state).length > 0)
      this.pass('counts', 'No request left that the limits of requests and of tokens did not allow.');
    this.checkCheckpoints([...checkpoints.values()], saved, right);
    return { complete: problem === null, state, endSeq: state.end && endSeq, summarized };
  }

  private isCheckpoint({ name, content }: CheckpointFile, state: RunState): boolean {
    const expected = checkpointOf(state);
    if (content === `${JSON.stringify(expected)}\n`) return true;
    return state.version !== BUILD && this.factThatDiffers(`checkpoints/${name}`, content, [expected]) === null;
  }

  private checkCheckpoints(
    files: readonly CheckpointFile[],
    saved: ReadonlySet<string>,
    right: ReadonlySet<string>,
  ): void {
    const wrong = files.filter(({ name }) => !right.has(name));
    // One that the log does not know was written just before a crash; nothing reads it.
    for (const { name } of wrong)
      if (!saved.has(name)) this.notes.push(`checkpoints/${name} is not in the log: normal after a crash.`);
    const bad = wrong.find(({ name }) => saved.has(name));
    if (bad) this.fail('checkpoints', `checkpoints/${bad.name} is not the state that the log gives.`);
    else this.pass('checkpoints', `${right.size} checkpoints, each the state that the log gives.`);
  }

  private async checkOutput(events: readonly (RunEvent | UnknownEvent)[]): Promise<void> {
    const written = new Map<string, Set<string>>();
    for (const event of events) {
      if (event.type !== 'file.written') continue;
      written.set(event.name, (written.get(event.name) ?? new Set()).add(event.sha256));
    }
    for (const [name, hashes] of written) {
      let segments: string[];
      try {
        segments = parseOutputPath(name).segments;
      } catch (error) {
        this.fail('output', messageOf(error));
        return;
      }
      const bytes = await this.read(join(this.folder.output, ...segments));
      if (bytes === null) {
        this.notes.push(`output/${name} is not there any more.`);
      } else if (!hashes.has(sha256(bytes))) {
        this.fail('output', `output/${name} is not what the run wrote.`);
        return;
      }
      await this.pause();
    }
    this.pass('output', `${written.size} files, as the run wrote them.`);
  }

  private async checkExitFiles(
    { complete, state, endSeq, summarized }: Replay,
    bytes: Buffer | null,
    head: SummaryHead | null,
  ): Promise<void> {
    if (bytes === null) {
      const why = endSeq === null ? 'the run has not ended' : 'the process ended before it could write it';
      this.notes.push(`summary.json is not there: ${why}.`);
    } else if (head === null) {
      this.fail('summary.json', 'It is not a summary.');
    } else if (!complete) {
      this.fail('summary.json', 'It cannot be compared: the log is not in order.');
    } else if (endSeq === null && !head.end_is_logged) {
      this.notes.push('summary.json tells of an end that could not be written to the log: it cannot be compared.');
    } else if (summarized === null) {
      this.fail('summary.json', `It was made from ${head.events} events, and the log has only ${this.events}.`);
    } else {
      if (endSeq !== null && head.events < endSeq)
        this.notes.push('The exit files are of an earlier end: the process ended before it could write them anew.');
      await this.compare('summary.json', bytes, [summarized]);
      // The last end may have been cut short between two files.
      const candidates =
        endSeq === null ? [summarized] : [summarized, { files: exitFiles(state, null), version: state.version }];
      for (const name of ['results.json', 'summary.md', 'answer.md'] as const) {
        await this.compare(name, await this.read(join(this.folder.path, name)), candidates);
      }
    }
  }

  /** Compares a file with what the log gives, byte by byte. A document may be edited, or made by another version. */
  private async compare(name: ExitFile['name'], bytes: Buffer | null, candidates: readonly Expected[]): Promise<void> {
    if (bytes === null) {
      this.notes.push(`${name} is not there.`);
      return;
    }
    if (candidates.some(({ version }) => version !== BUILD) && name.endsWith('.json'))
      return this.compareFacts(name, bytes, candidates);
    let different = -1;
    for (const { files } of candidates) {
      different = await this.firstDifference(bytes, piecesOf(files, name));
      if (different < 0) break;
    }
    const line = different < 0 ? 0 : bytes.subarray(0, different).toString('latin1').split('\n').length;
    if (different < 0) this.pass(name, 'It is what the log gives.');
    else if (name.endsWith('.md'))
      this.notes.push(
        `${name} is not what this version makes of the log, first in line ${line}: edited, or made by another version.`,
      );
    else this.fail(name, `It is not what the log gives, first in line ${line}.`);
  }

  /** The same for a file that another version may have written: its form may be another one, and its facts must not. */
  private compareFacts(name: ExitFile['name'], bytes: Buffer, candidates: readonly Expected[]): void {
    const texts = candidates.map(({ files }) => [...piecesOf(files, name)].join(''));
    if (texts.includes(String(bytes))) return this.pass(name, 'It is what the log gives.');
    const at = this.factThatDiffers(
      name,
      String(bytes),
      texts.map((text): unknown => JSON.parse(text)),
    );
    if (at === null) this.pass(name, 'It says what the log gives, in the form of another version.');
    else this.fail(name, `It says other than the log, first in ${at}.`);
  }

  /** The first place where the JSON text of another version states another fact than these values; null: one agrees. */
  private factThatDiffers(name: string, text: string, expected: readonly unknown[]): string | null {
    const actual = jsonOrNull(text);
    let first: string | null = null;
    for (const value of expected) {
      const { at, onlyInFile, onlyExpected } = factsThatDiffer(actual, value, PROSE);
      if (at !== null) {
        first ??= at === '' ? 'its form' : at;
        continue;
      }
      if (onlyExpected.length > 0)
        this.notes.push(`${name} is of another version, without ${onlyExpected.join(', ')}.`);
      if (onlyInFile.length > 0)
        this.notes.push(`${name} is of another version, and says what cannot be compared: ${onlyInFile.join(', ')}.`);
      return null;
    }
    return first;
  }

  /** Where the bytes are other than the pieces, or -1. */
  private async firstDifference(bytes: Buffer, pieces: Iterable<string>): Promise<number> {
    let offset = 0;
    for (const piece of pieces) {
      const expected = Buffer.from(piece, 'utf8');
      const actual = bytes.subarray(offset, offset + expected.length);
      if (!actual.equals(expected)) {
        const at = expected.findIndex((byte, index) => byte !== actual[index]);
        return offset + at;
      }
      offset += expected.length;
      await this.pause();
    }
    return offset === bytes.length ? -1 : offset;
  }

  private read(path: string, atMost?: number): Promise<Buffer | null> {
    return this.disk.read(path, atMost).catch((error: unknown) => {
      if (error instanceof ForeignFile) this.fail('files', error.message);
      return null;
    });
  }

  private pass(name: string, detail: string): void {
    this.checks.push({ name, ok: true, detail });
  }

  private fail(name: string, detail: string): null {
    this.checks.push({ name, ok: false, detail });
    return null;
  }
}

function piecesOf(files: readonly ExitFile[], name: ExitFile['name']): Iterable<string> {
  return files.find((file) => file.name === name)?.pieces ?? [];
}

/** Brings the state forward by one event of its own run. Returns the cap after it. Throws where the event does not fit. */
function applyOwn(state: RunState, event: RunEvent | UnknownEvent): Pico {
  if (event.type === 'unknown') {
    throw new Error(`Event ${event.seq} was written by a newer version: verify the run with that one.`);
  }
  if (event.run_id !== state.config.run_id)
    throw new Error(`Event ${event.seq} (${event.type}) belongs to another run.`);
  apply(state, event);
  return picoFromUsd(state.limits.max_cost_usd);
}

function spent({ money }: RunState): Pico {
  return money.settled + money.held + money.reserved;
}

function headOf(bytes: Buffer): SummaryHead | null {
  return SummaryHead.safeParse(jsonOrNull(bytes)).data ?? null;
}

function endingOf({ stop_reason, detail, error }: SummaryHead): Ending | null {
  return stop_reason === null ? null : { reason: stop_reason, detail: detail ?? '', error };
}

function sha256(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex');
}
