/** The package's page. The part between the markers is about the SocialHub node alone, and comes from ../README.md. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PAGE = join(dirname(fileURLToPath(import.meta.url)), '../README.md');
const OPERATIONS = /<!-- operations -->[\s\S]*<!-- \/operations -->/;

/** The table of operations, without the pages of parameters that follow it: those the editor shows. */
export function operations(markdown) {
	const lines = markdown.split('\n').filter((line) => line.startsWith('| '));
	const end = lines.findIndex((line, index) => index > 2 && !line.includes('](#'));
	const rows = lines.slice(0, end < 0 ? undefined : end).map((line) => line.replace(/\[(`[^`]+`)\]\([^)]*\)/g, '$1'));
	return `<!-- operations -->\n${rows.join('\n')}\n<!-- /operations -->`;
}

/** Where the node sends requests, and why; what stands in the description is a wish, and what was granted is said. */
export function destinations({ credentials, origins }, granted) {
	const base = credentials.length > 0 ? ['The base URL of the credential.'] : [];
	const declared = origins.map(({ url, access, reason }) => {
		const secret = access.length > 0 ? `with the access of ${access.map((name) => `\`${name}\``).join(', ')}` : 'without a credential';
		const state = granted.includes(url) ? 'Granted in this package' : 'Not granted in this package: requests to it fail';
		return `\`${url}\`, ${secret}: ${text(reason)}. ${state}.`;
	});
	const all = [...base, ...declared];
	const rows = all.length > 0 ? all.map((line) => `- ${line}`).join('\n') : 'Nowhere.';
	return `## Where it sends requests\n\n${rows}\n`;
}

/** A description's words are the component author's: they are no Markdown. */
const text = (words) => words.replace(/[\\`*_[\]<>&|#!]/g, (sign) => `&#${sign.charCodeAt(0)};`).replace(/\s+/g, ' ');

export function readme(description, names, markdown, granted) {
	const page = readFileSync(PAGE, 'utf8');
	if (page.startsWith(`# ${names.package}\n`)) return page.replace(OPERATIONS, operations(markdown));
	const head = `# ${names.package}\n\n${description.displayName} in n8n: ${description.summary}.`;
	return `${head}\n\n${operations(markdown)}\n\n${destinations(description, granted)}`;
}
