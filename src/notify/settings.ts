import type { NoticeKind } from '../run/notice.ts';

/** An address of the web, which may be a secret. */
export interface WebAddress {
  readonly url: string;
  /** Whether it may be on the own network. */
  readonly allowPrivate: boolean;
}

/** Which channels there are, and what each takes: plain data, which the thread of the watchdog gets a copy of. */
export interface NoticeSettings {
  readonly slack?: WebAddress & { readonly kinds: readonly NoticeKind[] };
  readonly json_webhook?: WebAddress & { readonly secret: string | null; readonly kinds: readonly NoticeKind[] };
  readonly pagerduty?: WebAddress & { readonly routingKey: string; readonly kinds: readonly NoticeKind[] };
  readonly email?: EmailSettings & { readonly kinds: readonly NoticeKind[] };
  readonly dead_man?: WebAddress;
}

export interface EmailSettings {
  /** `smtp://host:port` or `smtps://host:port`. */
  readonly server: string;
  readonly login: { readonly user: string; readonly password: string } | null;
  readonly from: string;
  readonly to: readonly string[];
}

export type ChannelName = keyof NoticeSettings;

/** Channels whose kinds of notices a person may choose. */
export type ChoosingChannel = Exclude<ChannelName, 'dead_man'>;

const PROBLEMS = ['review', 'paused', 'limit', 'failed', 'hang', 'overdue'] as const;

/** What a channel may be told of: what else there is would call nobody to a pager. */
export const POSSIBLE_KINDS: Readonly<Record<ChoosingChannel, readonly NoticeKind[] | null>> = {
  slack: null,
  json_webhook: null,
  pagerduty: PROBLEMS,
  email: null,
};

/** What it is told of where nobody chose; null: everything. */
export const DEFAULT_KINDS: Readonly<Record<ChoosingChannel, readonly NoticeKind[] | null>> = {
  slack: [...PROBLEMS, 'ended', 'heartbeat', 'recovered'],
  json_webhook: null,
  pagerduty: PROBLEMS,
  email: [...PROBLEMS, 'ended', 'recovered'],
};
