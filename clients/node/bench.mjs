/**
 * `node bench.mjs SOCKET COMPONENT CREDENTIAL ITEMS`, the token on standard input: `getMember` on the lines of a file, for `clients/bench`, which has started
 * the host. Objects go in and parsed results come out, as a program would have it.
 */
import { readFileSync } from 'node:fs';

import { Host } from './dist/index.js';

const [socket, component, credential, file] = process.argv.slice(2);
const items = readFileSync(file, 'utf8').trim().split('\n').map((line) => ({ parameters: JSON.parse(line) }));
const request = { group: 'member', operation: 'getMember', credential: JSON.parse(readFileSync(credential, 'utf8')), concurrency: 16, retries: 4 };
const host = Host.connect({ socket, token: readFileSync(0, 'utf8').trim() });
const loaded = await host.load(component);
const began = performance.now();
let results = 0;
for await (const batch of loaded.run(request, items).batches()) results += batch.length;
process.stdout.write(`${JSON.stringify({ items: results, elapsedMs: performance.now() - began })}\n`);
await host.close();
