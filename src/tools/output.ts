import { outputFiles } from '../agents/output-files.ts';
import { type RunLog, StopRun } from '../run/ports.ts';
import type { Call, RunState, Task } from '../run/state.ts';
import { OutputPathError } from '../safety/output-path.ts';
import { Sandbox, type SandboxFile } from '../safety/sandbox.ts';
import { SandboxError, type SandboxFs } from '../safety/sandbox-directory.ts';

/** Writes the files of an answer below `output/`: the intent is durable before, the outcome is an event behind it. */
export class OutputWriter {
  private readonly log: RunLog;
  private readonly sandbox: Pick<Sandbox, 'write'>;

  constructor(log: RunLog, sandbox: Pick<Sandbox, 'write'>) {
    this.log = log;
    this.sandbox = sandbox;
  }

  /**
   * A file that is refused does not fail the task: the refusal is on record, and the text is in the result. Throws StopRun
   * where no further file should be tried.
   */
  async keep(task: Task, result: Call): Promise<void> {
    for (const { name, content } of outputFiles(result.answer ?? '')) {
      try {
        const file = await this.sandbox.write(name, Buffer.from(content, 'utf8'), (intended) =>
          this.announce(intended, task),
        );
        this.log.append({
          type: 'file.written',
          name: file.path,
          sha256: file.sha256,
          bytes: file.bytes,
          task_id: task.id,
        });
      } catch (error) {
        if (!(error instanceof OutputPathError || error instanceof SandboxError)) throw error;
        const refusal = { class: error.reason, message: error.message };
        this.log.append({ type: 'file.refused', name: name.slice(0, 200), error: refusal, task_id: task.id });
        const end = endOfRun(error);
        if (end !== null) throw end;
      }
    }
  }

  private async announce(file: SandboxFile, task: Task): Promise<void> {
    this.log.append({
      type: 'file.intended',
      name: file.path,
      sha256: file.sha256,
      bytes: file.bytes,
      task_id: task.id,
    });
    await this.log.barrier();
  }
}

/** For the files of a run below `root`. Throws StopRun where nothing may be written there. */
export function outputSandbox({ fileHashes }: RunState, root: string, platform: string, fs?: SandboxFs): Sandbox {
  const known = [...fileHashes].flatMap(([path, hashes]) => [...hashes].map((sha256) => ({ path, sha256 })));
  try {
    return new Sandbox({ root, platform, known, ...(fs ? { fs } : {}) });
  } catch (error) {
    throw endOfRun(error) ?? error;
  }
}

/** The end of the run, where somebody works against it or the disk is full; null where only one file is concerned. */
function endOfRun(error: unknown): StopRun | null {
  if (!(error instanceof SandboxError)) return null;
  const record = { class: error.reason, message: error.message };
  switch (error.reason) {
    case 'disk_full':
      return new StopRun('disk_full', error.message, record);
    case 'escaped':
    case 'root_refused':
      return new StopRun('error', error.message, record);
    default:
      return null;
  }
}
