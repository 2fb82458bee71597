import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';

test('each attack that holds by ATTACKS.md has a test, and all 41 are there', () => {
	const table = readFileSync(join(import.meta.dirname, '../ATTACKS.md'), 'utf8');
	const rows = [...table.matchAll(/^\| (\d+) \| .* \| (.*) \|$/gm)].map(([, number, says = '']) => ({ number: Number(number), says }));
	expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 41 }, (_, index) => index + 1));
	const names = readdirSync(import.meta.dirname)
		.filter((file) => file.endsWith('.test.ts'))
		.flatMap((file) => [...readFileSync(join(import.meta.dirname, file), 'utf8').matchAll(/^test\('((?:[^'\\]|\\.)*)'/gm)])
		.flatMap(([, name = '']) => [...name.matchAll(/#(\d+)/g)].map(([, number]) => Number(number)));
	const held = rows.filter(({ says }) => says.startsWith('holds')).map(({ number }) => number);
	expect(held.filter((number) => !names.includes(number))).toEqual([]);
	expect(names.filter((number) => !held.includes(number))).toEqual([]);
});

test('the page\'s operations are the component\'s', () => {
	const packed = readFileSync(join(inject('pkg'), 'README.md'), 'utf8');
	const page = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8');
	expect(packed.match(/^\| .* \| `\w+` \|/gm)).toHaveLength(18);
	if (process.env.UPDATE === '1') writeFileSync(join(import.meta.dirname, '../README.md'), packed);
	else expect(page).toBe(packed);
});
