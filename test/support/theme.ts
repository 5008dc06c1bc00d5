/** The theme's id in the settings, and its name in VS Code's theme picker. */
export const THEMES = {
  dark: { id: 'Dark Modern', label: 'Dark Modern' },
  light: { id: 'Light Modern', label: 'Light Modern' },
  'hc-dark': { id: 'Default High Contrast', label: 'Dark High Contrast' },
  'hc-light': { id: 'Default High Contrast Light', label: 'Light High Contrast' },
} as const;
export type Theme = keyof typeof THEMES;

export const THEME_SETTING = 'workbench.colorTheme';
