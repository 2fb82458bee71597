/**
 * This node and the stand-in for the vendor's, in the same n8n, one after the other: `node e2e/bench.mjs`. Prints items per
 * second by n8n's own measure of the node, and the most memory that the process had.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { SECRET, simulator, userFolder, workflow } from './n8n.mjs';

const cases = [
	{ name: 'at once', latency: 0, count: 10_000 },
	{ name: 'after 50 ms', latency: 50, count: 1_000 },
];
const folder = await userFolder({ extra: [join(import.meta.dirname, 'stand-in')] });
folder.env.NODULE_RSS = join(folder.home, 'rss.json');
folder.env.NODE_OPTIONS = `--require ${join(import.meta.dirname, 'rss.cjs')}`;
try {
	for (const { name, latency, count } of cases) {
		const service = await simulator('--latency-ms', String(latency));
		await folder.credential(service.url);
		const answer = await fetch(`${service.url}/v1/auth/token`, {
			method: 'POST',
			headers: { 'content-type': 'application/json' },
			body: JSON.stringify({ appId: 'demo', appSecret: SECRET }),
		});
		const { data } = await answer.json();
		const file = join(folder.home, 'stand-in.json');
		const token = { baseUrl: service.url, token: data.accessToken };
		writeFileSync(file, JSON.stringify([{ id: 'c2', name: 'Stand-in', type: 'standInApi', data: token }]));
		await folder.n8n('import:credentials', `--input=${file}`);
		const more = { code: '{cardNo: `M${i}`}', parameters: { cardNo: '={{ $json.cardNo }}' } };
		const ours = workflow(`ours-${latency}`, { resource: 'member', operation: 'getMember', items: [{}], count, more });
		const goOn = workflow(`ours-continue-${latency}`, { resource: 'member', operation: 'getMember', items: [{}], count, more, onError: 'continueRegularOutput' });
		const theirs = workflow(`theirs-${latency}`, { resource: '', operation: '', items: [{}], count, more, type: 'n8n-nodes-stand-in.standIn' });
		theirs.nodes[2].credentials = { standInApi: { id: 'c2', name: 'Stand-in' } };
		await folder.workflows([ours, goOn, theirs]);
		for (const { id } of [theirs, ours, goOn]) {
			const { data: made } = await folder.execute(id);
			const [run] = made.resultData.runData.Node;
			const items = run.data?.main[0]?.length ?? 0;
			if (items !== count) throw new Error(`${id}: ${items} items of ${count}: ${JSON.stringify(made.resultData.error)}`);
			const { rss } = JSON.parse(readFileSync(folder.env.NODULE_RSS, 'utf8'));
			const rate = Math.round((count * 1000) / run.executionTime);
			process.stdout.write(`${name}\t${id}\t${count} items\t${run.executionTime} ms\t${rate} items/s\t${Math.round(rss / 1024)} MB\n`);
		}
		await service.stop();
	}
} finally {
	folder.remove();
}
