import { quotedAscii } from './text.ts';

/** Which rule of the name policy a path breaks. */
export type OutputPathReason =
  | 'empty'
  | 'not_well_formed'
  | 'absolute'
  | 'backslash'
  | 'empty_segment'
  | 'dot_segment'
  | 'too_many_segments'
  | 'segment_too_long'
  | 'control_character'
  | 'invisible_character'
  | 'forbidden_character'
  | 'leading_dash'
  | 'trailing_dot_or_space'
  | 'short_name'
  | 'device_name'
  | 'protected_name'
  | 'collision';

/** A name the model may not write to. The message quotes it with everything but plain ASCII escaped. */
export class OutputPathError extends Error {
  override readonly name = 'OutputPathError';
  readonly reason: OutputPathReason;
  readonly path: string;
  readonly rule: string;

  constructor(reason: OutputPathReason, path: string, rule: string) {
    super(`The output path ${quotedAscii(path)} is not allowed: ${rule}`);
    this.reason = reason;
    this.path = path;
    this.rule = rule;
  }
}

/** Names that begin so are the sandbox's own. */
export const OWN_PREFIX = '.sandbox-';
export const MAX_SEGMENTS = 16;
const MAX_SEGMENT_BYTES = 120;

// A device on Windows whatever its extension, and with spaces before it: "nul", "CON .txt", "com¹.log".
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|clock\$|com[0-9]|lpt[0-9])\s*(?:\.|$)/;
// What tools and shells obey when they find it: version control, editors, environments, keys, and what the Windows
// Explorer opens by merely showing a folder.
const PROTECTED =
  /^(?:\.git.*|\.hg|\.svn|\.vscode|\.idea|\.devcontainer.*|\.babyagi|\.env.*|\.npmrc|\.yarnrc.*|\.ssh|\.trash|\.sandbox-.*|desktop\.ini|autorun\.inf|.*\.(?:code-workspace|lnk|scf|url|library-ms|search-ms|searchconnector-ms))$/;

/**
 * The name policy of `output/`, the same on every system, so that a run folder can be moved between them. Returns the
 * segments of the path in Unicode form NFC. `existing` are paths in `output/`: a name that some file system takes for
 * one of them, or for one of their directories, is refused. Throws OutputPathError.
 */
export function parseOutputPath(name: string, existing: Iterable<string> = []): { segments: string[] } {
  const refuse = (reason: OutputPathReason, rule: string): never => {
    throw new OutputPathError(reason, name, rule);
  };
  if (name === '') refuse('empty', 'it is empty. Name a file.');
  if (/\p{Cs}/u.test(name)) refuse('not_well_formed', 'it is not valid Unicode.');
  if (name.includes('\\')) refuse('backslash', 'write "/" between folders, and no "\\".');
  if (name.startsWith('/')) refuse('absolute', 'it must be relative: no "/" in front.');

  const segments = name.normalize('NFC').split('/');
  if (segments.length > MAX_SEGMENTS) refuse('too_many_segments', `at most ${MAX_SEGMENTS} segments.`);
  for (const segment of segments) {
    const broken = brokenRule(segment);
    if (broken !== null) refuse(...broken);
  }

  const known = new Map<string, string>();
  for (const path of existing) for (const prefix of prefixes(path.split('/'))) known.set(folded(prefix), prefix);
  for (const prefix of prefixes(segments)) {
    const other = known.get(folded(prefix));
    if (other !== undefined && other !== prefix) {
      refuse(
        'collision',
        `some systems take it for ${quotedAscii(other)}, which exists. Use that spelling or another name.`,
      );
    }
  }
  return { segments };
}

function brokenRule(segment: string): [OutputPathReason, string] | null {
  if (segment === '') return ['empty_segment', 'no "//" and no "/" at the end.'];
  if (segment === '.' || segment === '..') return ['dot_segment', 'no "." and no ".." between slashes.'];
  if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES) {
    return ['segment_too_long', `at most ${MAX_SEGMENT_BYTES} bytes of UTF-8 between slashes.`];
  }
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(segment)) return ['control_character', 'no control characters or line breaks.'];
  // Ignored by HFS+ when it compares names, mapped to forbidden characters by SMB, or different on the next system.
  if (/[\p{Cf}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}]/u.test(segment)) {
    return ['invisible_character', 'no invisible, direction-changing or unassigned characters.'];
  }
  // The compatibility form shows what a look-alike stands for: "．．", "ＣＯＮ", "com¹".
  const compatible = segment.normalize('NFKC');
  if (/[<>:"|?*\\/]/.test(compatible))
    return ['forbidden_character', 'none of < > : " | ? * \\ and their look-alikes.'];
  if (/^\.{1,2}$/.test(compatible)) return ['dot_segment', 'no look-alikes of "." and "..".'];
  if (compatible.startsWith('-')) return ['leading_dash', 'no "-" in front: tools take it for an option.'];
  if (/[.\s]$/.test(compatible)) return ['trailing_dot_or_space', 'no dot or space at the end: Windows drops it.'];
  if (/~\d/.test(compatible))
    return ['short_name', 'no "~" before a digit: on Windows that is a short name of another file.'];
  const plain = folded(segment);
  if (DEVICE.test(plain)) return ['device_name', 'it is the name of a device on Windows.'];
  if (PROTECTED.test(plain)) return ['protected_name', 'other tools obey files of this name.'];
  return null;
}

/** Equal for names that are one name to a case-insensitive or normalising file system. */
export function folded(text: string): string {
  return text.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKC');
}

function prefixes(segments: readonly string[]): string[] {
  return segments.map((_, index) => segments.slice(0, index + 1).join('/'));
}
