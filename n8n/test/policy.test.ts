/** An operator's policy, through the package: the host is started with it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, expect, test } from 'vitest';

import { run } from './node.js';

const folder = mkdtempSync(join(tmpdir(), 'nodule-n8n-policy-'));
process.env.NODULE_POLICY = join(folder, 'policy.toml');
writeFileSync(process.env.NODULE_POLICY, 'write-requests = 0\n[operations."points.adjustPoints"]\nwrite-requests = 1\n');
afterAll(() => rmSync(folder, { recursive: true }));

test('a policy lowers how many writes an item may send', { timeout: 60_000 }, async () => {
	const store = { organizationCode: 'O1', organizationName: 'N' };
	const [written] = await run({ resource: 'masterdata', operation: 'saveStore', items: [store], goOn: true });
	expect(written?.json).toMatchObject({ details: { kind: 'denied' } });
	expect(String(written?.json.error)).toContain('may send 0 requests other than GET and HEAD, as the policy says');
	const [read] = await run({ resource: 'member', operation: 'getMember', items: [{ cardNo: 'M17' }], goOn: true });
	expect(read?.json.details).toBeUndefined();
});
