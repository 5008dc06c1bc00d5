/** What the system says for each theme, which VS Code follows at once, and what its window and its webviews call it. */
export const THEMES = {
  dark: { label: 'Dark Modern', scheme: 'dark', contrast: false, window: 'vs-dark', webview: 'vscode-dark' },
  light: { label: 'Light Modern', scheme: 'light', contrast: false, window: 'vs', webview: 'vscode-light' },
  'hc-dark': {
    label: 'Dark High Contrast',
    scheme: 'dark',
    contrast: true,
    window: 'hc-black',
    webview: 'vscode-high-contrast',
  },
  'hc-light': {
    label: 'Light High Contrast',
    scheme: 'light',
    contrast: true,
    window: 'hc-light',
    webview: 'vscode-high-contrast-light',
  },
} as const;
export type Theme = keyof typeof THEMES;

/** Settings with which the window takes its theme from the system. */
export const FOLLOW_SYSTEM_THEME = {
  'window.autoDetectColorScheme': true,
  'window.autoDetectHighContrast': true,
  'workbench.preferredDarkColorTheme': THEMES.dark.label,
  'workbench.preferredLightColorTheme': THEMES.light.label,
};

/**
 * Run in the page before VS Code: what it asks of the system's contrast, and hears of its changes, is what
 * `setSystemContrast` says. Playwright's own `forcedColors` would also have the browser paint over the theme.
 */
export const SYSTEM_CONTRAST = `
  (() => {
    const stored = () => sessionStorage.getItem('system-contrast') === 'more';
    const query = '(forced-colors: active)';
    const contrast = Object.assign(new EventTarget(), { media: query, matches: false });
    contrast.addListener = (heard) => contrast.addEventListener('change', heard);
    contrast.removeListener = (heard) => contrast.removeEventListener('change', heard);
    try { contrast.matches = stored(); } catch {}
    const system = globalThis.matchMedia.bind(globalThis);
    globalThis.matchMedia = (asked) => asked === query ? contrast : system(asked);
    globalThis.setSystemContrast = (more) => {
      if (contrast.matches === more) return;
      contrast.matches = more;
      sessionStorage.setItem('system-contrast', more ? 'more' : 'none');
      contrast.dispatchEvent(new Event('change'));
    };
  })();
`;
