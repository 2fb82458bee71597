// A node component in Node 20 by jco: `node host.mjs COMPONENT CREDENTIAL.json`, none of Nodule's host. It prints the
// node's description, then answers each call that it reads from standard input, one JSON document a line, named as in JavaScript:
// {"group":"member","operation":"getMember","items":[{"parameters":"{\"cardNo\":\"M1\"}"}],"onFailure":"continue","inFlight":8,
// "service":{"credential":"socialHubApi","baseUrl":"https://…","settings":"{}"}}
// A line {"values":{"group":…,"operation":…,"parameter":…,"filledIn":"{}","service":…}} asks for the choices of a parameter, and
// {"fields":…} for its columns. A line {"transfer":{"group":…,"operation":…,"parameters":"{}","files":[{"key":"data","path":"…",
// "fileName":…,"mediaType":…}],"inFlight":1,"service":…},"folder":"…"} runs an item with files; what comes out is written to the folder.
//
// What an engine must add: a worker to run this in. The event loop stands still while a call waits (JSPI, in Node 24,
// lets it go on), and a worker can be ended when a call takes too long or too much memory.

import { appendFileSync, closeSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { transpile } from "@bytecodealliance/jco-transpile";
import { WASIShim } from "@bytecodealliance/preview2-shim/instantiation";

// jco makes JavaScript and core modules of a component. An engine would keep both on disk, as they are of no use to
// anybody else; here they stay in memory.
async function load(path, baseUrl) {
  const { files } = await transpile(path, { name: "node", instantiation: "sync", emitTypescriptDeclarations: false });
  const source = Buffer.from(files["node.js"]).toString();
  const { instantiate } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
  const cores = new Map();
  for (const [name, bytes] of Object.entries(files)) {
    if (name.endsWith(".wasm")) cores.set(name, new WebAssembly.Module(bytes));
  }
  // What is not needed is not given: no files, sockets, variables. And requests go to the credential's origin or nowhere.
  const shim = new WASIShim().getImportObject();
  const given = Object.fromEntries(Object.entries(shim).filter(([name]) => /^wasi:(clocks|http|io|random)\//.test(name)));
  const { handle } = given["wasi:http/outgoing-handler"];
  given["wasi:http/outgoing-handler"] = {
    handle(request, options) {
      const origin = `${request.scheme().tag.toLowerCase()}://${request.authority()}`;
      if (new URL(origin).origin !== new URL(baseUrl).origin) throw { tag: "HTTP-request-denied" };
      return handle(request, options);
    },
  };
  // Each call has an instance of its own, which costs a millisecond and shares nothing with another.
  return { instance: () => instantiate((name) => cores.get(name), given), streamOf: streams(given["wasi:io/streams"]) };
}

const PIECE = 64 * 1024;

// Makes streams of files: the shim has them for its own file system alone, which no node gets.
function streams({ InputStream }) {
  return (path) =>
    new (class extends InputStream {
      #file = openSync(path);

      read(most) {
        const piece = Buffer.alloc(Number(most) < PIECE ? Number(most) : PIECE);
        const count = readSync(this.#file, piece);
        if (count === 0) throw { tag: "closed" };
        return piece.subarray(0, count);
      }

      blockingRead(most) {
        return this.read(most);
      }

      [Symbol.dispose]() {
        closeSync(this.#file);
      }
    })();
}

// Writes a file that came out, and says what it is. The body of an answer is read only now.
function written({ key, fileName, mediaType, content }, folder) {
  const file = openSync(join(folder, key), "w");
  try {
    if (content.tag === "bytes") appendFileSync(file, content.val);
    else pieces(content.val.stream(), (piece) => appendFileSync(file, piece));
  } finally {
    closeSync(file);
  }
  return { key, fileName, mediaType };
}

function pieces(stream, take) {
  try {
    for (;;) take(stream.blockingRead(BigInt(PIECE)));
  } catch (error) {
    if ((error.payload ?? error).tag !== "closed") throw error;
  }
}

// A function that gives a WIT `result` returns its `ok` and throws its `err`, bare or as `payload` of an error. Anything
// else that it throws is a trap or a mistake. A `result` inside of a value is `{ tag, val }`.
function attempt(call) {
  try {
    return { ok: call() };
  } catch (error) {
    const failure = error?.payload ?? error;
    if (failure?.tag === undefined) throw error;
    return { failure };
  }
}

// A template of the description with the credential's fields in it; undefined where one of them has no value.
function filled(template, fields) {
  let isWhole = true;
  const value = (name) => (isWhole &&= fields[name] != null && fields[name] !== "", fields[name]);
  const text = template.replace(/\{\{|\}\}|\{([^{}]*)\}/g, (found, name) => {
    if (name === undefined) return found[0];
    if (!name.startsWith("basic:")) return value(name);
    const [, user, password] = name.split(":");
    return Buffer.from(`${value(user)}:${fields[password] ?? ""}`).toString("base64");
  });
  return isWhole ? text : undefined;
}

// The access of a credential of the scheme `fixed`: the node is not asked.
function fixed({ headers, query }, fields) {
  const pairs = (templates) =>
    templates.map(({ name, template }) => ({ name, value: filled(template, fields) })).filter(({ value }) => value !== undefined);
  return { headers: pairs(headers), query: pairs(query) };
}

class Service {
  constructor({ instance, streamOf }, description, credential) {
    const schemes = new Map(description.credentials.map(({ name, scheme }) => [name, scheme]));
    Object.assign(this, { instance, streamOf, schemes, credential, session: undefined, ends: 0 });
  }

  // Makes what the credential adds to requests, unless it is there; the failure if that cannot be.
  prepare(service) {
    if (service.credential == null || Date.now() < this.ends) return undefined;
    const scheme = this.schemes.get(service.credential);
    if (scheme.tag !== "fixed") return this.authenticate(service);
    this.session = { access: fixed(scheme.val, JSON.parse(this.credential)) };
    this.ends = Infinity;
  }

  // A new session, or the old one renewed; the failure if there is none.
  authenticate(service) {
    const bound = { name: service.credential, fields: this.credential };
    const made = attempt(() => this.instance().authentication.authenticate(bound, this.session));
    this.session = made.ok;
    this.ends = made.ok ? Date.now() + (made.ok.expiresInS ?? Infinity) * 1000 : 0;
    return made.failure;
  }

  // The node adds the session's access, or the call's own. A careful host does it, in `handle` above, and gives none.
  withAccess(service) {
    return { access: this.session?.access, ...service };
  }

  execute(call, items) {
    const service = this.withAccess(call.service);
    return attempt(() => this.instance().execution.execute({ ...call, items, service }));
  }

  // A question of a form: `values` or `fields`.
  ask(name, question) {
    const failure = this.prepare(question.service);
    if (failure) return failure;
    const answer = attempt(() => this.instance().choices[name]({ ...question, service: this.withAccess(question.service) }));
    return answer.failure ?? answer.ok;
  }

  // Answers a line.
  answer(line) {
    const question = ["values", "fields"].find((name) => name in line);
    if (question) return this.ask(question, line[question]);
    return line.transfer ? this.transfer(line.transfer, line.folder) : this.run(line);
  }

  // An item with files.
  transfer(call, folder) {
    const failure = this.prepare(call.service);
    if (failure) return failure;
    const files = call.files.map(({ path, ...file }) => ({
      ...file,
      size: BigInt(statSync(path).size),
      content: { tag: "streamed", val: this.streamOf(path) },
    }));
    const { filesByStreams } = this.instance();
    const answer = attempt(() => filesByStreams.transfer({ ...call, files, service: this.withAccess(call.service) }));
    return answer.failure ?? answer.ok.map(({ json, files }) => ({ json, files: files.map((file) => written(file, folder)) }));
  }

  run(call) {
    const failure = this.prepare(call.service);
    if (failure) return failure;
    const isRenewed = this.schemes.get(call.service.credential)?.tag === "session";
    const answer = this.execute(call, call.items);
    if (answer.failure) return answer.failure;
    const results = answer.ok;
    // The service refused the session before its time: those items again, once, with a new one.
    const refused = [...results.keys()].filter((at) => results[at].val.tag === "unauthenticated");
    if (isRenewed && refused.length > 0 && !this.authenticate(call.service)) {
      const again = this.execute(call, refused.map((at) => call.items[at]));
      refused.forEach((at, place) => (results[at] = again.ok[place]));
    }
    return results;
  }
}

const [component, file] = process.argv.slice(2);
const credential = readFileSync(file, "utf8");
const loaded = await load(component, JSON.parse(credential).baseUrl);
const description = loaded.instance().description.describe();
console.log(JSON.stringify(description));
const service = new Service(loaded, description, credential);
// Items are JSON texts and stay so: JSON.parse would round numbers of more than 15 digits.
for await (const line of createInterface({ input: process.stdin })) {
  const call = JSON.parse(line);
  console.log(JSON.stringify(service.answer(call)));
}
process.exit(); // The shim's worker thread would keep the process.
