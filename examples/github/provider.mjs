/**
 * A certified provider of OpenID Connect in GitHub's shape, and an API beside it that takes its tokens: node provider.mjs FOLDER SERVERS
 *
 * It listens as github.com and api.github.com, with the certificate of the folder, and prints its port. A POST to /refuse ends all access
 * tokens of until then. As for a GitHub App, access tokens end and are renewed.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [, , folder, servers] = process.argv;
const require = createRequire(join(servers, 'package.json'));
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')).href);

const provider = new Provider('https://github.com', {
	clients: [
		{
			client_id: 'Iv1.0123456789abcdef',
			client_secret: 's3cr3t-of-the-client-0123456789',
			// GitHub, too, takes any port of this machine.
			application_type: 'native',
			redirect_uris: ['http://127.0.0.1/callback'],
			grant_types: ['authorization_code', 'refresh_token'],
			response_types: ['code'],
			token_endpoint_auth_method: 'client_secret_post',
		},
	],
	routes: { authorization: '/login/oauth/authorize', token: '/login/oauth/access_token' },
	scopes: ['repo', 'admin:org'],
	cookies: { keys: ['a key of the test'] },
	features: { devInteractions: { enabled: true } },
	issueRefreshToken: () => true,
	rotateRefreshToken: true,
});
const issued = [];
const granted = [];
provider.on('access_token.saved', (token) => issued.push(token));
provider.on('grant.success', ({ oidc }) => granted.push(oidc.params.grant_type));

const answers = provider.callback();
const server = createServer({ cert: readFileSync(join(folder, 'certificate.pem')), key: readFileSync(join(folder, 'key.pem')) });
server.on('request', async (request, response) => {
	const reply = (status, body) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
	if (request.url === '/refuse') {
		for (const token of issued.splice(0)) await token.destroy();
		return reply(200, granted);
	}
	if (request.headers.host !== 'api.github.com') return answers(request, response);
	const [, token] = /^Bearer (.+)$/.exec(request.headers.authorization ?? '') ?? [];
	const found = token && (await provider.AccessToken.find(token));
	return found ? reply(200, { login: found.accountId, scope: found.scope }) : reply(401, { message: 'Bad credentials' });
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
console.log(server.address().port);
