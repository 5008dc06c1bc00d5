import { errors, type Locator } from 'playwright-core';
import { plainText } from './page-text.ts';

/** A toast in the corner of the window. */
export interface Notification {
  readonly severity: 'info' | 'warning' | 'error';
  readonly text: string;
  readonly buttons: readonly string[];
}

/** A toast that is not there any more when it is read: one that closes leaves in its own time. */
const GONE_MS = 500;

/** Reads a `.notification-list-item`; null for one that left meanwhile. */
export async function readNotification(toast: Locator): Promise<Notification | null> {
  try {
    const icon = await toast.locator('.notification-list-item-icon').getAttribute('class', { timeout: GONE_MS });
    const isError = icon?.includes('error') ?? false;
    return {
      severity: isError ? 'error' : icon?.includes('warning') ? 'warning' : 'info',
      text: plainText(await toast.locator('.notification-list-item-message').innerText({ timeout: GONE_MS })),
      buttons: await toast.locator('.monaco-button').allInnerTexts(),
    };
  } catch (error) {
    if (error instanceof errors.TimeoutError) return null;
    throw error;
  }
}
