"""A node component in wasmtime-py: `python host.py COMPONENT CREDENTIAL.json`, none of Nodule's host.

It prints the node's description, then answers each call that it reads from standard input, one JSON document a line, named
as in WIT: `{"group":"member","operation":"getMember","items":[{"parameters":"{\\"cardNo\\":\\"M1\\"}"}],"on-failure":"continue",
"in-flight":8,"service":{"credential":"socialHubApi","base-url":"https://…","settings":"{}"}}`. A line `{"values":{"group":…,"operation":…,
"parameter":…,"filled-in":"{}","service":…}}` asks for the choices of a parameter, and `{"fields":…}` for its columns. A line `{"transfer":{"group":…,"operation":…,"parameters":"{}","files":[{"key":"data","path":"…",
"file-name":…,"media-type":…}],"in-flight":1,"service":…},"folder":"…"}` runs an item with files; what comes out is written to the folder.

wasmtime-py makes no handles and reads none, so files go in whole, and the body of an answer does not come out.
What wasmtime-py cannot do: say which hosts the node may reach, and end a call that waits for the network. Give the
process a network of its own, and kill it from outside.
"""

import base64
import json
import re
import sys
import time
from pathlib import Path

from wasmtime import Config, Engine, Store, WasiConfig
from wasmtime.component import Component, Linker, Record, Variant


def record(fields):
    """A WIT record: its fields are attributes with WIT's own names, hyphens and all."""
    vars(made := Record()).update(fields)
    return made


def plain(value):
    """A WIT value as JSON has it."""
    if isinstance(value, Variant):
        return {"tag": value.tag, "val": plain(value.payload)}
    if isinstance(value, Record):
        return {name: plain(field) for name, field in vars(value).items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


class Node:
    """A component, compiled once. Each call has an instance of its own, which costs a millisecond and shares nothing."""

    def __init__(self, path):
        config = Config()
        config.cache = True  # Compiled code is kept on disk between runs.
        self.engine = Engine(config)
        self.component, self.linker = Component.from_file(self.engine, path), Linker(self.engine)
        self.linker.add_wasip2()
        self.linker.add_wasi_http()

    def call(self, interface, function, *arguments):
        with Store(self.engine) as store:
            store.set_wasi(WasiConfig())  # No files, no variables, no streams.
            store.set_wasi_http()
            store.set_limits(memory_size=128 << 20)
            instance = self.linker.instantiate(store, self.component)
            interface = instance.get_export_index(store, f"workflow:node/{interface}@0.2.0")
            return instance.get_func(store, instance.get_export_index(store, function, interface))(store, *arguments)


def filled(template, fields):
    """A template of the description with the credential's fields in it; `None` where one of them has no value."""

    def value(match):
        if match[1] is None:
            return match[0][0]
        if not match[1].startswith("basic:"):
            return fields[match[1]]
        _, user, password = match[1].split(":")
        return base64.b64encode(f"{fields[user]}:{fields.get(password, '')}".encode()).decode()

    try:
        return re.sub(r"\{\{|\}\}|\{([^{}]*)\}", value, template)
    except KeyError:
        return None


def fixed(scheme, credential):
    """The access of a credential of the scheme `fixed`: the node is not asked."""
    fields = {name: value for name, value in json.loads(credential).items() if value not in (None, "")}
    made = {}
    for place in ("headers", "query"):
        pairs = [(one.name, filled(one.template, fields)) for one in getattr(scheme.payload, place)]
        made[place] = [record({"name": name, "value": value}) for name, value in pairs if value is not None]
    return record({"access": record(made)})


class Service:
    """A node and a credential's fields. Runs calls, and keeps a session for as long as the service accepts it."""

    def __init__(self, node, description, credential):
        self.node, self.credential, self.session, self.ends = node, credential, None, 0
        self.schemes = {one.name: one.scheme for one in description.credentials}

    def prepare(self, service):
        """Makes what the credential adds to requests, unless it is there; the failure if that cannot be."""
        if service.credential is None or time.monotonic() <= self.ends:
            return None
        if (scheme := self.schemes[service.credential]).tag == "fixed":
            self.session, self.ends = fixed(scheme, self.credential), float("inf")
            return None
        return self.authenticate(service)

    def authenticate(self, service):
        """A new session, or the old one renewed; the failure if there is none."""
        bound = record({"name": service.credential, "fields": self.credential})
        made = self.node.call("authentication", "authenticate", bound, self.session)
        self.session, self.ends = None, 0
        if is_failure(made):
            return made
        self.session = made
        self.ends = time.monotonic() + (getattr(made, "expires-in-s") or float("inf"))

    def with_access(self, service):
        # wasmtime-py gives no way into the request, so the node adds the session's access, or the call's own, itself.
        return record({"access": self.session and self.session.access, **vars(service)})

    def execute(self, call, items):
        fields = {**vars(call), "items": items, "service": self.with_access(call.service)}
        return self.node.call("execution", "execute", record(fields))

    def ask(self, function, question):
        """A question of a form: `values` or `fields`."""
        if failure := self.prepare(question.service):
            return failure
        asked = {"search": None, "cursor": None, **vars(question), "service": self.with_access(question.service)}
        return self.node.call("choices", function, record(asked))

    def transfer(self, call, folder):
        """An item with files."""
        if failure := self.prepare(call.service):
            return failure
        files = []
        for file in call.files:
            content = Path(file.path).read_bytes()
            about = {name: getattr(file, name) for name in ("key", "file-name", "media-type")}
            files.append(record({**about, "size": len(content), "content": content}))
        fields = {**vars(call), "files": files, "service": self.with_access(call.service)}
        outputs = self.node.call("files-by-streams", "transfer", record(fields))
        if is_failure(outputs):
            return outputs
        return [record({"json": output.json, "files": [written(file, folder) for file in output.files]}) for output in outputs]

    def run(self, call):
        if failure := self.prepare(call.service):
            return failure
        is_renewed = call.service.credential is not None and self.schemes[call.service.credential].tag == "session"
        if is_failure(results := self.execute(call, call.items)):
            return results
        # The service refused the session before its time: those items again, once, with a new one.
        refused = [at for at, result in enumerate(results) if is_failure(result) and result.tag == "unauthenticated"]
        if is_renewed and refused and not self.authenticate(call.service):
            again = self.execute(call, [call.items[at] for at in refused])
            for at in refused:
                results[at] = again.pop(0)
        return results


def written(file, folder):
    """Writes a file that came out, and says what it is."""
    if not isinstance(file.content, bytes):
        raise NotImplementedError("wasmtime-py cannot read the body of an answer")
    Path(folder, file.key).write_bytes(file.content)
    return record({name: getattr(file, name) for name in ("key", "file-name", "media-type")})


def is_failure(value):
    """wasmtime-py gives the value of a WIT `result` without `ok` and `err` where the two have different types."""
    return isinstance(value, Variant)


if __name__ == "__main__":
    node, credential = Node(sys.argv[1]), sys.argv[2]
    description = node.call("description", "describe")
    print(json.dumps(plain(description)), flush=True)
    service = Service(node, description, Path(credential).read_text(encoding="utf-8"))
    for line in sys.stdin:
        call = json.loads(line, object_hook=record)
        [function] = vars(call).keys() & {"values", "fields"} or [None]
        if hasattr(call, "transfer"):
            answer = service.transfer(call.transfer, call.folder)
        else:
            answer = service.ask(function, getattr(call, function)) if function else service.run(call)
        print(json.dumps(plain(answer)), flush=True)
