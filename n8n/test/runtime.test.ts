/** What `nodule pack n8n` puts into each package stands in the repository, since the command brings it along. */
import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

// @ts-expect-error -- a script without types
import { RUNTIME, runtime } from '../scripts/runtime.mjs';

test('the runtime that packages get is the one of these sources: `make n8n-runtime` makes it anew', async () => {
	expect(readFileSync(RUNTIME as string, 'utf8')).toBe(await (runtime as () => Promise<string>)());
});
