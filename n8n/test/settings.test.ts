/** n8n's variables, and what becomes of them. */
import { describe, expect, test } from 'vitest';

import { proxyOf, reach, settingsOf, type Variables } from '../src/node/settings.js';

const files: Record<string, string> = { '/ca.pem': 'CA', '/policy.toml': 'POLICY', '/on': ' true\n', '/ranges': '10.1.0.0/16\n' };
const readFile = (path: string): string => files[path] ?? expect.fail(`${path} was read`);
const settings = (variables: Variables) => settingsOf(variables, readFile);

test('without a variable there is no setting', () => expect(settings({ PATH: '/bin' })).toEqual({}));

test('certificates and an operator\'s policy are given as texts', () => {
	expect(settings({ NODE_EXTRA_CA_CERTS: '/ca.pem', NODULE_POLICY: '/policy.toml' })).toEqual({ certificates: ['CA'], policy: 'POLICY' });
});

describe('the proxy', () => {
	test.each<[string, Variables, ReturnType<typeof proxyOf>]>([
		['is none without a variable', { NO_PROXY: 'a' }, undefined],
		['is by scheme', { HTTP_PROXY: 'http://a:1', HTTPS_PROXY: 'http://b:2' }, { http: 'http://a:1', https: 'http://b:2', no: '' }],
		['is the one in lower case first', { https_proxy: 'http://a', HTTPS_PROXY: 'http://b' }, { https: 'http://a', no: '' }],
		['is that of all schemes last', { ALL_PROXY: 'http://all', http_proxy: 'http://a' }, { http: 'http://a', https: 'http://all', no: '' }],
		['is npm\'s first', { npm_config_https_proxy: 'http://npm', https_proxy: 'http://a' }, { https: 'http://npm', no: '' }],
		['is not used where NO_PROXY says so', { http_proxy: 'http://a', no_proxy: 'x,.y', NO_PROXY: 'z' }, { http: 'http://a', no: 'x,.y' }],
		['is not one that is empty', { http_proxy: '', HTTP_PROXY: 'http://a' }, { http: 'http://a', no: '' }],
	])('%s', (_, variables, expected) => expect(proxyOf(variables)).toEqual(expected));
});

describe('the lists of n8n\'s SSRF protection', () => {
	const ON = { N8N_SSRF_PROTECTION_ENABLED: 'true' };
	const addresses = (variables: Variables) => settings(variables).addresses;
	test('count only while it is on', () => {
		expect(addresses({ N8N_SSRF_BLOCKED_IP_RANGES: '1.0.0.0/8' })).toBeUndefined();
		expect(addresses({ N8N_SSRF_PROTECTION_ENABLED: 'no', N8N_SSRF_BLOCKED_IP_RANGES: '1.0.0.0/8' })).toBeUndefined();
		expect(addresses({ N8N_SSRF_PROTECTION_ENABLED: 'TRUE' })).toEqual({ allowed: [], blocked: [] });
		expect(addresses({ N8N_SSRF_PROTECTION_ENABLED: '1' })).toEqual({ allowed: [], blocked: [] });
	});
	test('are handed on, but for n8n\'s own and what is no range', () => {
		const lists = { N8N_SSRF_BLOCKED_IP_RANGES: '"default, 1.0.0.0/8,2001:db8::/32,1.2.3.4,1.0.0.0/33,x/8"', N8N_SSRF_ALLOWED_IP_RANGES: '10.1.0.0/16, ,10.2.3.4/32' };
		expect(addresses({ ...ON, ...lists })).toEqual({ allowed: ['10.1.0.0/16', '10.2.3.4/32'], blocked: ['1.0.0.0/8', '2001:db8::/32'] });
	});
	test('may stand in files', () => {
		expect(addresses({ N8N_SSRF_PROTECTION_ENABLED_FILE: '/on', N8N_SSRF_ALLOWED_IP_RANGES_FILE: '/ranges' })).toEqual({ allowed: ['10.1.0.0/16'], blocked: [] });
		expect(addresses({ N8N_SSRF_PROTECTION_ENABLED: 'false', N8N_SSRF_PROTECTION_ENABLED_FILE: '/on' })).toBeUndefined();
	});
});

describe('the credential\'s base URL', () => {
	const ON = { N8N_SSRF_PROTECTION_ENABLED: 'true' };
	const may = (base: string, variables: Variables = {}): boolean => reach(base, variables, readFile).some((entry) => entry.private === true);
	test('and what is below it may be private, and nothing else', () => {
		expect(reach('http://crm.internal:8080/v1/', {}, readFile)).toEqual([{ origin: 'http://crm.internal:8080', path: '/v1', private: true }]);
		expect(reach('https://crm.internal', {}, readFile)).toEqual([{ origin: 'https://crm.internal', private: true }]);
		expect(reach('nowhere', {}, readFile)).toEqual([]);
	});
	test('may not with n8n\'s protection', () => expect(may('http://crm.internal', ON)).toBe(false));
	test('may where n8n\'s own list does not count', () => expect(may('http://crm.internal', { ...ON, N8N_SSRF_BLOCKED_IP_RANGES: '1.0.0.0/8' })).toBe(true));
	test.each([
		['http://crm.internal', 'crm.internal', true],
		['http://CRM.internal.', 'x, CRM.Internal', true],
		['http://a.crm.internal', '*.crm.internal', true],
		['http://crm.internal', '*.crm.internal', false],
		['http://xcrm.internal', 'crm.internal', false],
	])('%s with the allowed names %s: %s', (base, N8N_SSRF_ALLOWED_HOSTNAMES, expected) => expect(may(base, { ...ON, N8N_SSRF_ALLOWED_HOSTNAMES })).toBe(expected));
	test.each([
		['http://127.0.0.1:80', {}],
		['http://[::1]', {}],
		['http://1.2.3.4', { N8N_SSRF_BLOCKED_IP_RANGES: '1.0.0.0/8' }],
		// A name that is allowed is no address that is.
		['http://10.0.0.1', { N8N_SSRF_ALLOWED_HOSTNAMES: '10.0.0.1' }],
	])('%s is refused, with the variable', (base, more) => expect(() => may(base, { ...ON, ...more })).toThrow('N8N_SSRF_BLOCKED_IP_RANGES'));
	test('is not refused where the address is allowed', () => expect(may('http://10.1.2.3', { ...ON, N8N_SSRF_ALLOWED_IP_RANGES_FILE: '/ranges' })).toBe(true));
	test('is refused by its name', () => {
		const blocked = { ...ON, N8N_SSRF_BLOCKED_HOSTNAMES: '*.evil.example' };
		expect(() => may('https://a.evil.example', blocked)).toThrow('N8N_SSRF_BLOCKED_HOSTNAMES');
		expect(may('https://a.evil.example', { ...blocked, N8N_SSRF_ALLOWED_HOSTNAMES: 'a.evil.example' })).toBe(true);
	});
	test('is the operator\'s policy\'s to judge, where there is one', () => expect(may('http://crm.internal', { NODULE_POLICY: '/policy.toml' })).toBe(false));
});
