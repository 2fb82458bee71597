"""A node component in the Wasmtime command line: `python host.py COMPONENT CREDENTIAL.json`, none of Nodule's host.

It prints the node's description, then answers each call that it reads from standard input, one JSON document a line, named
as in WIT: `{"group":"member","operation":"getMember","items":[{"parameters":"{\\"cardNo\\":\\"M1\\"}"}],"on-failure":"continue",
"in-flight":8,"service":{"credential":"socialHubApi","base-url":"https://…","settings":"{}"}}`.

Each call is a process: `wasmtime run -S http --invoke 'describe()' COMPONENT`, in WAVE, the text form of WIT. Not for an
engine: secrets are arguments, which every user of the machine can read, and one argument holds 128 KiB.
"""

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


class Service:
    """A component and a credential's fields. Runs calls, and keeps a session for as long as the service accepts it."""

    def __init__(self, component, credential):
        self.component, self.credential, self.session, self.ends = component, credential, None, 0

    def authenticate(self, call):
        """A new session, or the old one renewed; the failure if there is none."""
        bound = {"name": call["service"]["credential"], "fields": self.credential}
        made = invoke(self.component, f"authenticate({wave(bound)}, {wave(self.session)})")
        self.session = made["val"] if made["tag"] == "ok" else None
        if not self.session:
            return made["val"]
        self.ends = time.monotonic() + (self.session.get("expires-in-s") or float("inf"))

    def execute(self, call, items):
        # The node adds the session's access, or the call's own, to its requests.
        service = {"access": self.session and self.session["access"], **call["service"]}
        fields = {**call, "items": items, "service": service}
        return invoke(self.component, f"execute({wave(fields)})")

    def run(self, call):
        has_credential = call["service"].get("credential") is not None
        if has_credential and (not self.session or time.monotonic() > self.ends) and (failure := self.authenticate(call)):
            return failure
        results = self.execute(call, call["items"])["val"]
        if isinstance(results, dict):
            return results
        # The service refused the session before its time: those items again, once, with a new one.
        refused = [at for at, result in enumerate(results) if isinstance(result["val"], dict) and result["val"]["tag"] == "unauthenticated"]
        if has_credential and refused and not self.authenticate(call):
            again = self.execute(call, [call["items"][at] for at in refused])["val"]
            results = [again.pop(0) if at in refused else result for at, result in enumerate(results)]
        return results


if __name__ == "__main__":
    print(json.dumps(invoke(sys.argv[1], "describe()")), flush=True)
    service = Service(sys.argv[1], Path(sys.argv[2]).read_text(encoding="utf-8"))
    for line in sys.stdin:
        print(json.dumps(service.run(json.loads(line))), flush=True)
