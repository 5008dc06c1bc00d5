/** A file that an answer hands over. */
export interface OutputFile {
  readonly name: string;
  readonly content: string;
}

const OPENING = /^(`{3,}|~{3,})\s*file:\s*(\S.*?)\s*$/;

/** The fenced blocks of an answer whose info string is `file:<name>`; one that is not closed is not a file. */
export function outputFiles(answer: string): OutputFile[] {
  const files: OutputFile[] = [];
  const lines = answer.split(/\r?\n/);
  for (let index = 0; index < lines.length; index++) {
    const [, fence, name] = OPENING.exec(lines[index] ?? '') ?? [];
    if (fence === undefined || name === undefined) continue;
    const end = lines.findIndex((line, at) => at > index && line.trimEnd() === fence);
    if (end < 0) continue;
    files.push({ name, content: `${lines.slice(index + 1, end).join('\n')}\n` });
    index = end;
  }
  return files;
}
