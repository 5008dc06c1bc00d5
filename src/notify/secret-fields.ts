/** What of the set-up of notices is a secret, each with the rule by which it is replaced in all that is written. */
export const SECRET_FIELDS = {
  slack_url: 'webhook',
  json_webhook_url: 'webhook',
  json_webhook_secret: 'webhook_secret',
  pagerduty_routing_key: 'pagerduty_key',
  email_password: 'email_password',
  dead_man_url: 'dead_man_url',
} as const;

export type SecretField = keyof typeof SECRET_FIELDS;

/** Before the secret of a webhook that is base64, as Standard Webhooks has it. */
export const ENCODED = 'whsec_';
