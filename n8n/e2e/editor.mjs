/** The editor of a running n8n, in Debian's Chromium, as its owner has it, and the parts of it that tests touch. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { chromium } from 'playwright-core';

import { OWNER } from './server.mjs';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
/** Screenshots go to the folder that SCREENSHOTS names; CI may keep them. */
const shots = process.env.SCREENSHOTS ?? join(import.meta.dirname, '../build/screenshots');

/** Signs the owner in. */
export async function editor(origin) {
	mkdirSync(shots, { recursive: true });
	const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
	const page = await browser.newPage({ viewport: { width: 1400, height: 900 }, reducedMotion: 'reduce' });
	// n8n loads twenty megabytes of scripts, which a busy machine takes minutes for.
	page.setDefaultTimeout(240_000);
	await page.goto(`${origin}/signin`);
	await page.locator('input[type="password"]').fill(OWNER.password);
	await page.locator('input').first().fill(OWNER.email);
	await page.keyboard.press('Enter');
	await page.waitForURL((url) => !url.pathname.includes('signin'));

	const byId = (id) => page.locator(`[data-test-id="${id}"]`);
	const parameter = (name) => byId(`parameter-input-${name}`);
	/** Lists of the form: what the open one offers. */
	const entries = () => page.locator('.el-select-dropdown__item:visible');
	const open = async (name) => {
		// While its choices are loaded it cannot be used, and has another input.
		await parameter(name).locator('input:disabled').first().waitFor({ state: 'detached' });
		await parameter(name).locator('.el-select').first().click();
		await entries().first().waitFor();
	};
	const closed = async () => await entries().first().waitFor({ state: 'hidden' });
	return {
		page,
		byId,
		parameter,
		entries,
		open,
		closed,
		shot: async (name) => await page.screenshot({ path: join(shots, `${name}.png`) }),
		label: (text) => page.getByText(text, { exact: true }).first(),
		creator: (text) => byId('node-creator-item-name').filter({ hasText: text }),
		async offered(name) {
			await open(name);
			const names = await entries().evaluateAll((all) => all.map(({ innerText }) => innerText.split('\n')[0]));
			await page.keyboard.press('Escape');
			await closed();
			return names;
		},
		async pick(name, entry) {
			await open(name);
			await entries().filter({ hasText: entry }).first().click();
			await closed();
		},
		close: async () => await browser.close(),
	};
}

/** Steps of a test, each of which begins where the one before it ended. */
export function steps(t) {
	let broken = false;
	return async (name, body) =>
		await t.test(name, { skip: broken && 'a step before it failed' }, async () => {
			broken = true;
			await body();
			broken = false;
		});
}
