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

export function readme(description, names, markdown) {
	const page = readFileSync(PAGE, 'utf8');
	if (page.startsWith(`# ${names.package}\n`)) return page.replace(OPERATIONS, operations(markdown));
	return `# ${names.package}\n\n${description.displayName} in n8n: ${description.summary}.\n\n${operations(markdown)}\n`;
}
