import type * as vscode from 'vscode';
import { SECRET_FIELDS, type SecretField } from '../notify/secret-fields.ts';
import type { Redactor } from '../safety/redaction.ts';

const KEY_PREFIX = 'babyagi.key:';
const HEADERS_PREFIX = 'babyagi.otlpHeaders:';
/** Names of what notices need, the first one as it always was. */
const NOTICE_PREFIX = 'babyagi.';
/** Which origins have a key: SecretStorage cannot be listed. Losing it loses no key. */
const KNOWN_ORIGINS = 'babyagi.keyOrigins';

/** Some keyrings never answer. */
const READ_TIMEOUT_MS = 3000;

/** API keys, each bound to the origin that it was entered for, and the secrets of notices. In memory while they are in use. */
export class Keys {
  private readonly secrets: vscode.SecretStorage;
  private readonly memento: vscode.Memento;
  private readonly redactor: Redactor;
  private readonly readTimeoutMs: number;
  private readonly read = new Map<string, string>();
  private readonly listeners = new Set<() => void>();

  constructor(
    secrets: vscode.SecretStorage,
    memento: vscode.Memento,
    redactor: Redactor,
    readTimeoutMs = READ_TIMEOUT_MS,
  ) {
    this.secrets = secrets;
    this.memento = memento;
    this.redactor = redactor;
    this.readTimeoutMs = readTimeoutMs;
  }

  /** Another window may have changed a secret. */
  watch(): vscode.Disposable {
    return this.secrets.onDidChange(({ key }) => this.read.delete(key));
  }

  /** Calls `listener` when a key was set or removed in this window. */
  onDidChange(listener: () => void): vscode.Disposable {
    this.listeners.add(listener);
    return { dispose: () => this.listeners.delete(listener) };
  }

  /** Null where there is none, or where the keyring does not answer. */
  keyFor(origin: string): Promise<string | null> {
    return this.get(KEY_PREFIX + origin, 'api_key');
  }

  /** `key` as `parseApiKey` gave it. */
  async setKey(origin: string, key: string): Promise<void> {
    this.redactor.register(key, 'api_key');
    await this.secrets.store(KEY_PREFIX + origin, key);
    this.read.set(KEY_PREFIX + origin, key);
    await this.know([...new Set([...this.origins(), origin])].sort());
  }

  async removeKey(origin: string): Promise<void> {
    await this.secrets.delete(KEY_PREFIX + origin);
    this.read.delete(KEY_PREFIX + origin);
    await this.know(this.origins().filter((other) => other !== origin));
  }

  /** The origins that a key was entered for. */
  origins(): readonly string[] {
    return this.memento.get<readonly string[]>(KNOWN_ORIGINS, []);
  }

  /** A secret that notices need; null as `keyFor`. */
  noticeSecret(field: SecretField): Promise<string | null> {
    return this.get(nameOf(field), SECRET_FIELDS[field]);
  }

  setNoticeSecret(field: SecretField, secret: string | null): Promise<void> {
    return this.set(nameOf(field), SECRET_FIELDS[field], secret);
  }

  /** Headers for a collector of traces at this origin, as `name=value`; null as `keyFor`. */
  traceHeaders(origin: string): Promise<string | null> {
    return this.get(HEADERS_PREFIX + origin, 'otlp_headers');
  }

  setTraceHeaders(origin: string, headers: string | null): Promise<void> {
    return this.set(HEADERS_PREFIX + origin, 'otlp_headers', headers);
  }

  private async know(origins: readonly string[]): Promise<void> {
    await this.memento.update(KNOWN_ORIGINS, origins);
    for (const listener of this.listeners) listener();
  }

  private async set(name: string, rule: string, secret: string | null): Promise<void> {
    this.read.delete(name);
    if (secret === null) return this.secrets.delete(name);
    this.redactor.register(secret, rule);
    await this.secrets.store(name, secret);
  }

  private async get(name: string, rule: string): Promise<string | null> {
    const known = this.read.get(name);
    if (known !== undefined) return known;
    const stored = await orNullAfter(this.readTimeoutMs, () => this.secrets.get(name));
    if (stored === null) return null;
    this.redactor.register(stored, rule);
    this.read.set(name, stored);
    return stored;
  }
}

function nameOf(field: SecretField): string {
  return NOTICE_PREFIX + (field === 'slack_url' ? 'webhook' : field);
}

async function orNullAfter(ms: number, work: () => Thenable<string | undefined>): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, ms, null);
  });
  try {
    return (await Promise.race([work(), expired])) ?? null;
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}
