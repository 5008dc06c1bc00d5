// The browser that shows VS Code to the tests: the machine's own, on Debian installed when it is missing.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { canInstall, install } from './debian.mjs';

const WINDOWS_ROOTS = [process.env.PROGRAMFILES, process.env['PROGRAMFILES(X86)'], process.env.LOCALAPPDATA];
const CANDIDATES = {
  linux: ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/usr/bin/google-chrome-stable'],
  darwin: [
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
  ],
  win32: WINDOWS_ROOTS.filter(Boolean).flatMap((root) => [
    path.join(root, 'Google', 'Chrome', 'Application', 'chrome.exe'),
    path.join(root, 'Microsoft', 'Edge', 'Application', 'msedge.exe'),
  ]),
};

/** The path of a Chromium-based browser. Rejects with one sentence when there is none and none can be installed. */
export async function ensureChromium() {
  const named = process.env.CHROMIUM_PATH;
  if (named) {
    if (existsSync(named)) return named;
    throw new Error(`CHROMIUM_PATH names ${named}, and there is no such file.`);
  }
  const found = installed();
  if (found !== undefined) return found;
  if (canInstall()) {
    install('Chromium', 'chromium', ...(hasFont() ? [] : ['fonts-dejavu-core']));
    const fresh = installed();
    if (fresh !== undefined) return fresh;
  }
  throw new Error('No Chromium or Chrome was found: install one, or set CHROMIUM_PATH to its executable.');
}

function installed() {
  return (CANDIDATES[process.platform] ?? []).find((file) => existsSync(file));
}

/** Without any font every letter is a box. */
function hasFont() {
  return existsSync('/usr/share/fonts/truetype') || existsSync('/usr/share/fonts/opentype');
}
