//! How large a description may be. Each limit is far above what a node for a large API needs, and far below what would
//! harm an engine that keeps the description in memory and draws it.

/// Bytes of all texts and JSON documents together. A node with 18 operations has about 100 KB. Engines keep one
/// description per node in memory and send it to browsers.
pub const MAX_DESCRIPTION_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of one JSON document: an output schema, a default, hints. The largest public schemas of single API responses
/// are smaller than 100 KB.
pub const MAX_JSON_BYTES: usize = 256 * 1024;

/// Values of all JSON documents together: texts, numbers, lists, objects. Parsing turns two bytes of text (`0,`) into a
/// hundred bytes of memory, so a limit on bytes alone would not bound it. The largest nodes have several hundred values
/// for each of 250 operations.
pub const MAX_JSON_VALUES: usize = 250_000;

/// Levels of arrays and objects in one JSON document. Readers recurse, and the schema of a real response has about 20
/// levels.
pub const MAX_JSON_DEPTH: usize = 64;

/// Bytes of an icon. n8n's own icons have 1 to 10 KB, and each editor that lists the node loads them.
pub const MAX_ICON_BYTES: usize = 32 * 1024;

/// Elements that drawing an icon takes; a referenced element counts once per reference. n8n's own icons have up to a
/// few hundred.
pub const MAX_ICON_DRAWN: usize = 10_000;

/// Groups of operations; forms show them as tabs or as one list.
pub const MAX_RESOURCES: usize = 200;

/// Operations. The largest nodes of n8n have about 250.
pub const MAX_OPERATIONS: usize = 1_000;

/// Parameters in the flat list: ten for each operation, at the limit of operations.
pub const MAX_PARAMETERS: usize = 10_000;

/// Parameters in one list (of an operation, group, row or credential). Nobody fills in a larger form.
pub const MAX_SIBLINGS: usize = 300;

/// Parameters as drawn; a parameter that several operations share counts once per operation. A small description must
/// not become a huge form.
pub const MAX_DRAWN_PARAMETERS: usize = 20_000;

/// Bytes of the parameters as drawn; a parameter that several operations share counts once per operation, because every
/// form repeats its texts, choices and defaults. A list of 250 countries in each of 250 operations takes 3 MB.
pub const MAX_DRAWN_BYTES: usize = 8 * 1024 * 1024;

/// Levels of parameters: a top-level parameter is level 1, a column of its rows level 2. n8n's forms have about 4
/// levels.
pub const MAX_NESTING: usize = 5;

/// Values in a choice or condition: ISO 3166 and ISO 4217 have about 250 each, time zones about 600.
pub const MAX_CHOICES: usize = 1_000;

/// Conditions of one parameter.
pub const MAX_CONDITIONS: usize = 10;

/// Bytes of a name; names are keys in stored workflows.
pub const MAX_NAME_BYTES: usize = 64;

/// Bytes of an ID, which consists of names joined by dots.
pub const MAX_ID_BYTES: usize = 256;

/// Characters of a display name, label, action or placeholder: what fits in a line of a form.
pub const MAX_LABEL_CHARS: usize = 200;

/// Characters of a summary: a paragraph. Manuals belong at `documentation-url`.
pub const MAX_SUMMARY_CHARS: usize = 2_000;

/// Characters of a text that is the value of a choice or condition.
pub const MAX_SCALAR_CHARS: usize = 1_000;

/// Bytes of a URL that most browsers and proxies accept.
pub const MAX_URL_BYTES: usize = 2_000;

/// Problems that one check reports. Nobody repairs a description with more from a list.
pub const MAX_PROBLEMS: usize = 100;

/// Characters of a regular expression.
pub const MAX_PATTERN_CHARS: usize = 1_000;

/// Parts of a regular expression, each counted as often as it is repeated. Its compiled form takes memory in proportion:
/// about 10 MB at the limit.
pub const MAX_PATTERN_COST: usize = 10_000;

/// Groups of a regular expression inside each other. Reading it recurses.
pub const MAX_PATTERN_DEPTH: usize = 20;

/// Credentials, each another way to log in. n8n's nodes have up to four.
pub const MAX_CREDENTIALS: usize = 10;

/// Origins beside base URLs. An operator has to read and grant each.
pub const MAX_ORIGINS: usize = 20;

/// Aliases of a node.
pub const MAX_ALIASES: usize = 20;

/// Headers, parameters of a query and pairs of a token request that one credential adds. The largest need four.
pub const MAX_PLACED: usize = 20;

/// Scopes of a credential. Google's largest consent screens have about 30.
pub const MAX_SCOPES: usize = 100;

/// Requests other than GET and HEAD that one item may need.
pub const MAX_WRITE_REQUESTS: u32 = 1_000;

/// Siblings with the same name, of which one is shown at a time.
pub const MAX_SAME_NAME: usize = 50;
