import type { Egress } from '../safety/egress.ts';
import type { Channel } from './channel.ts';
import { DeadMan } from './dead-man.ts';
import { Email } from './email.ts';
import { JsonWebhook } from './json-webhook.ts';
import { PagerDuty } from './pagerduty.ts';
import type { NoticeSettings } from './settings.ts';
import { SlackWebhook } from './slack.ts';

/** All channels that are set, with leave to connect to where they go. Throws OriginError. */
export function channelsFor(settings: NoticeSettings, egress: Egress): Channel[] {
  const { slack, json_webhook, pagerduty, email, dead_man } = settings;
  for (const web of [slack, json_webhook, pagerduty, dead_man]) {
    if (web) egress.allow(web.url, { allowPrivate: web.allowPrivate });
  }
  if (email) egress.allowMailServer(email.server);
  return [
    ...(slack ? [new SlackWebhook(slack, egress)] : []),
    ...(json_webhook ? [new JsonWebhook(json_webhook, egress)] : []),
    ...(pagerduty ? [new PagerDuty(pagerduty, egress)] : []),
    ...(email ? [new Email(email, egress)] : []),
    ...(dead_man ? [new DeadMan(dead_man, egress)] : []),
  ];
}
