// Loaded into n8n: the most memory that it had, threads included.
const { writeFileSync } = require('node:fs');
const { isMainThread } = require('node:worker_threads');
if (isMainThread && process.env.NODULE_RSS && process.argv.includes('execute')) {
	process.on('exit', () => writeFileSync(process.env.NODULE_RSS, JSON.stringify({ rss: process.resourceUsage().maxRSS })));
}
