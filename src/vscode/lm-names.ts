const PREFIX = 'vscode:lm/';

/** Where requests to a language model that VS Code offers go: `vscode:lm/<vendor>/<family>`, each part URI-encoded. */
export function originOfLanguageModel({
  vendor,
  family,
}: {
  readonly vendor: string;
  readonly family: string;
}): string {
  return `${PREFIX}${encodeURIComponent(vendor)}/${encodeURIComponent(family)}`;
}

/** What such an origin names, or null where it is another. */
export function languageModelOf(origin: string): { vendor: string; family: string } | null {
  const [vendor, family, ...more] = origin.startsWith(PREFIX) ? origin.slice(PREFIX.length).split('/') : [];
  if (!vendor || !family || more.length > 0) return null;
  try {
    return { vendor: decodeURIComponent(vendor), family: decodeURIComponent(family) };
  } catch {
    return null;
  }
}
