// What this node says of itself and runs is in component.json and component.wasm.
'use strict';

const { nodeType } = require('../../runtime.js');
const component = require('./component.json');

const made = nodeType({ ...component, directory: __dirname });

class {{class}} {
	description = component.node;

	methods = made.methods;

	execute = made.execute;
}

module.exports = { {{class}} };
