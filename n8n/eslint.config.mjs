// n8n's rules for community nodes, in the set without n8n Cloud: the node reads its component from a file and starts
// threads, which n8n Cloud does not let a node do. They run over the generated package and over the host that is in it.
import { n8nCommunityNodesPlugin } from '@n8n/eslint-plugin-community-nodes';
import tseslint from 'typescript-eslint';

export default tseslint.config(
	{ ignores: ['**/dist/', '**/transpiled.js'] },
	{ linterOptions: { reportUnusedDisableDirectives: 'off' } },
	{ files: ['src/**/*.ts', '**/nodes/**/*.ts', '**/credentials/**/*.ts'], languageOptions: { parser: tseslint.parser } },
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
	{ plugins: { '@typescript-eslint': tseslint.plugin } },
);
