/** The packed SocialHub node, as n8n would load and call it. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { IExecuteFunctions, INodeExecutionData, INodeType } from 'n8n-workflow';
import { inject } from 'vitest';

export const pkg = inject('pkg');
export const simulator = inject('simulator');
const require = createRequire(import.meta.url);
// n8n brings this one for its nodes.
process.env.NODE_PATH = join(import.meta.dirname, '../node_modules');
(require('node:module') as { _initPaths(): void })._initPaths();

export const CREDENTIAL = { baseUrl: simulator, appId: 'demo', appSecret: 'demo-secret-0123456789' };
export const load = (from = pkg): INodeType => {
	const { SocialHub } = require(join(from, 'dist/nodes/SocialHub/SocialHub.node.js')) as { SocialHub: new () => INodeType };
	return new SocialHub();
};

export interface Given {
	resource: string;
	operation: string;
	items: object[];
	goOn?: boolean;
	credential?: object;
	/** Where the package is. */
	from?: string;
	signal?: AbortSignal;
	/** The node's parameters, where they are not expressions that give the items. */
	parameters?: Record<string, unknown>;
	/** Hears of each parameter that is resolved. */
	resolved?: (name: string, index: number) => void;
}

/** A node's parameters are the same for all items in n8n; expressions make them differ, which a function does here. */
export async function run({ resource, operation, items, goOn = false, credential = CREDENTIAL, ...more }: Given): Promise<INodeExecutionData[]> {
	const node = load(more.from);
	const names = new Set(items.flatMap((item) => Object.keys(item)));
	const expressions = [...names].map((name) => [name, items.length === 1 ? (items[0] as Record<string, unknown>)[name] : '={{ $json }}']);
	const parameters = more.parameters ?? (Object.fromEntries(expressions) as Record<string, unknown>);
	const self = {
		getInputData: () => items.map(() => ({ json: {} })),
		getNode: () => ({ name: 'SocialHub', parameters }),
		continueOnFail: () => goOn,
		getTimezone: () => 'Europe/Berlin',
		getCredentials: async () => credential,
		getExecutionCancelSignal: () => more.signal,
		getNodeParameter(name: string, index: number) {
			more.resolved?.(name, index);
			const found = ({ resource, operation, ...more.parameters, ...items[index] } as Record<string, unknown>)[name];
			if (found instanceof Error) throw found;
			return found;
		},
	};
	const [output] = (await node.execute?.call(self as unknown as IExecuteFunctions)) as INodeExecutionData[][];
	return output ?? [];
}
