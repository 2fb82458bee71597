import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

export default defineConfig({
	resolve: { alias: { 'nodule-client': join(import.meta.dirname, '../clients/node/src/index.ts') } },
	test: {
		include: ['test/**/*.test.ts'],
		globalSetup: ['test/setup.ts'],
		testTimeout: 60_000,
		hookTimeout: 60_000,
	},
});
