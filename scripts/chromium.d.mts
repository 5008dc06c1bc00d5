/** The path of a Chromium-based browser. Rejects with one sentence when there is none and none can be installed. */
export function ensureChromium(): Promise<string>;
