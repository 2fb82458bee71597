/**
 * Cuts GitHub's specification to what this example asks for, so that Prism starts in a second: node cut.mjs SPECIFICATION.json
 *
 * What stands in the specification's text alone is added: the type that GitHub wants in `Accept`, and those of a file's content and an asset's.
 */
import { readFileSync } from 'node:fs';

const CONTENTS = '/repos/{owner}/{repo}/contents/{path}';
const ASSET = '/repos/{owner}/{repo}/releases/assets/{asset_id}';
const WANTED = [
	CONTENTS,
	'/issues',
	'/orgs/{org}/invitations',
	'/orgs/{org}/members',
	'/orgs/{org}/repos',
	'/repos/{owner}/{repo}',
	'/repos/{owner}/{repo}/actions/workflows',
	'/repos/{owner}/{repo}/actions/workflows/{workflow_id}',
	'/repos/{owner}/{repo}/actions/workflows/{workflow_id}/disable',
	'/repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches',
	'/repos/{owner}/{repo}/actions/workflows/{workflow_id}/enable',
	'/repos/{owner}/{repo}/actions/workflows/{workflow_id}/timing',
	'/repos/{owner}/{repo}/branches',
	'/repos/{owner}/{repo}/community/profile',
	'/repos/{owner}/{repo}/issues',
	'/repos/{owner}/{repo}/issues/{issue_number}',
	'/repos/{owner}/{repo}/issues/{issue_number}/comments',
	'/repos/{owner}/{repo}/issues/{issue_number}/labels',
	'/repos/{owner}/{repo}/issues/{issue_number}/labels/{name}',
	'/repos/{owner}/{repo}/issues/{issue_number}/lock',
	'/repos/{owner}/{repo}/labels',
	'/repos/{owner}/{repo}/license',
	'/repos/{owner}/{repo}/pulls',
	'/repos/{owner}/{repo}/pulls/{pull_number}/reviews',
	'/repos/{owner}/{repo}/pulls/{pull_number}/reviews/{review_id}',
	'/repos/{owner}/{repo}/releases',
	ASSET,
	'/repos/{owner}/{repo}/releases/{release_id}',
	'/repos/{owner}/{repo}/releases/{release_id}/assets',
	'/repos/{owner}/{repo}/traffic/popular/paths',
	'/repos/{owner}/{repo}/traffic/popular/referrers',
	'/search/users',
	'/user',
	'/users/{username}/repos',
];

const whole = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const paths = Object.fromEntries(
	WANTED.map((path) => {
		if (!whole.paths[path]) throw new Error(`the specification has no ${path}`);
		return [path, whole.paths[path]];
	}),
);
const content = { schema: { type: 'string' }, example: 'bytes' };
paths[CONTENTS].get.responses[200].content = { 'application/vnd.github.raw+json': content, ...paths[CONTENTS].get.responses[200].content };
paths[ASSET].get.responses[200].content['application/octet-stream'] = content;

// Only what these refer to, and what that refers to.
const components = {};
const take = (value) => {
	if (typeof value !== 'object' || value === null) return;
	if (typeof value.$ref === 'string') {
		const [, , kind, name] = value.$ref.split('/');
		if (components[kind]?.[name]) return;
		(components[kind] ??= {})[name] = whole.components[kind][name];
		return take(components[kind][name]);
	}
	Object.values(value).forEach(take);
};
// Requests are what is checked: GitHub's examples of answers do not all fit its schemas, and their links lead nowhere.
const allResponses = (all) => Object.values(all).flatMap((path) => Object.values(path).flatMap(({ responses }) => Object.values(responses ?? {})));
for (const response of [...allResponses(paths), ...Object.values(whole.components.responses)]) {
	delete response.headers;
	for (const type of Object.values(response.content ?? {})) if (type.example ?? type.examples) delete type.schema;
	if (response.content?.['application/json']) response.content['application/vnd.github+json'] = response.content['application/json'];
}
take(paths);
console.log(JSON.stringify({ openapi: whole.openapi, info: whole.info, servers: whole.servers, paths, components }));
