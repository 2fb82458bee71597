/**
 * The one form of a URL that is checked and sent; the Rust host's `canonical.rs` has the table of what is accepted. A check
 * of one spelling while another is sent can be talked past, so what a node asks for becomes a {@link Target} first, or is
 * refused.
 *
 * An encoded slash is data: an item's `a/b` in a path parameter is `a%2Fb`, one segment. But some servers decode it, so a
 * path is below the base URL only if it is in that reading too.
 */
export interface Target {
	/** `https://api.example.com:8443` */
	origin: string;
	/** Starts with `/`. */
	path: string;
	/** With its `?`, or empty. */
	query: string;
}

/** Longer request lines are refused by most servers. */
const URL_BYTES = 16 * 1024;
const HOST = /^(?:[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?|\[[0-9a-f:.]+\])$/i;

/** Refused; the message says what was found, and never shows a query. */
export class BadUrl extends Error {}

export function target(scheme: string, authority: string, pathAndQuery: string): Target {
	if (scheme.length + authority.length + pathAndQuery.length > URL_BYTES) {
		throw new BadUrl(`expected a URL of at most ${URL_BYTES} bytes`);
	}
	if (!/^https?$/i.test(scheme)) throw new BadUrl(`scheme: expected \`http\` or \`https\`, found \`${scheme}\``);
	const question = pathAndQuery.indexOf('?');
	const path = question < 0 ? pathAndQuery : pathAndQuery.slice(0, question);
	const query = question < 0 ? '' : pathAndQuery.slice(question);
	// eslint-disable-next-line no-control-regex -- control characters are among what is refused
	if (/[\x00-\x20"<>\x7f-\uffff]/.test(query)) throw new BadUrl('query: expected special characters percent-encoded');
	if (pathAndQuery.includes('#')) throw new BadUrl('expected no fragment, found `#`');
	return { origin: origin(scheme.toLowerCase(), authority), path: canonicalPath(path || '/'), query };
}

function origin(scheme: string, authority: string): string {
	if (/@|%40/.test(authority)) throw new BadUrl('host: expected no user info, found an `@` before the path');
	const [, host = '', port] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(authority) ?? [];
	const refuse = (): never => {
		throw new BadUrl(`host: expected a name or an address, found \`${authority.slice(0, 100)}\``);
	};
	if (!HOST.test(host) || host.length > 254) refuse();
	if (port !== undefined && (!/^[0-9]{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535)) {
		throw new BadUrl(`port: expected 1 to 65535, found \`${port.slice(0, 20)}\``);
	}
	const text = `${scheme}://${host.replace(/\.$/, '')}${port === undefined ? '' : `:${port}`}`;
	// Reads addresses in all their spellings, so that two of the same one are equal.
	return URL.canParse(text) ? new URL(text).origin : refuse();
}

function canonicalPath(path: string): string {
	if (!path.startsWith('/')) throw new BadUrl('path: expected it to start with `/`');
	const [bad] = /[^A-Za-z0-9\-._~!$&'()*+,;=:@%/]/.exec(path) ?? [];
	if (bad !== undefined) throw new BadUrl(`path: expected \`${bad}\` percent-encoded, found it as it is`);
	if (/%(?![0-9A-Fa-f]{2})/.test(path)) throw new BadUrl('path: expected two hexadecimal digits after each `%`');
	const plain = path.replace(/%[0-9A-Fa-f]{2}/g, (escape) => {
		const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
		return /[A-Za-z0-9\-._~]/.test(character) ? character : escape.toUpperCase();
	});
	if (plain.includes('//')) throw new BadUrl('path: expected text between slashes, found `//`');
	if (plain.split('/').some((segment) => /^\.{1,2}(?:;|%3B|$)/.test(segment))) {
		throw new BadUrl('path: expected no `.` and `..` segments');
	}
	return plain;
}

/** A credential's base URL. A `/` or blanks at its end do not matter. */
export function baseUrl(text: string): Target {
	const [, scheme, authority = '', rest = ''] = /^([^:/]+):\/\/([^/?#]*)(.*)$/s.exec(text.trim()) ?? [];
	if (scheme === undefined) {
		throw new BadUrl('expected a URL such as `https://api.example.com/v1`, found one without scheme or host');
	}
	if (/[?#]/.test(rest)) throw new BadUrl('expected a URL without query and fragment');
	const found = target(scheme, authority, rest.replace(/\/+$/, ''));
	if (/%2F|%5C/.test(found.path)) throw new BadUrl('path: expected a base URL without an encoded slash');
	return { ...found, path: found.path === '/' ? '' : found.path };
}

export const asText = ({ origin, path, query }: Target): string => origin + path + query;

/** Whether a request to `url` may carry what belongs to a credential that is bound to `base`. */
export function isBelow(url: Target, base: Target): boolean {
	return url.origin === base.origin && [url.path, decoded(url.path)].every((path) => {
		return base.path === '' || path === base.path || path.startsWith(`${base.path}/`);
	}) && !decoded(url.path).startsWith('/..');
}

/** The path as a server reads it that decodes slashes before it looks for `..`; what climbs out starts with `/..`. */
function decoded(path: string): string {
	const segments: string[] = [];
	for (const segment of path.replace(/%2F|%5C/g, '/').split('/')) {
		const name = segment.replace(/(?:;|%3B).*$/, '');
		if (name === '' || name === '.') continue;
		if (name !== '..') segments.push(segment);
		else if (segments.pop() === undefined) return '/..';
	}
	return `/${segments.join('/')}`;
}
