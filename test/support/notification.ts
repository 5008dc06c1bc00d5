import type { Locator } from 'playwright-core';
import { plainText } from './page-text.ts';

/** A toast in the corner of the window. */
export interface Notification {
  readonly severity: 'info' | 'warning' | 'error';
  readonly text: string;
  readonly buttons: readonly string[];
}

/** Reads a `.notification-list-item`. */
export async function readNotification(toast: Locator): Promise<Notification> {
  const icon = (await toast.locator('.notification-list-item-icon').getAttribute('class')) ?? '';
  return {
    severity: icon.includes('error') ? 'error' : icon.includes('warning') ? 'warning' : 'info',
    text: plainText(await toast.locator('.notification-list-item-message').innerText()),
    buttons: await toast.locator('.monaco-button').allInnerTexts(),
  };
}
