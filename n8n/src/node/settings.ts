/**
 * n8n's own settings, as the host's: where n8n's nodes may not go, this one may not either, and they take the same way.
 *
 * - Its proxy variables are read as `proxy-from-env` does, which n8n uses: lower case first, `npm_config_` before that.
 * - `NODE_EXTRA_CA_CERTS` is trusted beside the public web's certificates.
 * - With n8n's SSRF protection off, as it is by default, the credential's base URL may be private, and nothing else. With it on,
 *   n8n's lists are the host's.
 * - NODULE_POLICY names an operator's policy file. Then that file alone says whether the base URL may be private, and which declared
 *   origins are reached; without it, those are that were granted when the package was made.
 */
import { BlockList, isIP } from 'node:net';

import type { AllowEntry, Settings } from 'nodule-client';

export type Variables = Record<string, string | undefined>;
type ReadFile = (path: string) => string;

/** As n8n 2 has them. */
const DEFAULT_BLOCKED = [
	'10.0.0.0/8',
	'172.16.0.0/12',
	'192.168.0.0/16',
	'127.0.0.0/8',
	'::1/128',
	'169.254.0.0/16',
	'fe80::/10',
	'fc00::/7',
	'fd00::/8',
	'0.0.0.0/8',
	'192.0.0.0/24',
	'192.0.2.0/24',
	'198.18.0.0/15',
	'198.51.100.0/24',
	'203.0.113.0/24',
];

/** The host's settings, which hold for all credentials. */
export function settingsOf(variables: Variables, readFile: ReadFile): Settings {
	const certificates = variables.NODE_EXTRA_CA_CERTS ? [readFile(variables.NODE_EXTRA_CA_CERTS)] : [];
	const policy = variables.NODULE_POLICY ? readFile(variables.NODULE_POLICY) : undefined;
	const proxy = proxyOf(variables);
	const { isOn, blocked, allowed } = protection(variables, readFile);
	return {
		...(certificates.length > 0 ? { certificates } : {}),
		...(policy === undefined ? {} : { policy }),
		...(proxy ? { proxy } : {}),
		// What is special about an address the host knows itself: n8n's default list is not repeated to it.
		...(isOn ? { addresses: { allowed, blocked } } : {}),
	};
}

export function proxyOf(variables: Variables): Settings['proxy'] {
	const of = (key: string): string => variables[key] || variables[key.toUpperCase()] || '';
	const [http, https] = ['http', 'https'].map((scheme) => {
		// One without a scheme is an HTTP proxy, as for other programs.
		return of(`npm_config_${scheme}_proxy`) || of(`${scheme}_proxy`) || of('npm_config_proxy') || of('all_proxy');
	});
	if (!http && !https) return undefined;
	return { ...(http ? { http } : {}), ...(https ? { https } : {}), no: of('npm_config_no_proxy') || of('no_proxy') };
}

/** What the package grants, as a policy. An operator's policy says everything itself. */
export function policyOf(granted: string[], variables: Variables): { policy?: string } {
	if (granted.length === 0 || variables.NODULE_POLICY) return {};
	// A list of JSON texts is one of TOML.
	return { policy: `declared = ${JSON.stringify(granted)}\n` };
}

/** What is allowed beside the policy for a credential's base URL. Throws where n8n would not go there. */
export function reach(base: string, variables: Variables, readFile: ReadFile): AllowEntry[] {
	// What is no URL, the host refuses in its own words.
	if (!URL.canParse(base)) return [];
	const { origin, hostname, pathname } = new URL(base);
	if (!isPrivateAllowed(hostname, variables, readFile) || variables.NODULE_POLICY) return [];
	const path = pathname.replace(/\/+$/, '');
	return [{ origin, ...(path === '' ? {} : { path }), private: true }];
}

function isPrivateAllowed(hostname: string, variables: Variables, readFile: ReadFile): boolean {
	const { isOn, hasDefault, blocked, allowed, allowedNames, blockedNames } = protection(variables, readFile);
	if (!isOn) return true;
	const address = hostname.replace(/^\[(.*)\]$/, '$1');
	if (isIP(address)) {
		if (contains(allowed, address)) return true;
		if (contains([...blocked, ...(hasDefault ? DEFAULT_BLOCKED : [])], address)) {
			throw new Error(`n8n's SSRF protection blocks ${address} (N8N_SSRF_BLOCKED_IP_RANGES)`);
		}
		return !hasDefault;
	}
	if (matches(allowedNames, hostname)) return true;
	if (matches(blockedNames, hostname)) {
		throw new Error(`n8n's SSRF protection blocks ${hostname} (N8N_SSRF_BLOCKED_HOSTNAMES)`);
	}
	return !hasDefault;
}

interface Protection {
	isOn: boolean;
	/** Whether n8n's own list counts. */
	hasDefault: boolean;
	/** Beside n8n's own. */
	blocked: string[];
	allowed: string[];
	allowedNames: string[];
	blockedNames: string[];
}

function protection(variables: Variables, readFile: ReadFile): Protection {
	const value = (name: string): string | undefined => {
		const own = variables[name];
		if (own !== undefined) return own;
		const file = variables[`${name}_FILE`];
		return file ? readFile(file).trim() : undefined;
	};
	const list = (name: string): string[] =>
		(value(name) ?? '')
			.split(',')
			.map((entry) => entry.trim())
			.filter(Boolean);
	const ranges = value('N8N_SSRF_BLOCKED_IP_RANGES')?.trim().replace(/^(['"])(.*)\1$/, '$2') ?? 'default';
	const blocked = ranges.split(',').map((entry) => entry.trim());
	return {
		isOn: ['true', '1'].includes(value('N8N_SSRF_PROTECTION_ENABLED')?.toLowerCase() ?? ''),
		hasDefault: blocked.some((entry) => entry.toLowerCase() === 'default'),
		blocked: blocked.filter(isRange),
		allowed: list('N8N_SSRF_ALLOWED_IP_RANGES').filter(isRange),
		allowedNames: list('N8N_SSRF_ALLOWED_HOSTNAMES'),
		blockedNames: list('N8N_SSRF_BLOCKED_HOSTNAMES'),
	};
}

/** n8n warns about a malformed entry, and ignores it. */
function isRange(entry: string): boolean {
	const [address = '', prefix = '', ...more] = entry.split('/');
	const bits = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
	return more.length === 0 && /^\d+$/.test(prefix) && Number(prefix) <= bits;
}

function contains(ranges: string[], address: string): boolean {
	const list = new BlockList();
	const family = (text: string): 'ipv4' | 'ipv6' => (isIP(text) === 4 ? 'ipv4' : 'ipv6');
	for (const range of ranges) {
		const [network = '', prefix] = range.split('/');
		list.addSubnet(network, Number(prefix), family(network));
	}
	return list.check(address, family(address));
}

/** `*.example.com` stands for what ends so and is longer. */
function matches(patterns: string[], hostname: string): boolean {
	const plain = (name: string): string => name.trim().toLowerCase().replace(/\.$/, '');
	const name = plain(hostname);
	return patterns.map(plain).some((pattern) => {
		if (!pattern.startsWith('*.')) return name === pattern;
		const suffix = pattern.slice(1);
		return name.endsWith(suffix) && name.length > suffix.length;
	});
}
