import { lstat, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, relative, sep } from 'node:path';

/**
 * Whether a path that is written as one below `root` is there in fact: no link in it leads elsewhere, and none leads to
 * nothing. What does not exist yet counts by what it will be in. Paths are absolute; one that is written as one outside of
 * `root` hides nothing, and is fine.
 */
export async function leadsWhereItSays(root: string, path: string): Promise<boolean> {
  if (!isBelow(root, path)) return true;
  for (let place = path; ; place = dirname(place)) {
    try {
      return isBelow(await realpath(root), await realpath(place));
    } catch {
      // A link to nothing is there, although what it names is not: a folder could still be made behind it.
      const isThere = await lstat(place).then(
        () => true,
        () => false,
      );
      if (isThere || dirname(place) === place) return false;
    }
  }
}

/** Also for the root itself. */
export function isBelow(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
