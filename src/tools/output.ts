import { outputFiles } from '../agents/output-files.ts';
import type { RunLog } from '../run/ports.ts';
import type { Call, Task } from '../run/state.ts';
import { OutputPathError } from '../safety/output-path.ts';
import { Sandbox, type SandboxFile } from '../safety/sandbox.ts';
import { SandboxError } from '../safety/sandbox-directory.ts';

/** Writes the files of an answer below `output/`: the intent is durable before, the outcome is an event behind it. */
export class OutputWriter {
  private readonly log: RunLog;
  private readonly sandbox: Sandbox;

  constructor(log: RunLog, root: string, platform: string) {
    this.log = log;
    const known = [...log.state.fileHashes].flatMap(([path, hashes]) =>
      [...hashes].map((sha256) => ({ path, sha256 })),
    );
    this.sandbox = new Sandbox({ root, platform, known });
  }

  /** A file that is refused does not fail the task: the refusal is on record, and the text is in the result. */
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
