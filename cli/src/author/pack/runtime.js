/*
MIT License

Copyright (c) 2026 The Nodule authors

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
*/
"use strict";
var __defProp = Object.defineProperty;
var __getOwnPropDesc = Object.getOwnPropertyDescriptor;
var __getOwnPropNames = Object.getOwnPropertyNames;
var __hasOwnProp = Object.prototype.hasOwnProperty;
var __export = (target, all) => {
  for (var name in all)
    __defProp(target, name, { get: all[name], enumerable: true });
};
var __copyProps = (to, from, except, desc) => {
  if (from && typeof from === "object" || typeof from === "function") {
    for (let key of __getOwnPropNames(from))
      if (!__hasOwnProp.call(to, key) && key !== except)
        __defProp(to, key, { get: () => from[key], enumerable: !(desc = __getOwnPropDesc(from, key)) || desc.enumerable });
  }
  return to;
};
var __toCommonJS = (mod) => __copyProps(__defProp({}, "__esModule", { value: true }), mod);

// n8n/src/node/node.ts
var node_exports = {};
__export(node_exports, {
  bind: () => bind,
  nodeType: () => nodeType
});
module.exports = __toCommonJS(node_exports);
var import_node_path4 = require("node:path");
var import_n8n_workflow3 = require("n8n-workflow");

// n8n/src/node/choices.ts
var MAX_OPTIONS = 1e3;
var MAX_PAGES = 20;
var FILLS_LIST = 20;
function formMethods(methods, ask) {
  const of = (kind, made) => Object.fromEntries(methods.filter((method) => method.kind === kind).map((method) => [method.method, made(method)]));
  return {
    loadOptions: of("loadOptions", (method) => async function() {
      return await allOptions(this, method, ask);
    }),
    listSearch: of("listSearch", (method) => async function(filter, cursor) {
      const search = filter && method.search ? { search: filter } : {};
      const { choices, next: next2 } = await pages(async (page) => await ask(this, method, { ...search, ...page }), cursor, FILLS_LIST);
      return { results: choices.map(asOption), ...next2 ? { paginationToken: next2 } : {} };
    }),
    resourceMapping: of("resourceMapping", (method) => async function() {
      return await allColumns(this, method, ask);
    })
  };
}
async function allOptions(self, method, ask) {
  const options = [...method.known ?? []];
  const listed = new Set(options.map(({ value }) => value));
  const { choices } = await pages(async (page) => await ask(self, method, page), void 0, MAX_OPTIONS);
  for (const option of choices.map(asOption)) {
    if (listed.has(option.value) || options.length >= MAX_OPTIONS) continue;
    listed.add(option.value);
    options.push(option);
  }
  return options;
}
async function allColumns(self, method, ask) {
  const asked = ask(self, method, {}).then((answer) => {
    const fields = answer.fields.flatMap(asColumn);
    return { fields, ...fields.length > 0 ? {} : { emptyFieldsNotice: "The service has no columns for what is filled in" } };
  });
  if (hasColumns(self.getCurrentNodeParameters())) return await asked;
  return await asked.catch(({ message }) => ({ fields: [], emptyFieldsNotice: html(message) }));
}
function hasColumns(value) {
  if (typeof value !== "object" || value === null) return false;
  const { schema } = value;
  return Array.isArray(schema) ? schema.length > 0 : Object.values(value).some(hasColumns);
}
async function pages(ask, from, enough) {
  const choices = [];
  let next2 = from;
  for (let page = 0; page < MAX_PAGES && choices.length < enough; page += 1) {
    const answer = await ask(next2 ? { cursor: next2 } : {});
    choices.push(...answer.choices);
    ({ next: next2 } = answer);
    if (next2 === void 0) break;
  }
  return { choices, ...next2 === void 0 ? {} : { next: next2 } };
}
function asOption({ label, value, summary }) {
  return { name: plain(label), value: literal(value), ...summary ? { description: plain(html(summary)) } : {} };
}
var TYPES = {
  integer: "number",
  number: "number",
  boolean: "boolean",
  dateTime: "dateTime",
  choice: "options",
  chooseMany: "array",
  rows: "array",
  values: "array",
  group: "object",
  columns: "object",
  anyJson: "object"
};
function asColumn({ name, displayName, required, kind }) {
  if (kind.type === "notice") return [];
  const type = TYPES[kind.type] ?? "string";
  const options = type === "options" ? { options: (kind.known ?? []).map(asOption) } : {};
  return [{ id: name, displayName: plain(displayName), required, defaultMatch: false, display: true, type, ...options }];
}
function literal(value) {
  if (typeof value !== "string" || !value.startsWith("=")) return value;
  return `={{ ${JSON.stringify(value).replaceAll("{", "\\u007b").replaceAll("}", "\\u007d")} }}`;
}
var plain = (label) => label.startsWith("=") ? `⁠${label}` : label;
var html = (text) => text.replace(/[&<>"\n]/g, (character) => ESCAPES[character] ?? character);
var ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "<br>" };

// n8n/src/node/description.ts
var byId = /* @__PURE__ */ new WeakMap();
function parameterOf(description, id) {
  let known = byId.get(description);
  if (!known) {
    known = new Map(description.parameters.map((parameter) => [parameter.id, parameter]));
    byId.set(description, known);
  }
  return known.get(id);
}
function parametersOf(description, ids) {
  return ids.flatMap((id) => parameterOf(description, id) ?? []);
}
function operationOf(description, group2, name) {
  const found = description.operations.find((operation) => operation.group === group2 && operation.name === name);
  return found ?? { group: group2, name, effect: { type: "write" }, parameters: [] };
}

// n8n/src/node/failure.ts
var import_n8n_workflow = require("n8n-workflow");
var GRANT = "\ndeclared = [";
var WHERE = "in the file that NODULE_POLICY of n8n names, or in nodule.toml when the package is made";
function nodeError(self, failure, itemIndex) {
  const { kind, message, status, code, requestId, certainty, retryAfterMs, problems, hint } = failure;
  const facts = [
    ...code === void 0 ? [] : [`code ${code}`],
    ...requestId === void 0 ? [] : [`request ${requestId}`],
    ...certainty === void 0 ? [] : [certainty === "not-done" ? "nothing was done" : "it may have been done"],
    ...retryAfterMs === void 0 ? [] : [`try again after ${Math.ceil(retryAfterMs / 1e3)} s`],
    ...(problems ?? []).map(({ pointer, message: what }) => `${pointer}: ${what}`),
    ...hint === void 0 ? [] : [hint.includes(GRANT) ? `${hint}
${WHERE}` : hint]
  ];
  const description = [kind, ...facts].join(" · ");
  if (status === void 0 && kind !== "unavailable") {
    return new import_n8n_workflow.NodeOperationError(self.getNode(), message, { itemIndex, description });
  }
  return new import_n8n_workflow.NodeApiError(self.getNode(), { ...failure }, {
    itemIndex,
    message,
    description,
    ...status === void 0 ? {} : { httpCode: String(status) }
  });
}
function withoutResult(error, wasGiven) {
  const { kind, message, hint, certainty: known } = error;
  const certainty = wasGiven ? known ?? "unknown" : "not-done";
  return { kind, message, certainty, ...hint === void 0 ? {} : { hint } };
}

// n8n/src/node/files.ts
var MOST_ITEMS = 32;
var FilesOfItems = class {
  constructor(self, component, parameters) {
    this.self = self;
    this.component = component;
    this.names = parameters.filter(({ kind }) => kind.type === "file").map(({ name }) => name);
  }
  self;
  component;
  /** The names of the parameters that name a file. */
  names;
  /** What the host keeps for an item that has no result yet. */
  given = /* @__PURE__ */ new Map();
  wake;
  /** Whether items have files. */
  get areTaken() {
    return this.names.length > 0;
  }
  /** An item's parameters with the files that they name. One that the item does not have, the host refuses by the parameter's name. */
  async with(index, parameters) {
    const values2 = JSON.parse(parameters);
    const keys = this.names.map((name) => values2[name]).filter((key) => typeof key === "string");
    const binary = this.self.getInputData()[index]?.binary ?? {};
    const found = [...new Set(keys.map((key) => key.trim()))].filter((key) => Object.hasOwn(binary, key));
    if (found.length === 0) return parameters;
    while (this.given.size >= MOST_ITEMS) await new Promise((resolve4) => this.wake = resolve4);
    const ids = [];
    this.given.set(index, ids);
    const files = {};
    for (const key of found) {
      const { id: stored2, fileName, mimeType } = this.self.helpers.assertBinaryData(index, key);
      const content = stored2 ? await this.self.helpers.getBinaryStream(stored2) : await this.self.helpers.getBinaryDataBuffer(index, key);
      const { id } = await this.component.files.give(content);
      ids.push(id);
      files[key] = { id, mediaType: mimeType, ...fileName ? { fileName: lastOf(fileName) } : {} };
    }
    return `${parameters.slice(0, -1)},"$files":${JSON.stringify(files)}}`;
  }
  /** An item has its result, and the host need not keep what was given for it. */
  async done(index) {
    const ids = this.given.get(index) ?? [];
    this.given.delete(index);
    this.wake?.();
    for (const id of ids) await this.forget(id);
  }
  /** What came out, as n8n keeps it. */
  async taken(files) {
    const binary = {};
    for (const [key, { id, fileName, mediaType }] of Object.entries(files)) {
      const content = await this.component.files.open(id);
      binary[key] = await this.self.helpers.prepareBinaryData(content, fileName, mediaType);
      await this.forget(id);
    }
    return binary;
  }
  /** Whatever was not let go, the host does when it needs the room. */
  async forget(id) {
    await this.component.files.forget(id).catch(() => {
    });
  }
};
var lastOf = (name) => name.split(/[\\/]/).pop() ?? name;

// n8n/src/node/host.ts
var import_node_crypto3 = require("node:crypto");
var import_node_fs2 = require("node:fs");
var import_node_os2 = require("node:os");
var import_node_path3 = require("node:path");

// clients/node/src/index.ts
var import_node_crypto2 = require("node:crypto");
var import_promises2 = require("node:fs/promises");
var import_node_path2 = require("node:path");

// clients/node/src/files.ts
var import_node_stream = require("node:stream");
var Files = class {
  constructor(connection) {
    this.connection = connection;
  }
  connection;
  /**
   * Gives a file for items, from its bytes or a stream of any length. An item names it by its ID:
   * `{ parameters: { …, $files: { data: { id, fileName, mediaType } } } }`.
   */
  async give(content) {
    const body = content instanceof Uint8Array ? import_node_stream.Readable.from([content]) : content;
    return JSON.parse(await this.connection.send("/v1/files", body));
  }
  /** One that was given, or that came out of an item, as a stream. */
  async open(id) {
    return await this.connection.stream(path(id));
  }
  async forget(id) {
    await this.connection.call("DELETE", path(id));
  }
};
var path = (id) => `/v1/files/${encodeURIComponent(id)}`;

// clients/node/src/http.ts
var import_node_http = require("node:http");
var import_promises = require("node:stream/promises");

// clients/node/src/errors.ts
var NoduleError = class extends Error {
  /** A name for it, in kebab-case. */
  kind;
  /** What to do about it. */
  hint;
  constructor({ kind, message, hint }, options) {
    super(message, options);
    this.name = new.target.name;
    this.kind = kind;
    this.hint = hint;
  }
};
var StartError = class extends NoduleError {
};
var RequestError = class extends NoduleError {
  constructor(status, problem) {
    super(problem);
    this.status = status;
  }
  status;
};
var RunError = class extends NoduleError {
};
var Interrupted = class extends NoduleError {
  constructor(message, certainty, ended, options) {
    super({ kind: "interrupted", message }, options);
    this.certainty = certainty;
    this.ended = ended;
  }
  certainty;
  ended;
};
var howEnded = ({ code, signal }) => signal ? `the host process was ended by ${signal}` : `the host process ended with code ${code}`;

// clients/node/src/http.ts
var END_MS = 1e3;
var QuietAgent = class extends import_node_http.Agent {
  createConnection(...given) {
    const made = super.createConnection(...given);
    made?.on("error", () => {
    });
    return made;
  }
};
var Connection = class {
  constructor(process2) {
    this.process = process2;
  }
  process;
  agent = new QuietAgent();
  open(method, path2, type) {
    const { socket, token } = this.process;
    return (0, import_node_http.request)({
      socketPath: socket,
      agent: this.agent,
      method,
      path: path2,
      headers: { authorization: `Bearer ${token}`, ...type ? { "content-type": type } : {} }
    });
  }
  async call(method, path2, type, body) {
    const sent = this.open(method, path2, type);
    const answer = this.accepted(sent, "a request", textOf);
    sent.end(body);
    return await answer;
  }
  /** Sends what a stream has, of any length. */
  async send(path2, body) {
    const sent = this.open("POST", path2, "application/octet-stream");
    const answer = this.accepted(sent, "a file", textOf, body);
    (0, import_promises.pipeline)(body, sent).catch(() => {
    });
    return await answer;
  }
  /** The body of an answer, as it comes. */
  async stream(path2) {
    const sent = this.open("GET", path2);
    const answer = this.accepted(sent, "a file", async (response) => response);
    sent.end();
    return await answer;
  }
  /** What is read of the answer, unless that is a refusal. An error of the stream that is sent counts first. */
  async accepted(sent, what, read2, body) {
    try {
      const response = await answerTo(sent);
      if ((response.statusCode ?? 0) >= 300) throw refused(response, await textOf(response));
      return await read2(response);
    } catch (error) {
      if (body?.errored) throw body.errored;
      throw error instanceof RequestError ? error : await this.interrupted(error, "not-done", `${what} was under way`);
    }
  }
  /** What a broken connection comes to: where the process has ended, that is why. */
  async interrupted(cause, certainty, what) {
    let timer;
    const patience = new Promise((resolve4) => timer = setTimeout(resolve4, END_MS, void 0));
    const ended = await Promise.race([this.process.ended, patience]).finally(() => clearTimeout(timer));
    const why = ended ? howEnded(ended) : `the connection to the host broke (${cause.message})`;
    const known = certainty === "unknown" ? "items without a result may have been done" : "nothing was done";
    return new Interrupted(`${why} while ${what}: ${known}`, certainty, ended, { cause });
  }
  close() {
    this.agent.destroy();
  }
};
async function answerTo(sent) {
  return await new Promise((resolve4, reject) => {
    sent.once("response", resolve4);
    sent.on("error", reject);
  });
}
async function textOf(response) {
  const pieces = [];
  for await (const piece of response) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}
function refused(response, text) {
  const status = response.statusCode ?? 0;
  let problem = { kind: "invalid-answer", message: `the host answered ${status}: ${text.slice(0, 200)}` };
  try {
    const { error } = JSON.parse(text);
    if (error) problem = error;
  } catch {
  }
  return new RequestError(status, problem);
}

// clients/node/src/process.ts
var import_node_child_process = require("node:child_process");
var import_node_crypto = require("node:crypto");
var import_node_fs = require("node:fs");
var import_node_os = require("node:os");
var import_node_path = require("node:path");
var import_node_url = require("node:url");
var SAID_CHARS = 4e3;
var PATH_BYTES = 100;
var START_MS = 3e4;
var END_MS2 = 1e4;
var HINTS = {
  EACCES: "make the file executable, on a file system from which programs may be started",
  ENOENT: "the program needs a C library that this system does not have: take a static one, by `make binaries`",
  ENOEXEC: "the program is for another kind of machine"
};
function binaryName(platform = process.platform, arch = process.arch) {
  const system = { darwin: "macos", win32: "windows" }[platform] ?? platform;
  return `nodule-${system}-${arch}${platform === "win32" ? ".exe" : ""}`;
}
function findBinary({ binary, binaries }) {
  const own = binary ?? process.env.NODULE_BINARY;
  const name = binaryName();
  const found = own ? (0, import_node_path.resolve)(own) : (0, import_node_path.join)(binaries ?? (0, import_node_url.fileURLToPath)(new URL("../bin", "file:///")), name);
  if ((0, import_node_fs.existsSync)(found)) return found;
  throw new StartError({
    kind: "no-binary",
    message: `no host program: ${found} does not exist`,
    hint: own ? `correct ${binary ? "the option `binary`" : "NODULE_BINARY"}, which names it` : `build \`nodule\` for ${process.platform} on ${process.arch} and set NODULE_BINARY to its path`
  });
}
function folder() {
  const fits = (parent) => Buffer.byteLength((0, import_node_path.join)(parent, "nodule-XXXXXX/s")) <= PATH_BYTES;
  return (0, import_node_fs.mkdtempSync)((0, import_node_path.join)(fits((0, import_node_os.tmpdir)()) ? (0, import_node_os.tmpdir)() : "/tmp", "nodule-"));
}
async function start(options) {
  const binary = findBinary(options);
  const home = folder();
  const socket = process.platform === "win32" ? `\\\\.\\pipe\\nodule-${(0, import_node_crypto.randomBytes)(16).toString("hex")}` : (0, import_node_path.join)(home, "s");
  const token = (0, import_node_crypto.randomBytes)(32).toString("hex");
  const cache = options.cache ?? process.env.NODULE_CACHE_DIR;
  const flags = [
    "serve",
    "--socket",
    socket,
    "--stdio-lifetime",
    "--settings",
    "-",
    ...cache ? ["--cache", (0, import_node_path.resolve)(cache)] : [],
    ...(options.read ?? []).flatMap((path2) => ["--read", (0, import_node_path.resolve)(path2)]),
    ...(options.write ?? []).flatMap((path2) => ["--write", (0, import_node_path.resolve)(path2)]),
    ...options.memoryMb === void 0 ? [] : ["--memory-mb", String(options.memoryMb)]
  ];
  const child = (0, import_node_child_process.spawn)(binary, flags, {
    cwd: home,
    // Windows starts nothing without it.
    env: process.platform === "win32" && process.env.SystemRoot ? { SystemRoot: process.env.SystemRoot } : {},
    stdio: ["pipe", "pipe", "pipe"],
    // A terminal's Ctrl-C is for this process, which then ends its runs as it sees fit.
    detached: process.platform !== "win32",
    windowsHide: true
  });
  const clean = () => (0, import_node_fs.rmSync)(home, { recursive: true, force: true });
  process.once("exit", clean);
  const ended = new Promise((done) => {
    child.once("exit", (code, signal) => done({ code, signal }));
    child.once("error", () => done({ code: null, signal: null }));
  });
  void ended.then(() => {
    process.off("exit", clean);
    clean();
  });
  child.stdin.on("error", () => {
  });
  child.stdin.write(`${JSON.stringify({ ...options.settings, token })}
`);
  const said = log(child, options.onLog);
  try {
    const { version, pid } = await ready(child, ended, said);
    unref(child);
    return { socket, token, version, pid, ended, end: () => end(child, ended) };
  } catch (error) {
    child.stdin.destroy();
    child.kill("SIGKILL");
    throw error;
  }
}
function end(child, ended) {
  child.ref();
  child.stdin?.destroy();
  const timer = setTimeout(() => child.kill("SIGKILL"), END_MS2);
  void ended.then(() => clearTimeout(timer));
}
function log(child, onLog) {
  let said = "";
  let rest = "";
  child.stderr?.setEncoding("utf8").on("data", (text) => {
    said = (said + text).slice(-SAID_CHARS);
    if (!onLog) return;
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLog(line);
  });
  return () => said.trim();
}
async function ready(child, ended, said) {
  let timer;
  const line = await new Promise((resolve4, reject) => {
    const fail = (message, hint) => {
      reject(new StartError({ kind: "start", message: [message, said()].filter(Boolean).join(": "), ...hint ? { hint } : {} }));
    };
    let text = "";
    child.stdout?.setEncoding("utf8").on("data", (piece) => {
      text += piece;
      if (text.includes("\n")) resolve4(text);
    });
    child.once("error", (error) => fail(`the host process could not be started: ${error.message}`, HINTS[error.code ?? ""]));
    child.once("close", () => void ended.then((how) => fail(howEnded(how))));
    timer = setTimeout(() => fail(`the host process did not start within ${START_MS / 1e3} s`), START_MS);
  }).finally(() => clearTimeout(timer));
  try {
    return JSON.parse(line).ready;
  } catch (cause) {
    throw new StartError({ kind: "start", message: `expected the ready line of \`nodule serve\`, found ${line.slice(0, 100)}` }, { cause });
  }
}
function unref(child) {
  child.unref();
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.unref?.();
}

// clients/node/src/items.ts
var PIECE_CHARS = 64 * 1024;
function lineOf({ id, parameters }) {
  const text = typeof parameters === "string" ? parameters : JSON.stringify(parameters);
  const line = text.includes("\n") || text.includes("\r") ? text.replace(/[\r\n]/g, " ") : text;
  if (id === void 0) return `{"parameters":${line}}
`;
  return `{"id":${typeof id === "number" ? id : JSON.stringify(id)},"parameters":${line}}
`;
}
var ItemWriter = class {
  constructor(body) {
    this.body = body;
    body.on("drain", () => {
      this.full = false;
    });
    body.once("close", () => {
      this.over = true;
    });
  }
  body;
  text = "";
  flushing = false;
  full = false;
  over = false;
  /** Ends with the items, or when nobody takes them any more. Those of a run that is refused are not asked for. */
  async all(first, begun2, items) {
    this.text = first;
    this.flush();
    if (!await begun2) return;
    if (Symbol.asyncIterator in items) {
      for await (const some of items) {
        if (this.add(some)) await this.drained();
        if (this.over) return;
      }
    } else {
      for (const some of items) {
        if (this.add(some)) await this.drained();
        if (this.over) return;
      }
    }
    this.flush();
    if (!this.over) this.body.end();
  }
  /** Nothing more is sent, nor that there is no more: a write to a connection that its other end closes loses what it said last. */
  stop() {
    this.over = true;
  }
  /** Whether there is to be waited before more is added. */
  add(some) {
    if (Array.isArray(some)) for (const item of some) this.text += lineOf(item);
    else this.text += lineOf(some);
    if (this.text.length >= PIECE_CHARS) {
      this.flush();
    } else if (!this.flushing) {
      this.flushing = true;
      setImmediate(() => {
        this.flushing = false;
        if (!this.full) this.flush();
      });
    }
    return this.full;
  }
  flush() {
    if (this.text === "" || this.over) return;
    this.full = !this.body.write(this.text);
    this.text = "";
  }
  async drained() {
    if (!this.full || this.over) return;
    await new Promise((resolve4) => {
      const done = () => {
        this.body.off("drain", done).off("close", done);
        resolve4();
      };
      this.body.on("drain", done).on("close", done);
    });
  }
};

// clients/node/src/lines.ts
var LINE_FEED = 10;
async function* linesOf(body) {
  let rest = [];
  for await (const piece of body) {
    const end2 = piece.lastIndexOf(LINE_FEED);
    if (end2 < 0) {
      rest.push(piece);
      continue;
    }
    const whole = piece.subarray(0, end2);
    const text = (rest.length > 0 ? Buffer.concat([...rest, whole]) : whole).toString();
    rest = end2 + 1 < piece.length ? [piece.subarray(end2 + 1)] : [];
    yield text.split("\n");
  }
  if (rest.length > 0) yield [Buffer.concat(rest).toString()];
}

// clients/node/src/run.ts
var RESULT = '{"item":';
var Exchange = class {
  constructor(connection, path2, first, items) {
    this.connection = connection;
    this.sent = connection.open("POST", path2, "application/x-ndjson");
    this.answer = answerTo(this.sent);
    const begun2 = this.answer.then(({ statusCode }) => statusCode === 200, () => false);
    this.writer = new ItemWriter(this.sent);
    this.writer.all(`${JSON.stringify(first)}
`, begun2, items).catch((error) => {
      this.broken = { error };
      this.destroy();
    });
  }
  connection;
  sent;
  writer;
  answer;
  /** Why there are no more items, where giving them failed. */
  broken;
  closed = false;
  /** Results one by one. */
  async *[Symbol.asyncIterator]() {
    for await (const batch of this.batches()) yield* batch;
  }
  /** Results as they come, many at a time: the fast way. */
  async *batches() {
    for await (const lines of this.lines()) yield lines.map((line) => JSON.parse(line));
  }
  /** Results as the texts that the host sent, each a line of JSON that begins with its item: `{"item":0,"output":[…]}`. */
  async *lines() {
    try {
      const response = await this.answer;
      if (response.statusCode !== 200) throw refused(response, await textOf(response));
      for await (const lines of linesOf(response)) {
        const results = lines.every((line) => line.startsWith(RESULT)) ? lines : lines.filter((line) => this.isResult(line));
        if (results.length > 0) yield results;
        if (this.isOver()) break;
      }
      this.complete();
    } catch (error) {
      if (this.isOver()) return this.complete();
      if (this.broken) throw this.broken.error;
      if (error instanceof NoduleError) throw error;
      if (this.closed) throw new Interrupted("the run was closed by its caller: items without a result may have been done", "unknown", void 0);
      throw await this.interrupted(error);
    } finally {
      this.destroy();
    }
  }
  /** Closes the connection, which ends the run, requests under way included. */
  destroy() {
    this.closed = true;
    this.sent.destroy();
  }
  isResult(line) {
    return line.startsWith(RESULT);
  }
  /** Whether the answer has ended, whatever becomes of the connection. */
  isOver() {
    return false;
  }
  /** What there is to say against an answer that has ended. */
  complete() {
  }
  async interrupted(error) {
    const heard = !["ENOENT", "ECONNREFUSED"].includes(error.code ?? "");
    return await this.connection.interrupted(error, heard ? "unknown" : "not-done", "a run was under way");
  }
};
var Run = class extends Exchange {
  constructor(connection, first, items, options) {
    super(connection, "/v1/runs", first, items);
    this.options = options;
    this.begun = new Promise((resolve4) => {
      this.begin = resolve4;
    });
    const { signal } = options;
    if (!signal) return;
    const abandon = () => void this.abandon().catch(() => this.destroy());
    if (signal.aborted) abandon();
    else signal.addEventListener("abort", abandon, { once: true });
    this.sent.once("close", () => signal.removeEventListener("abort", abandon));
  }
  options;
  /** What running the operation twice does: `read`, `idempotent`, `keyed` or `write`. Known with the first result. */
  effect;
  /** There when the results have ended. */
  summary;
  problem;
  /** Why there was no access token. */
  tokenless;
  begun;
  begin;
  /** Takes no more items; those under way end. */
  async stop() {
    await this.tell("stop");
  }
  /** Ends what is under way too; each item that was taken has a result that says what is known. */
  async abandon() {
    await this.tell("abandon");
  }
  async tell(what) {
    await this.post(what);
    this.writer.stop();
  }
  async post(what, body) {
    await this.connection.call("POST", `/v1/runs/${await this.begun}/${what}`, body && "application/json", body).catch((error) => {
      if (!(error instanceof RequestError && error.kind === "not-found")) throw error;
    });
  }
  async giveToken(why) {
    const { onToken } = this.options;
    if (!onToken) return;
    try {
      await this.post("token", JSON.stringify(await onToken(why)));
    } catch (error) {
      this.tokenless = { error };
      await this.abandon().catch(() => this.destroy());
    }
  }
  isResult(line) {
    if (line.startsWith(RESULT)) return true;
    if (line === "") return false;
    const said = JSON.parse(line);
    if (said.run) {
      this.effect = said.run.effect;
      this.begin(said.run.id);
    } else if (said.notice) {
      this.options.onNotice?.(said.notice);
    } else if (said.token) {
      void this.giveToken(said.token.why);
    } else if (said.progress) {
      this.options.onProgress?.(said.progress);
    } else if (said.end) {
      const { error, ...summary } = said.end;
      this.summary = summary;
      this.problem = error;
      this.writer.stop();
    }
    return false;
  }
  isOver() {
    return this.summary !== void 0;
  }
  complete() {
    if (this.tokenless) throw this.tokenless.error;
    if (this.problem) throw new RunError(this.problem);
    if (!this.summary) throw new Error("the answer ended before the run");
  }
};

// clients/node/src/index.ts
var Host = class _Host {
  constructor(process2, read2) {
    this.process = process2;
    this.read = read2;
    this.connection = new Connection(process2);
    this.files = new Files(this.connection);
    this.version = process2.version;
    this.pid = process2.pid;
    this.ended = process2.ended;
  }
  process;
  read;
  /** Of a host that was connected to: empty and 0. */
  version;
  pid;
  /** How the process ended; it never rejects. */
  ended;
  files;
  connection;
  static async start(options = {}) {
    const read2 = [...options.read ?? [], ...options.write ?? []].map((path2) => (0, import_node_path2.resolve)(path2) + import_node_path2.sep);
    return new _Host(await start(options), read2);
  }
  /** A host that somebody else has started and ends: its socket, and the token of its settings or beside the socket. */
  static connect({ socket, token }) {
    const ended = new Promise(() => {
    });
    return new _Host({ socket, token, version: "", pid: 0, ended, end: () => {
    } }, []);
  }
  /** Loads a component, from its bytes or its file. The digest pins it: of another component nothing is loaded. */
  async load(component, { digest } = {}) {
    let loaded;
    if (typeof component === "string" && this.read.some((folder2) => (0, import_node_path2.resolve)(component).startsWith(folder2))) {
      const body = JSON.stringify({ path: (0, import_node_path2.resolve)(component), digest });
      loaded = await this.connection.call("POST", "/v1/components", "application/json", body);
    } else {
      const bytes = typeof component === "string" ? await (0, import_promises2.readFile)(component) : component;
      const pin = digest ?? `sha256:${(0, import_node_crypto2.createHash)("sha256").update(bytes).digest("hex")}`;
      loaded = await this.connection.call("POST", `/v1/components?digest=${encodeURIComponent(pin)}`, "application/wasm", bytes);
    }
    const { digest: found, name, version } = JSON.parse(loaded);
    return new Component(this.connection, found, name, version);
  }
  async about() {
    return JSON.parse(await this.connection.call("GET", "/v1"));
  }
  /** Whether a credential works, by a session that is made for that. */
  async checkCredential(binding) {
    return JSON.parse(await this.connection.call("POST", "/v1/check-credential", "application/json", JSON.stringify(binding)));
  }
  /** How far a run is. */
  async progress(id) {
    return JSON.parse(await this.connection.call("GET", `/v1/runs/${encodeURIComponent(id)}`));
  }
  /** Ends the process, runs under way included. Of a host that somebody else has started it closes idle connections. */
  async close() {
    this.connection.close();
    if (this.pid === 0) return;
    this.process.end();
    await this.ended;
  }
};
var Component = class {
  constructor(connection, digest, name, version) {
    this.connection = connection;
    this.digest = digest;
    this.name = name;
    this.version = version;
    this.files = new Files(connection);
  }
  connection;
  digest;
  name;
  version;
  /** Those of its host. */
  files;
  async describe(format = "json") {
    const text = await this.connection.call("GET", `${this.path()}?format=${format}`);
    return format === "json" || format === "n8n" ? JSON.parse(text) : text;
  }
  async checkCredential(binding) {
    const body = JSON.stringify({ ...binding, component: this.digest });
    return JSON.parse(await this.connection.call("POST", "/v1/check-credential", "application/json", body));
  }
  /** One page of the values that a parameter may have. */
  async choices(question2) {
    return JSON.parse(await this.ask("/v1/choices", question2));
  }
  /** The columns of a parameter. */
  async fields(question2) {
    return JSON.parse(await this.ask("/v1/fields", question2));
  }
  async ask(path2, question2) {
    return await this.connection.call("POST", path2, "application/json", JSON.stringify({ ...question2, component: this.digest }));
  }
  /** Runs an operation. It begins at once, and goes on as its results are read. */
  run(request2, items, options = {}) {
    return new Run(this.connection, { ...request2, component: this.digest }, items, options);
  }
  /** Says what each item would send, or what is wrong with it, and sends nothing. */
  plan(request2, items) {
    return new Exchange(this.connection, "/v1/plan", { ...request2, component: this.digest }, items);
  }
  /** The host forgets it. Runs under way go on. */
  async forget() {
    await this.connection.call("DELETE", this.path());
  }
  path() {
    return `/v1/components/${encodeURIComponent(this.digest)}`;
  }
};

// n8n/src/node/settings.ts
var import_node_net = require("node:net");
var DEFAULT_BLOCKED = [
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "127.0.0.0/8",
  "::1/128",
  "169.254.0.0/16",
  "fe80::/10",
  "fc00::/7",
  "fd00::/8",
  "0.0.0.0/8",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24"
];
function settingsOf(variables, readFile2) {
  const certificates = variables.NODE_EXTRA_CA_CERTS ? [readFile2(variables.NODE_EXTRA_CA_CERTS)] : [];
  const policy = variables.NODULE_POLICY ? readFile2(variables.NODULE_POLICY) : void 0;
  const proxy = proxyOf(variables);
  const { isOn, blocked, allowed } = protection(variables, readFile2);
  return {
    ...certificates.length > 0 ? { certificates } : {},
    ...policy === void 0 ? {} : { policy },
    ...proxy ? { proxy } : {},
    // What is special about an address the host knows itself: n8n's default list is not repeated to it.
    ...isOn ? { addresses: { allowed, blocked } } : {}
  };
}
function proxyOf(variables) {
  const of = (key) => variables[key] || variables[key.toUpperCase()] || "";
  const [http, https] = ["http", "https"].map((scheme) => {
    return of(`npm_config_${scheme}_proxy`) || of(`${scheme}_proxy`) || of("npm_config_proxy") || of("all_proxy");
  });
  if (!http && !https) return void 0;
  return { ...http ? { http } : {}, ...https ? { https } : {}, no: of("npm_config_no_proxy") || of("no_proxy") };
}
function policyOf(granted, variables) {
  if (granted.length === 0 || variables.NODULE_POLICY) return {};
  return { policy: `declared = ${JSON.stringify(granted)}
` };
}
function reach(base, variables, readFile2) {
  if (!URL.canParse(base)) return [];
  const { origin, hostname, pathname } = new URL(base);
  if (!isPrivateAllowed(hostname, variables, readFile2) || variables.NODULE_POLICY) return [];
  const path2 = pathname.replace(/\/+$/, "");
  return [{ origin, ...path2 === "" ? {} : { path: path2 }, private: true }];
}
function isPrivateAllowed(hostname, variables, readFile2) {
  const { isOn, hasDefault, blocked, allowed, allowedNames, blockedNames } = protection(variables, readFile2);
  if (!isOn) return true;
  const address = hostname.replace(/^\[(.*)\]$/, "$1");
  if ((0, import_node_net.isIP)(address)) {
    if (contains(allowed, address)) return true;
    if (contains([...blocked, ...hasDefault ? DEFAULT_BLOCKED : []], address)) {
      throw new Error(`n8n's SSRF protection blocks ${address} (N8N_SSRF_BLOCKED_IP_RANGES)`);
    }
    return !hasDefault;
  }
  if (matches(allowedNames, hostname)) return true;
  if (matches(blockedNames, hostname)) {
    throw new Error(`n8n's SSRF protection blocks ${hostname} (N8N_SSRF_BLOCKED_HOSTNAMES)`);
  }
  return !hasDefault;
}
function protection(variables, readFile2) {
  const value = (name) => {
    const own = variables[name];
    if (own !== void 0) return own;
    const file = variables[`${name}_FILE`];
    return file ? readFile2(file).trim() : void 0;
  };
  const list = (name) => (value(name) ?? "").split(",").map((entry) => entry.trim()).filter(Boolean);
  const ranges = value("N8N_SSRF_BLOCKED_IP_RANGES")?.trim().replace(/^(['"])(.*)\1$/, "$2") ?? "default";
  const blocked = ranges.split(",").map((entry) => entry.trim());
  return {
    isOn: ["true", "1"].includes(value("N8N_SSRF_PROTECTION_ENABLED")?.toLowerCase() ?? ""),
    hasDefault: blocked.some((entry) => entry.toLowerCase() === "default"),
    blocked: blocked.filter(isRange),
    allowed: list("N8N_SSRF_ALLOWED_IP_RANGES").filter(isRange),
    allowedNames: list("N8N_SSRF_ALLOWED_HOSTNAMES"),
    blockedNames: list("N8N_SSRF_BLOCKED_HOSTNAMES")
  };
}
function isRange(entry) {
  const [address = "", prefix = "", ...more] = entry.split("/");
  const bits = { 0: -1, 4: 32, 6: 128 }[(0, import_node_net.isIP)(address)] ?? -1;
  return more.length === 0 && /^\d+$/.test(prefix) && Number(prefix) <= bits;
}
function contains(ranges, address) {
  const list = new import_node_net.BlockList();
  const family = (text) => (0, import_node_net.isIP)(text) === 4 ? "ipv4" : "ipv6";
  for (const range of ranges) {
    const [network = "", prefix] = range.split("/");
    list.addSubnet(network, Number(prefix), family(network));
  }
  return list.check(address, family(address));
}
function matches(patterns, hostname) {
  const plain2 = (name2) => name2.trim().toLowerCase().replace(/\.$/, "");
  const name = plain2(hostname);
  return patterns.map(plain2).some((pattern) => {
    if (!pattern.startsWith("*.")) return name === pattern;
    const suffix = pattern.slice(1);
    return name.endsWith(suffix) && name.length > suffix.length;
  });
}

// n8n/src/node/host.ts
var SHARED = /* @__PURE__ */ Symbol.for("nodule.host:v1");
function sharedHost() {
  const place = globalThis;
  place[SHARED] ??= new OneHost();
  return place[SHARED];
}
var OneHost = class {
  running;
  loaded = /* @__PURE__ */ new Map();
  async component(packed2) {
    this.running ??= this.start(packed2.binaries);
    const host = await this.running;
    const { sha256 } = packed2;
    const component = this.loaded.get(sha256) ?? load(host, packed2);
    this.loaded.set(sha256, component);
    return await component.catch((error) => {
      this.loaded.delete(sha256);
      throw error;
    });
  }
  start(binaries) {
    const forget = () => {
      this.running = void 0;
      this.loaded = /* @__PURE__ */ new Map();
    };
    const cache = cacheFolder();
    const started = (async () => await Host.start({
      binaries,
      ...cache ? { cache } : {},
      settings: settingsOf(process.env, read),
      onLog: (line) => process.stderr.write(`nodule: ${line}
`)
    }))();
    started.then(async ({ ended }) => await ended).then(forget, forget);
    return started;
  }
};
async function load(host, { file, sha256 }) {
  const bytes = (0, import_node_fs2.readFileSync)(file);
  const found = (0, import_node_crypto3.createHash)("sha256").update(bytes).digest("hex");
  if (found !== sha256) {
    throw new NoduleError({ kind: "digest", message: `${file}: expected what was packed, sha256 ${sha256}, found ${found}`, hint: "install the package again" });
  }
  return await host.load(bytes, { digest: `sha256:${sha256}` });
}
function read(path2) {
  try {
    return (0, import_node_fs2.readFileSync)(path2, "utf8");
  } catch (cause) {
    const message = `${path2}: ${cause.message}`;
    throw new StartError({ kind: "file", message, hint: "correct the variable of n8n that names it" }, { cause });
  }
}
function cacheFolder() {
  if (process.env.NODULE_CACHE_DIR) return process.env.NODULE_CACHE_DIR;
  const folder2 = (0, import_node_path3.join)(process.env.N8N_USER_FOLDER ?? (0, import_node_os2.homedir)(), ".n8n", "nodule-cache");
  try {
    (0, import_node_fs2.mkdirSync)(folder2, { recursive: true, mode: 448 });
    return folder2;
  } catch {
    return void 0;
  }
}

// n8n/src/node/oauth2.ts
var import_n8n_workflow2 = require("n8n-workflow");
function tokenOf(credential, given) {
  const token = credential?.oauth2 ? stored(given.oauthTokenData) : void 0;
  return token ? { token } : {};
}
function stored(data) {
  const accessToken = data?.access_token;
  if (typeof accessToken !== "string" || accessToken === "") return void 0;
  const ends = Number(data?.n8n_expires_at);
  return { accessToken, ...ends > 0 ? { expiresAt: new Date(ends).toISOString() } : {} };
}
function assertConnected(self, credential, given) {
  if (!credential?.oauth2 || tokenOf(credential, given).token) return;
  throw new import_n8n_workflow2.NodeOperationError(self.getNode(), "the credential is not connected yet", {
    description: "open the credential, and press its button to log in"
  });
}
async function renewed(self, { name }, { accessToken: old }) {
  const { oauthTokenData } = await self.getCredentials(name);
  const kept = stored(oauthTokenData);
  if (kept && kept.accessToken !== old) return kept;
  const token = stored(await self.helpers.refreshOAuth2Token.call(self, name));
  if (!token) throw new import_n8n_workflow2.NodeOperationError(self.getNode(), "n8n got no access token for the credential", { description: "connect it again" });
  return token;
}

// n8n/src/node/output.ts
var SUSPECT = /[\d.]{16}|[eE][+-]?\d{3}/;
var TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
function parse(text) {
  const safe = SUSPECT.test(text) ? text.replace(TOKEN, (token) => token.startsWith('"') || isExact(token) ? token : `"${token}"`) : text;
  return JSON.parse(safe);
}
function resultOf(line) {
  const found = parse(line);
  const { item, output, rows: rows2, files, error } = found;
  if (error) return { item, error };
  return { item, output: (rows2 ?? output ?? []).map(asObject), ...files ? { files } : {}, goesOn: rows2 !== void 0 };
}
function asObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : { value };
}
function isExact(token) {
  const number = Number(token);
  if (!Number.isFinite(number)) return false;
  return normal(token) === normal(String(number));
}
function normal(token) {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(token) ?? [];
  const digits = (whole + fraction).replace(/^0+/, "");
  const bare = digits.replace(/0+$/, "");
  if (bare === "") return "0";
  return `${sign}${bare}e${Number(exponent) - fraction.length + digits.length - bare.length}`;
}

// n8n/src/node/conditions.ts
function isShown(description, { visibleWhen = [] }, scope) {
  return visibleWhen.every((condition) => holds(condition, subject(description, condition, scope)));
}
function subject(description, { parameter: id }, { siblings, value, top }) {
  const parameter = parameterOf(description, id);
  if (!parameter) return void 0;
  const found = (siblings.includes(parameter) ? value : top)(parameter.name);
  return found === void 0 ? parameter.default : found;
}
function holds({ oneOf, noneOf }, value) {
  if (value === void 0) return true;
  const has = valuesOf(value);
  if (oneOf) return has.some((one) => isIn(oneOf, one));
  if (noneOf) return !has.some((one) => isIn(noneOf, one));
  return has.length > 0;
}
function valuesOf(value) {
  if (Array.isArray(value)) return value;
  if (isReference(value)) return valuesOf(value.value);
  const isEmpty = typeof value === "object" && value !== null && Object.keys(value).length === 0;
  return value === null || value === void 0 || value === "" || isEmpty ? [] : [value];
}
var isIn = (values2, value) => values2.some((one) => String(one) === String(value));
var isReference = (value) => typeof value === "object" && value !== null && "__rl" in value && "mode" in value;

// n8n/src/node/parameters.ts
var LOCAL = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?)?$/;
var ROWS_KEY = "rows";
function itemsOf(description, parameters, timeZone) {
  return (value) => {
    const form = { description, timeZone, top: value };
    return JSON.stringify(Object.fromEntries(members(form, parameters, value, false)), (_, member2) => {
      if (typeof member2 === "number" && !Number.isFinite(member2)) return String(member2);
      return typeof member2 === "bigint" ? member2.toString() : member2;
    });
  };
}
function isStatic(value) {
  if (typeof value === "string") return !value.startsWith("=");
  return typeof value !== "object" || value === null || Object.values(value).every(isStatic);
}
function members(form, parameters, value, isAdded) {
  const fields = /* @__PURE__ */ new Map();
  const scope = { siblings: parameters, value, top: form.top };
  for (const parameter of parameters) {
    if (fields.has(parameter.name) || !isShown(form.description, parameter, scope)) continue;
    const found = value(parameter.name);
    const read2 = found === void 0 ? void 0 : member(form, parameter, found, isAdded);
    if (read2 !== void 0) fields.set(parameter.name, read2);
  }
  return fields;
}
function within(form, ids, row, isAdded) {
  if (!isObject(row)) return row;
  const parameters = parametersOf(form.description, ids);
  const own = members(form, parameters, (name) => Object.hasOwn(row, name) ? row[name] : void 0, isAdded);
  const names = new Set(parameters.map(({ name }) => name));
  const kept = Object.entries(row).filter(([name]) => !names.has(name) || own.has(name));
  return Object.fromEntries(kept.map(([name, value]) => [name, own.has(name) ? own.get(name) : value]));
}
function member(form, parameter, found, isAdded) {
  const { kind } = parameter;
  const isUntouched = !isAdded && parameter.default === void 0;
  switch (kind.type) {
    case "notice":
      return void 0;
    case "rows":
      return rows(form, parameter, found);
    case "group":
      return group(form, parameter, found);
    case "values":
      return values(form, parameter, found, isAdded);
    case "chooseMany":
      return found === "" || isUntouched && isEmptyList(found) ? void 0 : found;
    case "reference":
      return reference(found);
    case "columns":
      return columns(found);
    case "dateTime":
      return withOffset(asText(found), form.timeZone);
    case "date":
      return isDate(found) ? String(asText(found)).slice(0, 10) : found;
    default:
      return found;
  }
}
function values(form, parameter, found, isAdded) {
  if (!Array.isArray(found)) return found === "" ? void 0 : found;
  const each = parameterOf(form.description, parameter.kind.parameter ?? "");
  const filledIn = found.filter((one) => !isEmptyList(one));
  const showsDefault = parameter.default !== void 0 && each?.kind.dynamic !== void 0;
  if (filledIn.length === 0 && !isAdded && !showsDefault) return void 0;
  return each ? filledIn.map((one) => member(form, each, only(each, one), true)) : filledIn;
}
function only({ kind, name }, one) {
  if (kind.type === "anyJson" || !isObject(one)) return one;
  const [first, ...others] = Object.keys(one);
  return first === name && others.length === 0 ? one[name] : one;
}
function rows(form, { kind }, found) {
  const row = (one) => within(form, kind.columns ?? [], one, false);
  const list = (all) => Array.isArray(all) ? all.map(row) : row(all);
  if (kind.key !== void 0) {
    if (!isObject(found) || found[kind.key] === void 0) return found;
    return { ...found, [kind.key]: list(found[kind.key]) };
  }
  if (!isObject(found)) return list(found);
  return found[ROWS_KEY] === void 0 ? void 0 : list(found[ROWS_KEY]);
}
function group(form, { kind }, found) {
  const fields = kind.fields ?? [];
  if (kind.key === void 0) return within(form, fields, found, true);
  if (!isObject(found)) return found;
  if (Object.keys(found).length === 0) return void 0;
  return { ...found, [kind.key]: within(form, fields, found[kind.key], false) };
}
function reference(found) {
  if (!isReference(found)) return found;
  const { mode, value: referred } = found;
  if (referred === "" || referred === null || referred === void 0) return void 0;
  return mode === "url" ? { mode, value: referred } : referred;
}
function columns(found) {
  if (!isObject(found) || !("mappingMode" in found)) return found;
  if (!isObject(found.value)) return void 0;
  return Object.fromEntries(Object.entries(found.value).filter(([, mapped]) => mapped !== null));
}
var isEmptyList = (found) => Array.isArray(found) && found.length === 0;
var isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
var isLuxon = (value) => isObject(value) && typeof value.toISO === "function";
var isDate = (value) => value instanceof Date || isLuxon(value);
function asText(value) {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  return isLuxon(value) ? value.toISO() : value;
}
function withOffset(value, timeZone) {
  if (typeof value !== "string") return value;
  const [, year, month, day, hour = "00", minute = "00", second = "00", fraction = ""] = LOCAL.exec(value.trim()) ?? [];
  if (year === void 0) return value;
  const wall = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
  const offset = offsetAt(wall - offsetAt(wall, timeZone), timeZone);
  const minutes = Math.abs(offset) / 6e4;
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  const zone = offset === 0 ? "Z" : `${offset < 0 ? "-" : "+"}${two(minutes / 60)}:${two(minutes % 60)}`;
  return `${year}-${month}-${day}T${hour}:${minute}:${second}${fraction}${zone}`;
}
var formats = /* @__PURE__ */ new Map();
function offsetAt(instant, timeZone) {
  let format = formats.get(timeZone);
  if (!format) {
    const numeric = "numeric";
    format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      year: numeric,
      month: numeric,
      day: numeric,
      hour: numeric,
      minute: numeric,
      second: numeric
    });
    formats.set(timeZone, format);
  }
  const parts = new Map(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
  const part = (type) => parts.get(type) ?? 0;
  const wall = Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"), part("second"));
  return wall - Math.floor(instant / 1e3) * 1e3;
}

// n8n/src/node/turn.ts
var SLICE_MS = 8;
var waiting = [];
var since = 0;
var counting = false;
function isOver() {
  if (!counting) begin();
  return waiting.length > 0 || performance.now() - since >= SLICE_MS;
}
async function turn() {
  if (isOver()) await new Promise((resolve4) => waiting.push(resolve4));
}
function begin() {
  counting = true;
  since = performance.now();
  setImmediate(next);
}
function next() {
  since = performance.now();
  const go = waiting.shift();
  counting = go !== void 0;
  if (!go) return;
  setImmediate(next);
  go();
}

// n8n/src/node/node.ts
var CONCURRENCY = 16;
var RETRIES = 2;
var ITEM_TIME_MS = 6e4;
var BATCH = 256;
var SEND_MS = 128;
function nodeType(component) {
  const tests = component.description.credentials.map((credential) => [`${credential.name}Test`, credentialTest(component, credential)]);
  return {
    methods: {
      ...tests.length > 0 ? { credentialTest: Object.fromEntries(tests) } : {},
      ...formMethods(component.methods ?? [], async (self, method, page) => await question(self, component, method, page))
    },
    async execute() {
      return [await execute(this, component)];
    }
  };
}
var packed = ({ directory, file, sha256 }) => ({
  file: (0, import_node_path4.join)(directory, file),
  sha256,
  // Beside `dist/nodes`, which holds this node's folder.
  binaries: (0, import_node_path4.join)(directory, "../../bin")
});
var CREDENTIAL_MEMBER = "$credential";
function bind({ description, granted = [] }, credential, given) {
  const policy = policyOf(granted, process.env);
  if (!credential) return policy;
  const isOneOfSeveral = description.credentials.length > 1;
  const known = parametersOf(description, credential.fields);
  const { clientId, clientSecret } = credential.oauth2 ?? {};
  const inN8n = (name) => ({ [clientId ?? ""]: "clientId", [clientSecret ?? ""]: "clientSecret" })[name] ?? name;
  const fields = known.flatMap(({ name }) => {
    const value = given[inN8n(name)];
    return value === void 0 || value === "" ? [] : [[name, value]];
  });
  const base = given[known.find(({ id }) => id === credential.baseUrl)?.name ?? ""];
  return {
    ...policy,
    ...tokenOf(credential, given),
    credential: Object.fromEntries(isOneOfSeveral ? [...fields, [CREDENTIAL_MEMBER, credential.name]] : fields),
    allow: typeof base === "string" ? reach(base.trim(), process.env, read) : []
  };
}
function selected(self, { credentials, authentication }) {
  const [first] = credentials;
  if (!first || !authentication) return first;
  const name = self.getNode().parameters[authentication] ?? first.name;
  const found = credentials.find((credential) => credential.name === name);
  if (!found) throw new import_n8n_workflow3.NodeOperationError(self.getNode(), `this node has no credential ${JSON.stringify(name)}`);
  return found;
}
async function question(self, component, method, page) {
  const { description } = component;
  const { group: group2, operation, parameter } = method;
  const set = self.getCurrentNodeParameters() ?? {};
  const parameters = parametersOf(description, operationOf(description, group2, operation).parameters);
  const known = parameters.filter(({ name }) => name in set && isStatic(set[name]));
  const filledIn = JSON.parse(itemsOf(description, known, self.getTimezone())((name) => isStatic(set[name]) ? set[name] : void 0));
  try {
    const credential = selected(self, description);
    const given = credential ? await self.getCredentials(credential.name) : {};
    assertConnected(self, credential, given);
    const loaded = await sharedHost().component(packed(component));
    const asked = { ...bind(component, credential, given), group: group2, operation, parameter, filledIn, ...page };
    const answer = async (question2) => method.kind === "resourceMapping" ? { choices: [], ...await loaded.fields(question2) } : { fields: [], ...await loaded.choices(question2) };
    return await answer(asked).catch(async (error) => {
      const { token } = asked;
      const isRefused = isKnown(error) && error.kind === "unauthenticated";
      if (!isRefused || !credential || !token) return await Promise.reject(error);
      return await answer({ ...asked, token: await renewed(self, credential, token) });
    });
  } catch (error) {
    throw isKnown(error) ? asNodeError(self, error) : new import_n8n_workflow3.NodeOperationError(self.getNode(), error);
  }
}
async function execute(self, component) {
  const items = self.getInputData();
  if (items.length === 0) return [];
  const goOn = self.continueOnFail();
  const { description } = component;
  const [group2, name] = ["resource", "operation"].map((one) => self.getNodeParameter(one, 0, ""));
  const operation = operationOf(description, group2, name);
  const collected = new Collected(items.length, goOn);
  const signal = self.getExecutionCancelSignal?.();
  const credential = selected(self, description);
  const given = credential ? await self.getCredentials(credential.name) : {};
  assertConnected(self, credential, given);
  const binding = bind(component, credential, given);
  let { token } = binding;
  const onToken = async () => {
    if (!credential || !token) throw new import_n8n_workflow3.NodeOperationError(self.getNode(), "n8n keeps no token for this credential");
    token = await renewed(self, credential, token);
    return token;
  };
  const { run, files } = await begun(self, async () => {
    const request2 = {
      ...binding,
      group: group2,
      operation: name,
      concurrency: CONCURRENCY,
      onFailure: goOn ? "continue" : "stop",
      order: "completion",
      // A plain write is never sent again by itself.
      retries: operation.effect.type === "write" ? 0 : RETRIES,
      itemTimeMs: ITEM_TIME_MS,
      // n8n takes an item whole, but neither the host nor the node has to hold it.
      streamRows: true
    };
    const loaded = await sharedHost().component(packed(component));
    const files2 = new FilesOfItems(self, loaded, parametersOf(description, operation.parameters));
    const resolved = resolve3(self, component, operation.parameters, collected, files2, signal);
    return { run: loaded.run(request2, resolved, { signal, ...token ? { onToken } : {} }), files: files2 };
  });
  try {
    for await (const lines of run.lines()) {
      for (const line of lines) {
        if (isOver()) await turn();
        const { item, came } = collected.line(line);
        for (const [one, named] of came) one.binary = await files.taken(named);
        if (files.areTaken) await files.done(item);
      }
    }
    if (signal?.aborted) collected.rest({ kind: "cancelled", message: "the execution was cancelled" });
  } catch (error) {
    if (!isKnown(error)) throw new import_n8n_workflow3.NodeOperationError(self.getNode(), error);
    if ("status" in error) throw asNodeError(self, error);
    collected.rest(error);
  }
  return collected.end(self);
}
async function* resolve3(self, { description }, ids, collected, files, signal) {
  const { parameters: set } = self.getNode();
  const parameters = parametersOf(description, ids).filter(({ name }) => name in set);
  const fixed = new Map(
    parameters.flatMap(({ name }) => isStatic(set[name]) ? [[name, self.getNodeParameter(name, 0)]] : [])
  );
  const asItem = itemsOf(description, parameters, self.getTimezone());
  const same = fixed.size === parameters.length ? asItem((name) => fixed.get(name)) : void 0;
  let batch = [];
  await turn();
  let sent = performance.now();
  let wait = SLICE_MS;
  for (let index = 0; index < collected.count && !signal?.aborted; index += 1) {
    try {
      const value = lookup(self, set, fixed, index);
      const item = same ?? asItem(value);
      if (files.areTaken) {
        const parameters2 = await files.with(index, item);
        collected.given = index + 1;
        yield [{ id: index, parameters: parameters2 }];
        continue;
      }
      batch.push({ id: index, parameters: item });
    } catch (error) {
      if (collected.unresolved(index, error)) break;
    }
    const over = isOver();
    if (batch.length >= BATCH || over && performance.now() - sent >= wait) {
      collected.given = index + 1;
      yield batch;
      batch = [];
      sent = performance.now();
      wait = Math.min(2 * wait, SEND_MS);
    }
    if (over) await turn();
  }
  if (batch.length > 0) {
    collected.given = collected.count;
    yield batch;
  }
}
function lookup(self, set, fixed, index) {
  const resolved = /* @__PURE__ */ new Map();
  return (name) => {
    if (fixed.has(name)) return fixed.get(name);
    if (!resolved.has(name)) resolved.set(name, name in set ? self.getNodeParameter(name, index) : void 0);
    return resolved.get(name);
  };
}
var Collected = class {
  constructor(count, goOn) {
    this.count = count;
    this.goOn = goOn;
    this.results = new Array(count);
  }
  count;
  goOn;
  /** Of so many items the host may know. */
  given = 0;
  results;
  /** Of items that go on. */
  rows = /* @__PURE__ */ new Map();
  first;
  /** Takes a line. Comes back with the outputs that files came with. */
  line(line) {
    let result;
    try {
      result = resultOf(line);
    } catch {
      const [, item2] = /^\{"item":(\d+)/.exec(line) ?? [];
      result = { item: Number(item2), error: { kind: "bad-output", message: "the node returned an output item that is not JSON" } };
    }
    const { item } = result;
    if (!("output" in result)) {
      this.failed(item, result.error);
      return { item, came: [] };
    }
    const made = result.output.map((json) => ({ json, pairedItem: { item } }));
    const came = (result.files ?? []).flatMap((named, index) => {
      const one = made[index];
      return one && Object.keys(named).length > 0 ? [[one, named]] : [];
    });
    const rows2 = this.rows.get(item);
    if (rows2) for (const one of made) rows2.push(one);
    if (result.goesOn) {
      this.rows.set(item, rows2 ?? made);
    } else {
      this.rows.delete(item);
      this.results[item] = rows2 ?? made;
    }
    return { item, came };
  }
  /** Whether nothing after it is to be run. */
  unresolved(index, thrown) {
    this.failed(index, { kind: "expression", message: thrown.message }, thrown);
    return !this.goOn;
  }
  /** Why the others have no result. */
  rest(error) {
    for (let index = 0; index < this.count; index += 1) {
      if (this.results[index] === void 0 && this.first?.index !== index) this.failed(index, withoutResult(error, index < this.given));
      if (!this.goOn && this.first) break;
    }
  }
  end(self) {
    if (this.first && !this.goOn) throw this.first.thrown ?? nodeError(self, this.first.failure, this.first.index);
    return this.results.flatMap((made) => made ?? []);
  }
  failed(index, failure, thrown) {
    this.rows.delete(index);
    if (this.goOn) {
      const { message, ...details } = failure;
      this.results[index] = [{ json: { error: message, details }, pairedItem: { item: index } }];
    } else if (failure.kind !== "not-run" && (!this.first || index < this.first.index)) {
      this.first = { index, failure, ...thrown ? { thrown } : {} };
    }
  }
};
var isKnown = (error) => error instanceof Error && typeof error.kind === "string";
var asNodeError = (self, { kind, message, hint }) => new import_n8n_workflow3.NodeOperationError(self.getNode(), message, { description: hint === void 0 ? kind : `${kind} · ${hint}` });
async function begun(self, begin2) {
  try {
    return await begin2();
  } catch (error) {
    if (isKnown(error)) throw asNodeError(self, error);
    throw new import_n8n_workflow3.NodeOperationError(self.getNode(), error);
  }
}
function credentialTest(component, credential) {
  return async function(tested) {
    try {
      const binding = bind(component, credential, tested.data ?? {});
      const loaded = await sharedHost().component(packed(component));
      const { ok, error } = await loaded.checkCredential(binding);
      if (ok) return { status: "OK", message: "The service accepted the credential" };
      return { status: "Error", message: error?.message ?? "The service did not accept the credential" };
    } catch (error) {
      return { status: "Error", message: error.message };
    }
  };
}
// Annotate the CommonJS export names for ESM import in node:
0 && (module.exports = {
  bind,
  nodeType
});
