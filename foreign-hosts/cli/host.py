"""A node component in the Wasmtime command line: `python host.py COMPONENT CREDENTIAL.json`, none of Nodule's host.

It prints the node's description, then answers each call that it reads from standard input, one JSON document a line, named
as in WIT: `{"group":"member","operation":"getMember","items":[{"parameters":"{\\"cardNo\\":\\"M1\\"}"}],"on-failure":"continue",
"in-flight":8,"service":{"credential":"socialHubApi","base-url":"https://…","settings":"{}"}}`. A line `{"values":{"group":…,"operation":…,
"parameter":…,"filled-in":"{}","service":…}}` asks for the choices of a parameter, and `{"fields":…}` for its columns. A line `{"transfer":{"group":…,"operation":…,"parameters":"{}","files":[{"key":"data","path":"…",
"file-name":…,"media-type":…}],"in-flight":1,"service":…},"folder":"…"}` runs an item with files; what comes out is written to the folder.

Each call is a process: `wasmtime run -S http --invoke 'describe()' COMPONENT`, in WAVE, the text form of WIT. Not for an
engine: secrets are arguments, which every user of the machine can read, and one argument holds 128 KiB.
"""

import base64
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

# Compiled code is kept on disk; memory and time of a call are limited.
RUN = [os.environ.get("WASMTIME", "wasmtime"), "run", "-S", "http", "-C", "cache=y", "-W", f"max-memory-size={128 << 20},timeout=60s"]


def wave(value):
    """A JSON value as WAVE has it: each string is a text but for the one enum, which is a bare name."""
    if isinstance(value, dict):
        fields = (f"{name}: {field if name == 'on-failure' else wave(field)}" for name, field in value.items())
        return "{" + ", ".join(fields) + "}"
    if isinstance(value, bytes):
        return f"bytes([{', '.join(map(str, value))}])"
    if isinstance(value, list):
        return "[" + ", ".join(map(wave, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\u{{{ord(c):x}}}" for c in value) + '"'
    return "none" if value is None else str(value)


def unescape(match):
    return chr(int(match[1], 16)) if match[1] else {"n": "\n", "r": "\r", "t": "\t"}.get(match[2], match[2])


def parse(text):
    """A WAVE value as JSON has it: a case with a value becomes `{"tag": …, "val": …}`, one without its name."""
    made, closers = [], []
    for token in re.findall(r'"(?:[^"\\]|\\.)*"|[\w.-]+[(:]?|[\[\]{}(),]', text):
        if token[0] == '"':
            made.append(json.dumps(re.sub(r"\\(?:u\{([0-9a-fA-F]+)\}|(.))", unescape, token[1:-1])))
        elif token == ")":
            made.append(closers.pop())
        elif token[-1] == "(":
            made.append("" if token == "some(" else f'{{"tag": "{token[:-1]}", "val": ')
            closers.append("" if token == "some(" else "}")
        elif token[-1] == ":":
            made.append(f'"{token[:-1]}": ')
        else:
            made.append({"none": "null", "true": "true", "false": "false"}.get(token, f'"{token}"' if token[0].isalpha() else token))
    return json.loads("".join(made))


def invoke(component, call):
    """What a function answers; a trap ends the program."""
    done = subprocess.run([*RUN, "--invoke", call, component], capture_output=True, encoding="utf-8", check=False)
    return parse(done.stdout.strip() or sys.exit(done.stderr))


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
    access = {}
    for place in ("headers", "query"):
        pairs = [(one["name"], filled(one["template"], fields)) for one in scheme["val"][place]]
        access[place] = [{"name": name, "value": value} for name, value in pairs if value is not None]
    return {"access": access}


class Service:
    """A component and a credential's fields. Runs calls, and keeps a session for as long as the service accepts it."""

    def __init__(self, component, description, credential):
        self.component, self.credential, self.session, self.ends = component, credential, None, 0
        self.schemes = {one["name"]: one["scheme"] for one in description["credentials"]}

    def prepare(self, service):
        """Makes what the credential adds to requests, unless it is there; the failure if that cannot be."""
        if service.get("credential") is None or (self.session and time.monotonic() <= self.ends):
            return None
        scheme = self.schemes[service["credential"]]
        # A case without a value is a bare name.
        if isinstance(scheme, dict) and scheme["tag"] == "fixed":
            self.session, self.ends = fixed(scheme, self.credential), float("inf")
            return None
        return self.authenticate(service)

    def authenticate(self, service):
        """A new session, or the old one renewed; the failure if there is none."""
        bound = {"name": service["credential"], "fields": self.credential}
        made = invoke(self.component, f"authenticate({wave(bound)}, {wave(self.session)})")
        self.session = made["val"] if made["tag"] == "ok" else None
        if not self.session:
            return made["val"]
        self.ends = time.monotonic() + (self.session.get("expires-in-s") or float("inf"))

    def with_access(self, service):
        # The node adds the session's access, or the call's own, to its requests.
        return {"access": self.session and self.session["access"], **service}

    def execute(self, call, items):
        fields = {**call, "items": items, "service": self.with_access(call["service"])}
        return invoke(self.component, f"execute({wave(fields)})")

    def ask(self, function, question):
        """A question of a form: `values` or `fields`."""
        if failure := self.prepare(question["service"]):
            return failure
        asked = {"search": None, "cursor": None, **question, "service": self.with_access(question["service"])}
        return invoke(self.component, f"{function}({wave(asked)})")["val"]

    def transfer(self, call, folder):
        """An item with files. They go in whole, and the body of an answer, which is a handle, does not come out."""
        if failure := self.prepare(call["service"]):
            return failure
        files = []
        for file in call["files"]:
            content = Path(file["path"]).read_bytes()
            about = {name: file[name] for name in ("key", "file-name", "media-type")}
            files.append({**about, "size": len(content), "content": content})
        fields = {**call, "files": files, "service": self.with_access(call["service"])}
        answer = invoke(self.component, f"transfer({wave(fields)})")
        if answer["tag"] == "err":
            return answer["val"]
        return [{"json": output["json"], "files": [written(file, folder) for file in output["files"]]} for output in answer["val"]]

    def run(self, call):
        if failure := self.prepare(call["service"]):
            return failure
        credential = call["service"].get("credential")
        is_renewed = credential is not None and self.schemes[credential] == "session"
        results = self.execute(call, call["items"])["val"]
        if isinstance(results, dict):
            return results
        # The service refused the session before its time: those items again, once, with a new one.
        refused = [at for at, result in enumerate(results) if isinstance(result["val"], dict) and result["val"]["tag"] == "unauthenticated"]
        if is_renewed and refused and not self.authenticate(call["service"]):
            again = self.execute(call, [call["items"][at] for at in refused])["val"]
            results = [again.pop(0) if at in refused else result for at, result in enumerate(results)]
        return results


def written(file, folder):
    """Writes a file that came out, and says what it is."""
    Path(folder, file["key"]).write_bytes(bytes(file["content"]["val"]))
    return {name: file[name] for name in ("key", "file-name", "media-type")}


if __name__ == "__main__":
    description = invoke(sys.argv[1], "describe()")
    print(json.dumps(description), flush=True)
    service = Service(sys.argv[1], description, Path(sys.argv[2]).read_text(encoding="utf-8"))
    for line in sys.stdin:
        call = json.loads(line)
        [function] = call.keys() & {"values", "fields"} or [None]
        if "transfer" in call:
            answer = service.transfer(call["transfer"], call["folder"])
        else:
            answer = service.ask(function, call[function]) if function else service.run(call)
        print(json.dumps(answer), flush=True)
