import * as vscode from 'vscode';

/** Markdown in which commands and HTML have no effect; texts of runs go in as plain text, or contained. */
export function untrusted(markdown = ''): vscode.MarkdownString {
  const text = new vscode.MarkdownString(markdown);
  text.isTrusted = false;
  text.supportHtml = false;
  return text;
}
