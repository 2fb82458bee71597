"""The conformance suite: every case of `cases.json` in every host of `hosts.json`, compared with `nodule run`.

`conformance.py --cache FOLDER --target FOLDER --docs FILE` prints the table host × case, and compares the page with what it
would be now, but for the rates; `--update` measures them and writes the page. It ends with 1 when a host differs in a case that it is
not said to lack, or does not differ in one that it is, and when the page is stale.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from photos import photos
from shapes import VOLATILE, answered, bound, comparable, describe, document, listed, moved, outcomes, spelled
from table import page, rates_table, table, without_figures

HERE = Path(__file__).resolve().parent
# A call that hangs is a failed case, not a suite that never ends.
PATIENCE_S = 90
DESCRIBED = ["socialhub.wasm", *(f"hostile/{name}.wasm" for name in ("answers", "declares", "grants", "no_credential", "signs"))]
# The simulator logs no more than the names of most headers. `x-reader` is one of the node `declares`.
COMPARED = {"authorization", "x-reader"}
RATE_ITEMS = 2000
# Enough that the process's start, which is taken off, is little beside them.
RUN_ITEMS = 20 * RATE_ITEMS
RUN = "`nodule run`"
RATE_IN_FLIGHT = 16


@contextmanager
def simulator(target, flags):
    """A fresh one, with a clock that stands still, and its base URL."""
    command = [target / "release/simulator", "--log-requests", "--epoch", "1750000000", *flags]
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
    """A host's program, running. Each line in is a call, each line out its answer."""

    def __init__(self, name, command, component, credential):
        self.name = name
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

    def run(self, call):
        self.process.stdin.write(json.dumps(spelled(self.name, call)) + "\n")
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
        body = json.dumps(body, sort_keys=True, ensure_ascii=False)
        headers = [name for name in request["headerNames"] if name in COMPARED]
        sent.append([request["method"], target, query, body, request["token"], request["accept"], sorted(headers)])
    return sorted(sent, key=json.dumps)


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Suite:
    def __init__(self, cache, target):
        self.target = target
        self.nodule = str(target / "release/nodule")
        python = str(cache / "python/bin/python")
        [program] = cache.glob("python/lib/python3*/site-packages/wasmtime_cli/wasmtime")
        os.environ["WASMTIME"] = str(program)
        self.folder = Path(tempfile.mkdtemp())
        self.credential_file = str(self.folder / "credential.json")
        self.policy_file = str(self.folder / "policy.toml")
        self.commands = {
            "Python": [python, str(HERE / "python/host.py")],
            "JavaScript": ["node", str(cache / "javascript/host.mjs")],
            "Command line": [python, str(HERE / "cli/host.py")],
            "Rust": [str(target / "release/bare-host")],
        }

    def component(self, case):
        return str(self.target / case.get("component", "socialhub.wasm"))

    def credential(self, base, changes=None):
        credential = {"baseUrl": base, "appId": "demo", "appSecret": "demo-secret-0123456789"} | (changes or {})
        credential = {name: value for name, value in credential.items() if value is not None}
        Path(self.credential_file).write_text(json.dumps(credential), encoding="utf-8")

    @contextmanager
    def prepared(self, case):
        """The simulator as the case wants it, and the call."""
        with simulator(self.target, case.get("simulator", [])) as base:
            if case.get("faults"):
                control(base + "/_simulator/faults", "POST", case["faults"])
            address = f"http://127.0.0.1:{unused_port()}" if case.get("closed") else base
            self.credential(address, case.get("credential"))
            if case.get("elsewhere"):
                address = address.replace("127.0.0.1", "localhost")
            texts = [text.replace("#", str(n)) for n in range(case.get("count", 1)) for text in case["items"]]
            items = [{"parameters": text} for text in texts]
            service = {"base-url": address} | ({"access": case["access"]} if "access" in case else {})
            call = {"group": case["group"], "operation": case["operation"], "items": items, "service": service}
            call |= {"on-failure": case.get("onFailure", "continue"), "in-flight": case.get("inFlight", 8)}
            if "asks" in case:
                call["asks"] = case["asks"]
                call["question"] = {"parameter": case["parameter"], "filled-in": texts[0].replace("BASE", address)}
            for item in items:
                item["parameters"] = item["parameters"].replace("BASE", address)
            yield base, call

    def host(self, name, case, call):
        """A host's program, and the call with the credential as its description has it."""
        host = Host(name, self.commands[name], self.component(case), self.credential_file)
        fields = json.loads(Path(self.credential_file).read_text(encoding="utf-8"))
        call["service"]["credential"], call["service"]["settings"] = bound(host.node, fields)
        return host

    @contextmanager
    def with_photos(self, case):
        """The service of a case with files, the call, and the folder for what comes out."""
        with photos() as (base, take), tempfile.TemporaryDirectory() as folder:
            self.credential(base, {"appId": None, "appSecret": None, "secret": "demo-secret-0123456789"})
            files = []
            if size := case["transfer"]:
                path = Path(folder) / "photo"
                path.write_bytes(bytes(at % 251 for at in range(size)))
                files = [{"key": "f", "path": str(path), "file-name": 'a "b".png', "media-type": "image/png"}]
            [parameters] = case["items"]
            call = {"group": case["group"], "operation": case["operation"], "parameters": parameters}
            call |= {"files": files, "in-flight": 8, "service": {"base-url": base}}
            yield call, take, Path(folder)

    def moved_by_host(self, name, case):
        with self.with_photos(case) as (call, take, folder):
            host = self.host(name, case, call)
            try:
                began = time.monotonic()
                answer = host.run({"transfer": call, "folder": str(folder)})
                made = moved(answer, lambda file: (folder / file["key"]).read_bytes())
                return [made], take(), time.monotonic() - began
            finally:
                host.close()

    def moved_by_nodule(self, case):
        with self.with_photos(case) as (call, take, folder):
            files = {one["key"]: {"path": "photo", "fileName": one["file-name"], "mediaType": one["media-type"]} for one in call["files"]}
            item = json.loads(call["parameters"]) | {"$files": files}
            command = [self.nodule, "run", self.component(case), call["group"], call["operation"], "--credential", self.credential_file]
            command += ["--items", "-", "--files-dir", str(folder), "--output-files", str(folder / "out"), "--progress", "off"]
            done = subprocess.run(command, input=json.dumps(item), capture_output=True, encoding="utf-8", timeout=PATIENCE_S, check=False)
            made = []
            for line in map(document, done.stdout.splitlines()):
                files = {key: {name: file.get(name) for name in ("fileName", "mediaType", "sha256")} for key, file in line.get("files", {}).items()}
                made.append(comparable(line) | ({} if "error" in line else {"files": files}))
            if not made:
                raise RuntimeError(f"{case['name']}: `nodule run` printed nothing: {done.stderr}")
            return [made], take(), 0

    def in_host(self, name, case):
        if "transfer" in case:
            return self.moved_by_host(name, case)
        with self.prepared(case) as (base, call):
            host = self.host(name, case, call)
            try:
                made = []
                for turn in range(2 if case.get("again") else 1):
                    if turn and case["again"] == "expired":
                        control(base + "/_simulator/tokens/expire?keep=refresh", "POST")
                    began = time.monotonic()
                    if "asks" in case:
                        asked = {name: call[name] for name in ("group", "operation", "service")} | call["question"]
                        made.append(answered(case["asks"], host.run({case["asks"]: asked})))
                    else:
                        made += outcomes(host.run(call), len(call["items"]), case.get("only"))
                    took = time.monotonic() - began
            finally:
                host.close()
            if case.get("renewal") and not [r for r in control(base + "/_simulator/requests") if r["target"] == case["renewal"]]:
                raise RuntimeError(f"nothing was sent to {case['renewal']}")
            return made, requests(base), took

    def asked_of_nodule(self, case):
        with self.prepared(case) as (base, call):
            command = [self.nodule, {"values": "choices"}.get(case["asks"], case["asks"]), self.component(case), call["group"]]
            command += [call["operation"], case["parameter"], "--credential", self.credential_file]
            for name, value in json.loads(call["question"]["filled-in"]).items():
                command += ["--param", f"{name}:={json.dumps(value)}"]
            done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=PATIENCE_S)
            return [[listed(case["asks"], json.loads(line)) for line in done.stdout.splitlines()]], requests(base), 0

    def in_nodule(self, case):
        if "asks" in case:
            return self.asked_of_nodule(case)
        if "transfer" in case:
            return self.moved_by_nodule(case)
        with self.prepared(case) as (base, call):
            command = [self.nodule, "run", self.component(case), call["group"], call["operation"], "--retries", "0", "--items", "-"]
            command += ["--concurrency", str(call["in-flight"])]
            command += ["--allow", base] if "credential" in case and case["credential"] is None else ["--credential", self.credential_file]
            command += ["--on-failure", call["on-failure"], "--progress", "off"]
            if "policy" in case:
                Path(self.policy_file).write_text(case["policy"], encoding="utf-8")
                command += ["--policy", self.policy_file]
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
            )
            watchdog = threading.Timer(PATIENCE_S, process.kill)
            watchdog.start()
            text = "".join(item["parameters"] + "\n" for item in call["items"])
            began = time.monotonic()
            lines = []
            if case.get("again"):
                process.stdin.write(text)
                process.stdin.flush()
                lines = [process.stdout.readline() for _ in call["items"]]
                if case["again"] == "expired":
                    control(base + "/_simulator/tokens/expire?keep=refresh", "POST")
            out, err = process.communicate(text)
            watchdog.cancel()
            took = time.monotonic() - began
            made = {}
            for line in map(document, [*lines, *out.splitlines()]):
                # The end of an item whose rows were printed page by page. Other hosts have them all at once.
                if "end" in line:
                    continue
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
        """Of this repository's node, and of one for each scheme of credentials and each interface."""
        differences = {}
        self.credential("http://127.0.0.1:1")
        for component in DESCRIBED:
            file = self.component({"component": component})
            text = subprocess.run([self.nodule, "describe", file, "--format", "json"], capture_output=True, check=True).stdout
            expected = json.loads(text)
            for name, command in self.commands.items():
                host = Host(name, command, file, self.credential_file)
                host.close()
                if describe(host.node) != expected:
                    differences[name] = f"the description of {component} differs"
        return differences

    def rates(self):
        """Items a second of `getMember`, in one run; a call before it warms each host up."""
        rates = {}
        case = {"group": "member", "operation": "getMember", "items": ["{\"cardNo\":\"M#\"}"], "count": RATE_ITEMS, "inFlight": RATE_IN_FLIGHT}
        _, _, start = self.in_nodule({**case, "count": 1})
        _, _, took = self.in_nodule({**case, "count": RUN_ITEMS})
        rates[RUN] = RUN_ITEMS / (took - start)
        for name in self.commands:
            with self.prepared(case) as (_, call):
                host = self.host(name, case, call)
                try:
                    host.run({**call, "items": call["items"][:1]})
                    began = time.monotonic()
                    host.run(call)
                    rates[name] = RATE_ITEMS / (time.monotonic() - began)
                finally:
                    host.close()
        return rates


class Row:
    """A case and what came of it in each host."""

    def __init__(self, case, differences):
        self.name, self.because, self.lacks = case["name"], case.get("because", ""), case.get("lacks", {})
        self.differences = {host: how for host, how in differences.items() if host not in self.lacks}
        self.differences |= {host: "can do what it is said to lack" for host in self.lacks if host not in differences}

    def word(self, host):
        return "differs" if host in self.differences else "cannot" if host in self.lacks else "equal"


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--cache", type=Path, required=True)
    arguments.add_argument("--target", type=Path, required=True)
    arguments.add_argument("--docs", type=Path, required=True)
    arguments.add_argument("--update", action="store_true", help="measure the rates and write the page")
    arguments.add_argument("--only", help="cases with this in their names, and no page")
    flags = arguments.parse_args()
    suite = Suite(flags.cache.resolve(), flags.target.resolve())
    hosts = list(suite.commands)
    cases = json.loads((HERE / "cases.json").read_text(encoding="utf-8"))["cases"]
    try:
        rows = [] if flags.only else [Row({"name": "description"}, suite.description())]
        for case in cases:
            if (flags.only or "") in case["name"]:
                rows.append(Row(case, suite.case(case)))
                print(f"{case['name']}: {', '.join(map(rows[-1].word, hosts))}", file=sys.stderr, flush=True)
        rates = suite.rates() if flags.update else dict.fromkeys([RUN, *hosts], 0)
    finally:
        shutil.rmtree(suite.folder)

    print(table(hosts, rows))
    if flags.update:
        print(f"\n{rates_table(rates)}")
    for row in rows:
        for host, difference in row.differences.items():
            print(f"{row.name}, {host}: {difference}", file=sys.stderr)
    is_stale = False
    if not flags.only:
        made = page(suite, rows, rates)
        if flags.update:
            flags.docs.write_text(made, encoding="utf-8")
        is_stale = without_figures(flags.docs.read_text(encoding="utf-8")) != without_figures(made)
        if is_stale:
            print(f"{flags.docs} is not what this run would write; `UPDATE=1 make test-hosts` writes it", file=sys.stderr)
    failed = sum(len(row.differences) for row in rows) + is_stale
    passed = sum(row.word(host) == "equal" for row in rows for host in hosts)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
