// n8n's rules for community nodes, in the set without n8n Cloud: the node starts a program, which n8n Cloud does not let a node do.
// They run over the generated package, over what is in it, and over the client that is bundled into it.
import { n8nCommunityNodesPlugin } from '@n8n/eslint-plugin-community-nodes';
import tseslint from 'typescript-eslint';

export default tseslint.config(
	{ ignores: ['**/dist/', '**/node_modules/'] },
	{ linterOptions: { reportUnusedDisableDirectives: 'off' } },
	{ files: ['**/src/**/*.ts', '**/nodes/**/*.ts', '**/credentials/**/*.ts'], languageOptions: { parser: tseslint.parser } },
	{ files: ['**/package.json'], languageOptions: { parser: tseslint.parser, parserOptions: { extraFileExtensions: ['.json'] } } },
	n8nCommunityNodesPlugin.configs.recommendedWithoutN8nCloudSupport,
	{
		rules: {
			// Who publishes the package writes an address into it.
			'@n8n/community-nodes/valid-author': 'off',
			'@n8n/community-nodes/require-homepage': 'off',
			// The component brings one icon, which is drawn for both themes.
			'@n8n/community-nodes/icon-prefer-themed-variants': 'off',
		},
	},
	{
		// They know nothing of n8n's execution: node.ts makes n8n's errors of theirs.
		files: ['**/clients/node/src/*.ts', '**/src/node/host.ts'],
		rules: { '@n8n/community-nodes/require-node-api-error': 'off' },
	},
	{
		files: ['**/clients/node/src/process.ts'],
		rules: {
			// A node from a stranger runs in a process that the system bounds: no part of n8n's own process can hold one.
			'@n8n/community-nodes/no-dangerous-functions': 'off',
		},
	},
	{ plugins: { '@typescript-eslint': tseslint.plugin } },
);
