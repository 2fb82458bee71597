"""The conformance suite: every case of `cases.json` in every host of `hosts.json`, compared with `nodule run`.

`conformance.py --cache FOLDER --target FOLDER [--docs FILE]` prints the table host × case, and writes it into the file
with the rates of one run. It ends with 1 when a host differs in a case that it does not name as lacking.
"""

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
# A call that hangs is a failed case, not a suite that never ends.
PATIENCE_S = 90
RATE_ITEMS = 2000
RATE_IN_FLIGHT = 16
# Each exchange has its own; and hosts send their items in whatever order.
VOLATILE = {"requestId", "timestamp", "nonceId"}


@contextmanager
def simulator(target):
    """A fresh one, with a clock that stands still, and its base URL."""
    command = [target / "release/simulator", "--log-requests", "--epoch", "1750000000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def control(url, method="GET", body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None


class Host:
    """A host's program, running. Each line in is a batch, each line out its answer."""

    def __init__(self, command, component, credential):
        self.process = subprocess.Popen(
            [*command, component, credential], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
        )
        self.watchdog = threading.Timer(PATIENCE_S, self.process.kill)
        self.watchdog.start()
        self.node = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the program ended: " + self.process.stderr.read()[-600:])
        # Numbers keep their digits.
        return json.loads(line, parse_int=str, parse_float=str)

    def run(self, batch):
        self.process.stdin.write(json.dumps(batch) + "\n")
        self.process.stdin.flush()
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.watchdog.cancel()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process.stderr.close()


# What hosts give, in one shape: the one that `nodule` prints. Names are camelCase, kebab-case or snake_case; a case of a
# variant is `{"tag", "val"}`, `{"Name": value}` or a bare name.


def camel(name):
    return re.sub(r"[-_](\w)", lambda match: match[1].upper(), name)


def kebab(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def case_of(value):
    if isinstance(value, str):
        return kebab(value), None
    if "tag" in value:
        return value["tag"], value.get("val")
    [(tag, inner)] = value.items()
    return kebab(tag), inner


def record(value):
    return {camel(name): inner for name, inner in value.items() if inner is not None}


def document(text):
    return json.loads(text, parse_int=str, parse_float=str)


def result(value):
    """`("ok", …)` or `("err", …)`; wasmtime-py leaves the names out where the types tell."""
    if isinstance(value, list):
        return "ok", value
    tag, inner = case_of(value)
    return (tag, inner) if tag in ("ok", "err") else ("err", value)


def failure(value):
    kind, inner = case_of(value)
    if kind == "invalid-parameters":
        return {"kind": kind, "problems": [record(problem) for problem in inner]}
    if isinstance(inner, str):
        return {"kind": kind, "message": inner}
    flat = {"kind": kind}
    for name, field in record(inner or {}).items():
        # What the service said stands among the failure's own facts, whose message counts.
        flat |= {**record(field), **flat} if name == "answer" else {name: field}
    if "message" in record(inner or {}):
        flat["message"] = inner["message"]
    if "certainty" in flat:
        flat["certainty"] = kebab(flat["certainty"])
    return flat


def comparable(outcome, only=None):
    """An item's outcome without what is never the same twice."""
    if "error" in outcome:
        error = {name: value for name, value in outcome["error"].items() if name not in VOLATILE}
        # `nodule run` gives these a line for people, which is not the node's.
        if error.get("kind") in ("invalid-parameters", "not-run"):
            error.pop("message", None)
        error = {name: norm(value) for name, value in error.items()}
        return {"error": {name: error[name] for name in only if name in error} if only else error}
    if isinstance(outcome["json"], dict):
        return {"json": {name: value for name, value in outcome["json"].items() if name not in VOLATILE}}
    return outcome


def norm(value):
    """A host without whole numbers writes 200 as 200.0; and each simulator has a port of its own."""
    return re.sub(r"(?<=://127\.0\.0\.1:)\d+", "PORT", re.sub(r"^(\d+)\.0$", r"\1", value)) if isinstance(value, str) else value


def outcomes(answer, count, only):
    kind, inner = result(answer)
    results = inner if kind == "ok" else [{"tag": "err", "val": inner}] * count
    made = []
    for one in results:
        kind, inner = result(one)
        made.append([comparable({"json": document(text)}) for text in inner] if kind == "ok" else [comparable({"error": failure(inner)}, only)])
    return made


def describe(node):
    """A description as `nodule describe --format json` has it."""

    def common(value):
        value = record(value)
        for name in ("hints", "default", "outputSchema"):
            if name in value:
                value[name] = json.loads(value[name])
        return value

    def parameter(value):
        value = common(value)
        tag, inner = case_of(value["kind"])
        tag = camel(tag)
        if tag == "choice":
            known = [{**choice, "value": json.loads(choice["value"])} for choice in inner["known"]]
            inner = {"known": known, "open": inner["open"]}
        elif tag == "group":
            inner = {"fields": inner}
        elif tag in ("integer", "rows"):
            inner = {name: number(field) for name, field in record(inner).items()}
        value["kind"] = {"type": tag, **(inner or {})}
        value["visibleWhen"] = [
            {"parameter": one["parameter"], "oneOf": [json.loads(scalar) for scalar in one["oneOf"]]}
            for one in map(record, value["visibleWhen"])
        ]
        return value

    def operation(value):
        value = common(value)
        tag, inner = case_of(value["effect"])
        value["effect"] = {"type": tag} | ({"parameter": inner} if inner else {})
        return value

    node = common(node)
    node["version"] = number(node["version"])
    node["credential"] = record(node["credential"])
    node["resources"] = [record(group) for group in node["resources"]]
    node["operations"] = [operation(one) for one in node["operations"]]
    node["parameters"] = [parameter(one) for one in node["parameters"]]
    return node


def number(value):
    return float(value) if isinstance(value, str) and re.fullmatch(r"-?[\d.]+", value) else value


def requests(base):
    """What was sent, in an order of its own, without secrets and what is never the same twice."""
    sent = []
    for request in control(base + "/_simulator/requests"):
        target, _, query = request["target"].partition("?")
        query = sorted(pair for pair in query.split("&") if pair.split("=")[0] not in VOLATILE)
        body = document(request["body"]) if request["body"] else None
        if isinstance(body, dict):
            body = {name: value for name, value in body.items() if name not in VOLATILE}
        # How a session comes about is the host's own: `nodule run` starts over where these hosts renew.
        if "/auth/" in target:
            continue
        sent.append([request["method"], target, query, json.dumps(body, sort_keys=True, ensure_ascii=False), request["token"]])
    return sorted(sent, key=json.dumps)


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Suite:
    def __init__(self, cache, target):
        self.target = target
        self.component = str(target / "socialhub.wasm")
        self.nodule = str(target / "release/nodule")
        python = str(cache / "python/bin/python")
        [program] = cache.glob("python/lib/python3*/site-packages/wasmtime_cli/wasmtime")
        os.environ["WASMTIME"] = str(program)
        self.credential_file = str(cache / f"credential-{os.getpid()}.json")
        self.commands = {
            "Python": [python, str(HERE / "python/host.py")],
            "JavaScript": ["node", str(cache / "javascript/host.mjs")],
            "Command line": [python, str(HERE / "cli/host.py")],
            "Rust": [str(target / "release/bare-host")],
        }

    def credential(self, base, changes=None):
        credential = {"baseUrl": base, "appId": "demo", "appSecret": "demo-secret-0123456789", **(changes or {})}
        Path(self.credential_file).write_text(json.dumps(credential), encoding="utf-8")

    @contextmanager
    def prepared(self, case):
        """The simulator as the case wants it, and the batch."""
        with simulator(self.target) as base:
            api = base
            if case.get("faults"):
                control(base + "/_simulator/faults", "POST", case["faults"])
            # A session first, then a service that is gone: only so it is the operation that fails.
            self.credential(api, case.get("credential"))
            items = [text.replace("#", str(n)) for n in range(case.get("count", 1)) for text in case["items"]]
            batch = {"group": case["group"], "operation": case["operation"], "items": items}
            batch |= {"onFailure": case.get("onFailure", "continue"), "inFlight": case.get("inFlight", 8)}
            yield base, batch

    def in_host(self, name, case):
        with self.prepared(case) as (base, batch):
            if case.get("closed"):
                self.credential(f"http://127.0.0.1:{unused_port()}")
            host = Host(self.commands[name], self.component, self.credential_file)
            try:
                made = []
                for turn in range(2 if case.get("expire") else 1):
                    if turn:
                        control(base + "/_simulator/tokens/expire?keep=refresh", "POST")
                    began = time.monotonic()
                    made += outcomes(host.run(batch), len(batch["items"]), case.get("only"))
                    took = time.monotonic() - began
            finally:
                host.close()
            if case.get("expire") and not [r for r in control(base + "/_simulator/requests") if r["target"] == case["renewal"]]:
                raise RuntimeError(f"nothing was sent to {case['renewal']}")
            return made, requests(base), took

    def in_nodule(self, case):
        with self.prepared(case) as (base, batch):
            if case.get("closed"):
                self.credential(f"http://127.0.0.1:{unused_port()}")
            command = [self.nodule, "run", self.component, batch["group"], batch["operation"], "--retries", "0", "--items", "-", "--credential"]
            command += [self.credential_file, "--concurrency", str(batch["inFlight"]), "--on-failure", batch["onFailure"]]
            process = subprocess.Popen(
                [*command, "--progress", "off"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
            )
            watchdog = threading.Timer(PATIENCE_S, process.kill)
            watchdog.start()
            text = "".join(item + "\n" for item in batch["items"])
            began = time.monotonic()
            lines = []
            if case.get("expire"):
                process.stdin.write(text)
                process.stdin.flush()
                lines = [process.stdout.readline() for _ in batch["items"]]
                control(base + "/_simulator/tokens/expire?keep=refresh", "POST")
            out, err = process.communicate(text)
            watchdog.cancel()
            took = time.monotonic() - began
            made = {}
            for line in map(document, [*lines, *out.splitlines()]):
                made.setdefault(int(line.pop("item")), []).append(comparable(line, case.get("only")))
            if not made:
                raise RuntimeError(f"{case['name']}: `nodule run` printed nothing: {err}")
            return [made.get(at, []) for at in range(max(made) + 1)], requests(base), took

    def case(self, case):
        """Host by host: nothing, or how it differs."""
        if "expect" in case:
            expected, sent = [[{"error": case["expect"]}]] * len(case["items"]), None
        else:
            expected, sent, _ = self.in_nodule(case)
        differences = {}
        for name in self.commands:
            try:
                made, requested, took = self.in_host(name, case)
            except (RuntimeError, OSError, ValueError, KeyError, TypeError) as error:
                differences[name] = f"{type(error).__name__}: {error}"
                continue
            if made != expected:
                differences[name] = f"expected {json.dumps(expected, ensure_ascii=False)[:700]}, found {json.dumps(made, ensure_ascii=False)[:700]}"
            elif sent is not None and requested != sent:
                differences[name] = f"sent {json.dumps(requested, ensure_ascii=False)[:700]}, expected {json.dumps(sent, ensure_ascii=False)[:700]}"
            elif took > case.get("within", PATIENCE_S):
                differences[name] = f"took {took:.2f} s, expected at most {case['within']} s"
        return differences

    def description(self):
        text = subprocess.run([self.nodule, "describe", self.component, "--format", "json"], capture_output=True, check=True).stdout
        expected = json.loads(text)
        differences = {}
        self.credential("http://127.0.0.1:1")
        for name, command in self.commands.items():
            host = Host(command, self.component, self.credential_file)
            host.close()
            if describe(host.node) != expected:
                differences[name] = "the description differs"
        return differences

    def rates(self):
        """Items a second of `getMember`, in one run; a batch before it warms each host up."""
        rates = {}
        case = {"group": "member", "operation": "getMember", "items": ["{\"cardNo\":\"M#\"}"], "count": RATE_ITEMS, "inFlight": RATE_IN_FLIGHT}
        _, _, start = self.in_nodule({**case, "count": 1})
        _, _, took = self.in_nodule(case)
        rates["`nodule run`"] = RATE_ITEMS / (took - start)
        for name, command in self.commands.items():
            with self.prepared(case) as (_, batch):
                host = Host(command, self.component, self.credential_file)
                try:
                    host.run({**batch, "items": batch["items"][:1]})
                    began = time.monotonic()
                    host.run(batch)
                    rates[name] = RATE_ITEMS / (time.monotonic() - began)
                finally:
                    host.close()
        return rates


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--cache", type=Path, required=True)
    arguments.add_argument("--target", type=Path, required=True)
    arguments.add_argument("--docs", type=Path)
    arguments.add_argument("--only", default="")
    flags = arguments.parse_args()
    suite = Suite(flags.cache.resolve(), flags.target.resolve())
    cases = json.loads((HERE / "cases.json").read_text(encoding="utf-8"))
    rows = []
    try:
        if not flags.only:
            rows.append(("description", "", suite.description()))
        for case in cases["cases"]:
            if flags.only in case["name"]:
                rows.append((case["name"], case.get("because", ""), suite.case(case)))
                print(f"{case['name']}: {', '.join(rows[-1][2]) or 'equal'}", file=sys.stderr, flush=True)
        rates = {} if flags.only else suite.rates()
    finally:
        Path(suite.credential_file).unlink(missing_ok=True)
    from table import page, table

    print(table(list(suite.commands), rows, cases["absent"]))
    for name, _, differences in rows:
        for host, difference in differences.items():
            print(f"{name}, {host}: {difference}", file=sys.stderr)
    if flags.docs:
        flags.docs.write_text(page(suite, rows, cases["absent"], rates), encoding="utf-8")
    failed = sum(len(differences) for _, _, differences in rows)
    passed = len(rows) * len(suite.commands) - failed
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
