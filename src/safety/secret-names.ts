/** Names that announce a secret. */
export const SECRET_WORDS = ['password', 'passwd', 'pwd', 'passphrase', 'secret', 'credential', 'token'] as const;

/** What makes a secret of a "key": an API key, a routing key. The key of a map or a cache is none. */
export const KEY_KINDS = [
  ...['access', 'account', 'api', 'auth', 'encryption', 'integration', 'master', 'private', 'routing', 'secret'],
  ...['service', 'shared', 'signing', 'subscription'],
] as const;

const SECRET_NAME = new RegExp(
  `(?:^| )(?:authorization|cookie|secrets|credentials|${SECRET_WORDS.join('|')}|(?:${KEY_KINDS.join('|')}) ?key)$`,
);

/** Whether a property of this name holds a secret: `apiKey`, `auth_token`, `Authorization`; not `input_tokens`. */
export function isSecretName(name: string): boolean {
  if (!/key|token|secret|pass|pwd|auth|cred|cookie/i.test(name)) return false;
  const words = name.replace(/([a-z0-9])([A-Z])|([A-Z])(?=[A-Z][a-z])/g, '$1$3 $2').toLowerCase();
  return SECRET_NAME.test(
    words
      .split(/[^a-z0-9]+/)
      .join(' ')
      .trim(),
  );
}
