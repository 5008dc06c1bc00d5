import { messageOf } from '../run/message.ts';
import { TranslatableError } from '../run/translate.ts';
import { l10n } from './panel-l10n.ts';

/**
 * What went wrong, in the language of the window. In English that is the message, which says the most; in another language
 * the words of an error that has them, else a sentence for its reason where a person can cause it, else the message.
 */
export function problemWords(error: unknown): string {
  const message = messageOf(error);
  if (l10n.language === undefined) return message;
  if (error instanceof TranslatableError) return error.words(l10n.t);
  const reason = error instanceof Error && 'reason' in error ? `${error.name}.${String(error.reason)}` : '';
  return sentenceFor(reason) ?? l10n.known(message);
}

function sentenceFor(reason: string): string | null {
  switch (reason) {
    case 'SteerError.no_such_task':
      return l10n.t('There is no such task.');
    case 'SteerError.task_not_waiting':
      return l10n.t('Only waiting tasks can be changed.');
    case 'SteerError.bad_text':
      return l10n.t('The text is empty, or too long.');
    case 'SteerError.bad_limit':
      return l10n.t('The limit cannot have this value.');
    case 'SteerError.no_guidance':
      return l10n.t('The classic loop takes no guidance: add or edit a task instead.');
    case 'SteerError.no_review':
      return l10n.t('No review is pending: it was answered already.');
    case 'SteerError.review_changed':
      return l10n.t('The run changed since it was shown: look again, then decide.');
    case 'SteerError.run_ended':
      return l10n.t('The run has ended: resume it first.');
    case 'OriginError.invalid_url':
      return l10n.t(
        'The address is not complete. Write it like https://api.openai.com/v1 or http://localhost:11434/v1.',
      );
    case 'OriginError.scheme_not_allowed':
      return l10n.t('The address must start with https:// (or http:// on this machine).');
    case 'OriginError.insecure':
      return l10n.t('Plain http would show the key to the network. Use https.');
    case 'OriginError.userinfo':
      return l10n.t('The address holds a user name or password. Remove it; keys are entered on their own.');
    case 'OriginError.trailing_dot':
      return l10n.t('The host ends in a dot. Remove the dot.');
    case 'OriginError.address_not_allowed':
      return l10n.t(
        'This is not a public address. If it is a server on your own network, name it in your user settings.',
      );
    case 'OriginError.invalid_mail_server':
      return l10n.t(
        'The mail server is not complete. Write it like smtp://mail.example.com:587 or smtps://mail.example.com.',
      );
    case 'KeyError.empty':
      return l10n.t('The API key is empty. Paste the whole key.');
    case 'KeyError.forbidden_character':
      return l10n.t(
        'The API key has a space, a line break or a non-ASCII character inside. Copy it again, the key alone.',
      );
    case 'KeyError.wrong_length':
      return l10n.t('A key has 8 to 512 characters. Copy it again.');
    default:
      return null;
  }
}
