import { lstat, open, opendir, realpath } from 'node:fs/promises';
import { join } from 'node:path';

export interface WorkspaceFile {
  /** Relative to the workspace, with `/` on every platform. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
}

/** What may be read of a workspace: text files, without secrets. Never throws: what cannot be read is not there. */
export interface WorkspaceReader {
  /** Folders near the root first, then by name. */
  list(): Promise<readonly WorkspaceFile[]>;
  /** The beginning of a file, or null where it is not to be read. */
  read(path: string): Promise<string | null>;
}

interface Entry {
  readonly name: string;
  readonly isFolder: boolean;
}

const MAX_FILES = 2000;
/** Directory entries looked at; a folder of a million pictures is left half-way. */
const MAX_ENTRIES = 20_000;
const MAX_FILE_BYTES = 2 * 1024 * 1024;
const MAX_READ_BYTES = 64 * 1024;

/** Dependencies, builds and caches. Whatever begins with a dot is left out as well. */
const SKIPPED_FOLDERS =
  /^(?:node_modules|bower_components|vendor|dist|out|build|target|coverage|venv|__pycache__|secrets?|credentials?|passwords?)$/i;

const BINARY =
  /\.(?:png|jpe?g|gif|webp|avif|bmp|ico|icns|svgz|psd|pdf|docx?|xlsx?|pptx?|odt|zip|gz|tgz|bz2|xz|zst|7z|rar|tar|jar|war|vsix|mp[34]|m4a|wav|ogg|flac|mov|avi|mkv|webm|woff2?|ttf|otf|eot|exe|dll|so|dylib|lib|a|o|obj|class|pyc|wasm|node|bin|dat|db|sqlite3?|parquet|npy|npz|pt|onnx|gguf)$/i;

const KEY_FILE =
  /\.(?:pem|key|p8|p12|pfx|jks|keystore|kdbx?|ppk|asc|gpg|pgp|crt|cer|der|tfvars|tfstate|ovpn|env|envrc|netrc|htpasswd|pgpass)(?:\.|$)|^(?:id_(?:rsa|dsa|ecdsa|ed25519)|_?netrc|envrc$|htpasswd|authorized_keys|known_hosts|kubeconfig|auth\.json)/i;
/** Whatever their format. */
const SECRET_STEM = /^(?:secrets?|credentials?|passwords?|passwd|passphrases?)(?:\.|$)/i;
/** In source code and documentation these words are a subject; in data they announce the thing itself. */
const SECRET_WORD =
  /secret|credential|passw|passphrase|(?:private|api|access)[-_.]?key|service[-_.]?account|oauth|token|login|(?:^|[-_.])env(?:[-_.]|$)/i;
const DATA =
  /(?:^[^.]+|\.(?:json5?|jsonc|ya?ml|toml|xml|ini|cfg|conf|config|properties|txt|csv|tsv|log|bak|old|local))$/i;
const PRIVATE_KEY = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY/;

/** A folder on disk. Symbolic links in it are not followed, wherever they lead. */
export class FolderWorkspace implements WorkspaceReader {
  private readonly root: string;

  /** `root` is an absolute path. */
  constructor(root: string) {
    this.root = root;
  }

  async list(): Promise<readonly WorkspaceFile[]> {
    const files: WorkspaceFile[] = [];
    const folders = [''];
    let entries = 0;
    for (let folder = folders.shift(); folder !== undefined; folder = folders.shift()) {
      const { found, seen } = await this.entriesOf(folder, MAX_ENTRIES - entries);
      entries += seen;
      for (const { name, isFolder } of found) {
        const path = folder + name;
        if (isFolder) {
          folders.push(`${path}/`);
          continue;
        }
        const size = await this.sizeOf(path);
        if (size !== null) files.push({ path, size });
        if (files.length === MAX_FILES) return files;
      }
    }
    return files;
  }

  async read(path: string): Promise<string | null> {
    if (!isReadable(path) || (await this.sizeOf(path)) === null) return null;
    try {
      // A link anywhere in the path, also one that came after the listing, leads elsewhere.
      if ((await realpath(join(this.root, path))) !== join(await realpath(this.root), path)) return null;
      const file = await open(join(this.root, path), 'r');
      try {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_READ_BYTES), 0, MAX_READ_BYTES, 0);
        // As a stream: a character that the limit cuts in two is left out.
        const text = new TextDecoder().decode(buffer.subarray(0, bytesRead), { stream: true });
        return text.includes('\0') || PRIVATE_KEY.test(text) ? null : text;
      } finally {
        await file.close();
      }
    } catch {
      return null;
    }
  }

  /** The entries of a folder that are to be seen, by name. */
  private async entriesOf(folder: string, most: number): Promise<{ found: Entry[]; seen: number }> {
    const found: Entry[] = [];
    let seen = 0;
    if (most <= 0) return { found, seen };
    try {
      for await (const entry of await opendir(join(this.root, folder), { bufferSize: 256 })) {
        const isFolder = entry.isDirectory();
        const wanted = isFolder ? isFolderName(entry.name) : entry.isFile() && isFileName(entry.name);
        if (wanted) found.push({ name: entry.name, isFolder });
        if (++seen >= most) break;
      }
    } catch {
      // Not to be read, or gone meanwhile: what was found so far counts.
    }
    found.sort((one, other) => (one.name < other.name ? -1 : 1));
    return { found, seen };
  }

  /** Bytes of a regular file of a readable size, else null. */
  private async sizeOf(path: string): Promise<number | null> {
    try {
      const stats = await lstat(join(this.root, path));
      return stats.isFile() && stats.size <= MAX_FILE_BYTES ? stats.size : null;
    } catch {
      return null;
    }
  }
}

/** Whether a path names a file below the root that `list` could have given. */
function isReadable(path: string): boolean {
  const names = path.split('/');
  const file = names.pop() ?? '';
  return names.every(isFolderName) && isFileName(file);
}

/** A name begins with a dot where it is hidden, is `.` or is `..`; none is empty, as those of absolute paths are. */
function isPlainName(name: string): boolean {
  return name !== '' && !name.startsWith('.') && !/[\p{Cc}\\`]|^[A-Za-z]:/u.test(name);
}

function isFolderName(name: string): boolean {
  return isPlainName(name) && !SKIPPED_FOLDERS.test(name);
}

function isFileName(name: string): boolean {
  if (!isPlainName(name) || BINARY.test(name)) return false;
  return !KEY_FILE.test(name) && !SECRET_STEM.test(name) && !(SECRET_WORD.test(name) && DATA.test(name));
}
