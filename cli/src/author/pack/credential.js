// Tested by the node: what a test needs, the component knows.
'use strict';

class {{class}} {
	constructor() {
		Object.assign(this, require('./{{class}}.credentials.json'));
	}
}

module.exports = { {{class}} };
