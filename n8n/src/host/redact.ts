/**
 * Taking known secrets out of what a service answers, before the node, a log or an execution's data sees it. The forms that
 * are found are those of the Rust host: as it is, base64 in each position and both alphabets, percent-encoded and
 * JSON-escaped in any way; what is shorter than 16 characters only as a whole header or JSON string. Best effort, and the
 * last of several protections: a service that encrypts or encodes a secret twice gets past it.
 */
export const REDACTED = '[redacted]';
const SHORTEST_ANYWHERE = 16;
const SCHEME = /^(?:basic|bearer|digest|token|apikey)\s+(.+)$/is;

type Span = [start: number, end: number];

/** A way to read: what an escape looks like, and what it means. Texts are bytes, one a character. */
interface View {
	escapes: RegExp;
	decode(escape: string): string;
}

const utf8 = (text: string): string => Buffer.from(text).toString('latin1');
const VIEWS: Array<View & { sign: string }> = [
	{
		sign: '\\',
		escapes: /\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|["\\/bfnrt])/g,
		decode: (escape) => utf8(JSON.parse(`"${escape}"`) as string),
	},
	{
		sign: '%',
		escapes: /%[0-9a-fA-F]{2}/g,
		decode: (escape) => String.fromCharCode(Number.parseInt(escape.slice(1), 16)),
	},
];

export class Redactor {
	private readonly anywhere: string[] = [];
	private readonly whole: string[] = [];

	constructor(secrets: string[]) {
		const all = secrets.flatMap((secret) => [secret, SCHEME.exec(secret)?.[1] ?? '']);
		for (const secret of new Set(all)) {
			if (secret === '') continue;
			if ([...secret].length < SHORTEST_ANYWHERE) this.whole.push(utf8(secret));
			else this.anywhere.push(...forms(secret));
		}
	}

	body(body: Buffer): Buffer {
		const text = body.toString('latin1');
		const redacted = this.bytes(text);
		return redacted === text ? body : Buffer.from(redacted, 'latin1');
	}

	/** A text of people, as of an error. */
	text(text: string): string {
		const bytes = utf8(text);
		const redacted = this.bytes(bytes);
		return redacted === bytes ? text : Buffer.from(redacted, 'latin1').toString();
	}

	/** A header's value, which may be a short secret as a whole. */
	value(value: string): string {
		return this.whole.includes(value) ? REDACTED : this.bytes(value);
	}

	private bytes(text: string): string {
		const spans = this.find(text, this.anywhere);
		const quoted = this.whole.map((secret) => `"${secret}"`);
		spans.push(...this.find(text, quoted).map(([start, end]): Span => [start + 1, end - 1]));
		for (const view of VIEWS) {
			if (text.includes(view.sign)) spans.push(...this.findIn(view, text, quoted));
		}
		if (spans.length === 0) return text;
		spans.sort(([a], [b]) => a - b);
		let out = '';
		let at = 0;
		for (const [start, end] of spans) {
			if (start >= at) out += text.slice(at, start) + REDACTED;
			at = Math.max(at, end);
		}
		return out + text.slice(at);
	}

	private find(text: string, needles: string[]): Span[] {
		const spans: Span[] = [];
		for (const needle of needles) {
			for (let at = text.indexOf(needle); at >= 0; at = text.indexOf(needle, at + 1)) {
				spans.push([at, at + needle.length]);
			}
		}
		return spans;
	}

	/** Look in what the text means, and say where in the text that stands. */
	private findIn(view: View, text: string, quoted: string[]): Span[] {
		let decoded = '';
		const places: number[] = [];
		let at = 0;
		const plain = (end: number): void => {
			decoded += text.slice(at, end);
			for (; at < end; at += 1) places.push(at);
		};
		for (const match of text.matchAll(view.escapes)) {
			plain(match.index);
			const meant = view.decode(match[0]);
			decoded += meant;
			for (let index = 0; index < meant.length; index += 1) places.push(match.index);
			at = match.index + match[0].length;
		}
		plain(text.length);
		places.push(text.length);
		const back = ([start, end]: Span): Span => [places[start] ?? 0, places[end] ?? text.length];
		const inside = this.find(decoded, quoted).map(([start, end]): Span => [start + 1, end - 1]);
		return [...this.find(decoded, this.anywhere), ...inside].map(back);
	}
}

/** The byte strings to look for. */
function forms(secret: string): string[] {
	const bytes = Buffer.from(secret);
	const found = new Set([bytes.toString('latin1'), utf8(secret.replaceAll(' ', '+'))]);
	for (const alphabet of ['base64', 'base64url'] as const) {
		found.add(bytes.toString(alphabet).replace(/=+$/, ''));
		for (const offset of [0, 1, 2]) {
			// The characters that say nothing but the secret, with so many bytes before it in its first group of three.
			const group = Buffer.concat([Buffer.alloc(offset), bytes]);
			const shared = Math.ceil((offset * 8) / 6);
			found.add(group.toString(alphabet).slice(shared, Math.floor((group.length * 8) / 6)));
		}
	}
	return [...found];
}
