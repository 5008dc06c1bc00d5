// Who may import whom in src/. scripts/layers.mjs runs these rules over a copy of src/ without types: hence `.js`.

/** Rooms and files that may touch the disk, each for a reason; what else needs it gets it passed in. */
const DISK = [
  'runlog/', // the run folder
  'safety/sandbox', // what the model writes
  'safety/sandbox-directory', // the same, without following links
  'tools/', // what the model reads
  'budget/key-ledger', // what all runs of one key have spent
  'budget/token-ranks', // the tables of the tokenizer, in dist/
  'research/', // experiments, archives, what is bundled
  'terminal/options', // --env-file
  'terminal/configuration', // files with prompts
];

/** The only openers of sockets: requests out, the name lookup before them, metrics in. */
const NETWORK = ['safety/egress', 'safety/origin', 'telemetry/endpoint'];

/** What of the budget is pure, and so may be part of the loop. */
const PURE_BUDGET = ['money', 'reservation', 'token-bound'];

const anyOf = (paths) => `^src/(${paths.map((path) => (path.endsWith('/') ? path : `${path}\\.js$`)).join('|')})`;
const builtin = (names) => `^(node:)?(${names.join('|')})(/|$)`;
const forbid = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

module.exports = {
  forbidden: [
    forbid('no-cycles', 'Modules that need each other are one module, or lack a third.', {}, { circular: true }),
    forbid('no-barrels', 'Import from the file itself.', { path: '(^|/)index\\.js$' }, {}),
    forbid(
      'vscode-in-its-room',
      'Only src/vscode/ and src/extension.ts know the API of VS Code.',
      { pathNot: '^src/(vscode/|extension\\.js$)' },
      { path: '^vscode$' },
    ),
    forbid(
      'webview-alone',
      'The webview runs in a browser: it imports itself, messages, their language and npm packages.',
      { path: '^src/webview/' },
      { pathNot: ['^src/webview/', '^src/.*messages\\.js$', '^src/vscode/panel-l10n\\.js$', 'node_modules/'] },
    ),
    forbid(
      'webview-not-imported',
      'Code for the browser is a bundle of its own.',
      { pathNot: '^src/webview/' },
      { path: '^src/webview/' },
    ),
    forbid(
      'run-gets-ports',
      'The loop knows no adapter; what it needs from one is a port in src/run/ports.ts.',
      { path: '^src/run/' },
      { path: '^src/', pathNot: ['^src/(run|agents)/', anyOf(PURE_BUDGET.map((name) => `budget/${name}`))] },
    ),
    forbid(
      'roots-on-top',
      'The roots import the rooms, never the other way round; the commands of VS Code call the engine.',
      { path: '^src/[^/]+/', pathNot: '^src/vscode/' },
      { path: '^src/[^/]+\\.js$' },
    ),
    forbid('one-root', 'Each root is started by itself.', {}, { path: '^src/(cli|extension)\\.js$' }),
    forbid(
      'network-at-the-gate',
      'Connections are opened by the egress gate only.',
      { pathNot: anyOf(NETWORK) },
      { path: builtin(['http', 'https', 'http2', 'net', 'tls', 'dns', 'dgram']) },
    ),
    forbid(
      'disk-in-few-places',
      'Files are touched in the places listed in .dependency-cruiser.cjs, each with its reason.',
      { pathNot: anyOf(DISK) },
      { path: builtin(['fs']) },
    ),
  ],
  options: { doNotFollow: { path: 'node_modules' }, moduleSystems: ['es6'] },
};
