import * as vscode from 'vscode';
import { type Arrangement, arrangementFrom } from './runs-filter.ts';

const STORED = 'babyagi.runs.arrangement';

/** What a person chose to see in the Runs view; kept for the workspace. */
export class RunsChoice implements vscode.Disposable {
  private readonly memento: vscode.Memento;
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changed.event;
  private chosen: Arrangement;

  constructor(memento: vscode.Memento) {
    this.memento = memento;
    this.chosen = arrangementFrom(memento.get(STORED));
  }

  get arrangement(): Arrangement {
    return this.chosen;
  }

  async choose(change: Partial<Arrangement>): Promise<void> {
    this.chosen = { ...this.chosen, ...change };
    this.changed.fire();
    await this.memento.update(STORED, this.chosen);
  }

  dispose(): void {
    this.changed.dispose();
  }
}
