"""A node component in the Wasmtime command line: `python host.py COMPONENT CREDENTIAL.json`, none of Nodule's host.

It prints the node's description, then answers each batch that it reads from standard input, one JSON document a line:
`{"group":"member","operation":"getMember","items":["{\\"cardNo\\":\\"M1\\"}"],"inFlight":8,"onFailure":"continue"}`.

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


def quote(text):
    """A text as WAVE."""
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\u{{{ord(c):x}}}" for c in text) + '"'


def unquote(literal):
    one = lambda match: chr(int(match[1], 16)) if match[1] else {"n": "\n", "r": "\r", "t": "\t"}.get(match[2], match[2])
    return re.sub(r"\\(?:u\{([0-9a-fA-F]+)\}|(.))", one, literal[1:-1])


def parse(text):
    """A WAVE value as JSON has it: a case with a value becomes `{"tag": …, "val": …}`, one without its name."""
    made, closers = [], []
    for token in re.findall(r'"(?:[^"\\]|\\.)*"|[\w.-]+[(:]?|[\[\]{}(),]', text):
        if token[0] == '"':
            made.append(json.dumps(unquote(token)))
        elif token == ")":
            made.append(closers.pop())
        elif token[-1] == "(":
            made.append("" if token == "some(" else f'{{"tag": "{token[:-1]}", "val": ')
            closers.append("" if token == "some(" else "}")
        elif token[-1] == ":":
            made.append(f'"{token[:-1]}": ')
        else:
            is_name = token[0].isalpha() and token not in ("true", "false")
            made.append("null" if token == "none" else f'"{token}"' if is_name else token)
    return json.loads("".join(made))


def invoke(component, call):
    done = subprocess.run([*RUN, "--invoke", call, component], capture_output=True, encoding="utf-8", check=False)
    return done.stdout.strip() or sys.exit(done.stderr)


class Service:
    def __init__(self, component, credential):
        self.component, self.credential, self.base_url = component, credential, json.loads(credential)["baseUrl"]
        self.session, self.access, self.ends = "none", "none", 0.0

    def authenticate(self):
        text = invoke(self.component, f"authenticate({quote(self.credential)}, {self.session})")
        made = parse(text)
        if made["tag"] == "err":
            self.session, self.ends = "none", 0.0
            return made["val"]
        self.session = "some" + text.removeprefix("ok")  # As it was printed.
        self.ends = time.monotonic() + (made["val"].get("expires-in-s") or float("inf"))
        fields = lambda fields: ", ".join(f"{{name: {quote(one['name'])}, value: {quote(one['value'])}}}" for one in fields)
        access = made["val"]["access"]
        self.access = f"some({{headers: [{fields(access['headers'])}], query: [{fields(access['query'])}]}})"

    def execute(self, batch, items):
        call = f"group: {quote(batch['group'])}, operation: {quote(batch['operation'])}, items: [{', '.join(map(quote, items))}], "
        call += f"on-failure: {batch['onFailure']}, in-flight: {batch['inFlight']}, base-url: {quote(self.base_url)}, "
        return parse(invoke(self.component, f"execute({{{call}access: {self.access}}})"))

    def run(self, batch):
        if time.monotonic() > self.ends and (failure := self.authenticate()):
            return failure
        answer = self.execute(batch, batch["items"])
        results = answer["val"]
        if answer["tag"] == "err":
            return results
        # The service refused the session before its time: those items again, once, with a new one.
        failures = [(at, result["val"]) for at, result in enumerate(results) if isinstance(result["val"], dict)]
        refused = [at for at, failure in failures if failure["tag"] == "unauthenticated"]
        if refused and not self.authenticate():
            again = self.execute(batch, [batch["items"][at] for at in refused])
            for at, result in zip(refused, again["val"]):
                results[at] = result
        return results


if __name__ == "__main__":
    print(json.dumps(parse(invoke(sys.argv[1], "describe()"))), flush=True)
    service = Service(sys.argv[1], Path(sys.argv[2]).read_text(encoding="utf-8"))
    for line in sys.stdin:
        print(json.dumps(service.run(json.loads(line))), flush=True)
