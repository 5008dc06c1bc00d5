import type * as vscode from 'vscode';
import type { Redactor } from '../safety/redaction.ts';

/** The extension's log channel; nothing reaches it but through the redactor. */
export class Output {
  private readonly channel: vscode.LogOutputChannel;
  private readonly redactor: Redactor;

  constructor(channel: vscode.LogOutputChannel, redactor: Redactor) {
    this.channel = channel;
    this.redactor = redactor;
  }

  info(message: string): void {
    this.channel.info(this.redactor.redact(message));
  }

  error(message: string, error?: unknown): void {
    const detail =
      error instanceof Error ? (error.stack ?? error.message) : error === undefined ? '' : JSON.stringify(error);
    this.channel.error(this.redactor.redact(detail === '' ? message : `${message}\n${detail}`));
  }

  show(): void {
    this.channel.show(true);
  }
}
