import { messageOf } from '../run/message.ts';
import { l10n } from './panel-l10n.ts';

/**
 * What went wrong, in the language of the window. In English that is the message, which says the most; in another language
 * a sentence for the reason of an error that a person can cause, and for all others the message.
 */
export function problemWords(error: unknown): string {
  const message = messageOf(error);
  if (l10n.language === undefined) return message;
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
    case 'KeyError.empty':
      return l10n.t('The API key is empty. Paste the whole key.');
    case 'KeyError.forbidden_character':
      return l10n.t(
        'The API key has a space, a line break or a non-ASCII character inside. Copy it again, the key alone.',
      );
    case 'KeyError.wrong_length':
      return l10n.t('A key has 8 to 512 characters. Copy it again.');
    case 'EngineError.imported':
      return l10n.t('The run came from an archive: it can be looked at, not resumed.');
    case 'EngineError.has_ended':
      return l10n.t('The run has ended: a person may go on with it.');
    case 'EngineError.owned_elsewhere':
      return l10n.t('The run is in progress in another process.');
    case 'EngineError.newer_version':
      return l10n.t('The run was written by a newer version of BabyAGI: update, then open it again.');
    case 'ArchiveError.not_an_archive':
      return l10n.t('The file is not the archive of a run.');
    case 'ArchiveError.exists':
      return l10n.t('The run is there already: nothing was changed.');
    case 'ArchiveError.changed':
      return l10n.t('A file was changed while it was archived: try again.');
    default:
      return null;
  }
}
