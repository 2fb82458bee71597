import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';

test('each attack that holds by ATTACKS.md names its tests, and all 41 are there', () => {
	const page = join(import.meta.dirname, '../ATTACKS.md');
	const table = readFileSync(page, 'utf8');
	const tests = readdirSync(import.meta.dirname)
		.filter((file) => file.endsWith('.test.ts'))
		.flatMap((file) => [...readFileSync(join(import.meta.dirname, file), 'utf8').matchAll(/^test\((['"])((?:(?!\1)[^\\]|\\.)*)\1/gm)])
		.map(([, , name = '']) => ({
			numbers: [...name.matchAll(/#(\d+)/g)].map(([, number]) => Number(number)),
			title: name.replace(/#\d+ /g, '').replaceAll("\\'", "'").replaceAll('|', '\\|'),
		}));
	const ROW = /^\| (\d+) \| (.*) \| (.*) \| (.*) \|$/gm;
	const numbers = [...table.matchAll(ROW)].map(([, number]) => Number(number));
	expect(numbers).toEqual(Array.from({ length: 41 }, (_, index) => index + 1));
	const made = table.replace(ROW, (_, number: string, attack: string, says: string) => {
		const shown = tests.filter((one) => one.numbers.includes(Number(number))).map(({ title }) => title);
		expect(shown.length > 0, `row ${number}: ${says}`).toBe(says.startsWith('holds'));
		return `| ${number} | ${attack} | ${says} | ${shown.join('; ')} |`;
	});
	if (process.env.UPDATE === '1') writeFileSync(page, made);
	else expect(table).toBe(made);
});

test('the page\'s operations are the component\'s', () => {
	const packed = readFileSync(join(inject('pkg'), 'README.md'), 'utf8');
	const page = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8');
	expect(packed.match(/^\| .* \| `\w+` \|/gm)).toHaveLength(18);
	if (process.env.UPDATE === '1') writeFileSync(join(import.meta.dirname, '../README.md'), packed);
	else expect(page).toBe(packed);
});
