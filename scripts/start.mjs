// `npm start [-- "<objective>" [options of the command]]`: a run if there is a key, or a local server, to run it with;
// without, a rehearsal with the built-in offline model. Variables may also stand in .env. The last line of the output is
// where the summary is.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { main, setUp } from './setup.mjs';

const OBJECTIVE = 'Explain how the project in this folder is organised and where to start reading.';
const LIMITS = [
  { option: '--max-iterations', variable: 'MAX_ITERATIONS', value: '10' },
  { option: '--max-cost-usd', variable: 'MAX_COST_USD', value: '0.50' },
];

async function start(args) {
  await setUp();
  if (existsSync('.env')) process.loadEnvFile('.env');
  const { env } = process;
  const hasObjective = args.length > 0 && !args[0].startsWith('--');
  const [objective, ...options] = hasObjective ? args : [env.BABYAGI_OBJECTIVE || env.OBJECTIVE || OBJECTIVE, ...args];
  const baseUrl = valueOf('--base-url', args) || env.BABYAGI_BASE_URL || env.OPENAI_BASE_URL;
  const isRun = Boolean(env.OPENAI_API_KEY) || isLocal(baseUrl);
  if (isRun) {
    if (baseUrl && !valueOf('--base-url', args)) options.push('--base-url', baseUrl);
    for (const { option, variable, value } of LIMITS) {
      if (valueOf(option, args) || env[variable] || env[`BABYAGI_${variable}`]) continue;
      console.log(`${option} ${value} (the default here; give the option or set ${variable})`);
      options.push(option, value);
    }
  } else {
    console.log('OPENAI_API_KEY is not set: this is a rehearsal with the built-in offline model. It costs nothing.');
  }

  process.exitCode = await runCli(isRun ? 'run' : 'rehearse', objective, ...options);
}

/** Of `--option value` and of `--option=value`. */
function valueOf(option, args) {
  const index = args.findIndex((each) => each === option || each.startsWith(`${option}=`));
  return index < 0 ? undefined : (args[index].split('=')[1] ?? args[index + 1]);
}

function isLocal(url) {
  return /^https?:\/\/(localhost|127(\.\d+){3}|\[::1\])([:/]|$)/.test(url ?? '');
}

/** Ctrl+C reaches the run itself; it ends in its own way, and this process waits for it. */
function runCli(...args) {
  const child = spawn(process.execPath, ['dist/cli.js', ...args], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => signal === 'SIGTERM' && child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}

await main(() => start(process.argv.slice(2)));
