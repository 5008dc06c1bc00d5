/** Files that VS Code's own page loads; what a webview reports carries the address of the webview's frame. */
const OWN_FILE =
  /\/static\/out\/vs\/(?!.*\/webview\/browser\/pre\/)|\/_static\/|\/static\/node_modules\/|\/update\/check$/;

/** In a VS Code that was installed without its native modules, and is served without code-server around it. */
const MISSING_PARTS =
  /Could not locate the bindings file|native-watchdog|a bad HTTP response code .* fetching the script/i;

/** What was being read when a window was reloaded. */
const CUT_OFF = /Unable to read file '[^']*' \(Canceled: Canceled\)/;

/**
 * Whether an error on the console tells of an extension: of its host, its code or its webviews. VS Code also reports
 * much of its own, above all when it is slow or reloaded. `url` is the file that wrote to the console, if any.
 */
export function concernsExtension(text: string, url: string): boolean {
  if (MISSING_PARTS.test(text) || CUT_OFF.test(text)) return false;
  return !OWN_FILE.test(url) || /extension/i.test(text);
}
