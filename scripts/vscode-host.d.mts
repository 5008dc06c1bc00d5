/** `<cache>/babyagi-vscode`, outside the checkout. */
export function cacheFolder(): string;
/** The path of a Node 24 binary. Rejects with one sentence when there is none and none can be fetched. */
export function ensureNode24(): Promise<string>;
/** Paths of the Node binary and of the `server-main.js` to run with it. Rejects with one sentence on failure. */
export function ensureHost(): Promise<{ node: string; server: string }>;
