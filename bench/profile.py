#!/usr/bin/env python3
"""Where the time of an item goes: by whose code, and by function, beside plain Rust (`make profile`).

Needs `perf`. What an item costs is measured first, without it, and shared out by its samples afterwards.
"""

import collections
import pathlib
import re
import statistics
import subprocess
import sys

BENCH = pathlib.Path("target/release/bench")
DATA = pathlib.Path("target/profile.data")
OPERATIONS = ("getMember", "adjustPoints")
UNDER_WAY = int(sys.argv[1]) if len(sys.argv) > 1 else 64
# Samples of the beginning are of compiling the component and opening connections.
BEGINNING = 0.4
# Microseconds of an item below which a function is not named.
SHOWN = 0.05

# Whose code a function is: the first that fits.
GROUPS = (
    ("allocating and copying", r"^_?mi_|__rust_alloc|__rust_dealloc|^__mem(cpy|move|set|cmp)"),
    ("the host library", r"nodule::"),
    ("Wasmtime", r"wasmtime(?!_wasi)|wasm"),
)
NODE, SYSTEM, REST = "the node", "the system", "Tokio, hyper, `http`, `bytes`, `futures` and the rest"


def repeat(side, operation, rounds):
    return [str(BENCH), "repeat", side, operation, "--under-way", str(UNDER_WAY), "--rounds", str(rounds)]


def cost(side, operation):
    """Microseconds of CPU per item."""
    done = subprocess.run(repeat(side, operation, 8), check=True, stdout=subprocess.PIPE, text=True)
    return statistics.median(float(line) for line in done.stdout.splitlines())


def owner(symbol, binary):
    if "kernel" in binary or binary == "[vdso]":
        return SYSTEM
    # Compiled code lies in memory that belongs to no file, or in the cache's.
    if symbol == "[unknown]" and BENCH.name != pathlib.Path(binary).name:
        return NODE
    return next((name for name, pattern in GROUPS if re.search(pattern, symbol)), REST)


def profile(side, operation):
    """Microseconds per item of each function, by its owner and name."""
    whole = cost(side, operation)
    record = ["perf", "record", "--quiet", "--freq", "5000", "--output", str(DATA)]
    subprocess.run(record + repeat(side, operation, 12), check=True, stdout=subprocess.DEVNULL)
    script = ["perf", "script", "--input", str(DATA), "--comm", BENCH.name, "--fields", "time,ip,sym,dso"]
    done = subprocess.run(script, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    samples = re.findall(r"^ *([\d.]+): +[0-9a-f]+ (.*?)(?:\+0x[0-9a-f]+)? \(([^()]*|\(.*\))\)$", done.stdout, re.M)
    DATA.unlink()
    if not samples:
        sys.exit("perf: no sample of the benchmark; may it measure here (`kernel.perf_event_paranoid`)?")
    first, last = float(samples[0][0]), float(samples[-1][0])
    samples = [(symbol, binary) for time, symbol, binary in samples if float(time) > first + (last - first) * BEGINNING]
    counts = collections.Counter((owner(symbol, binary), symbol) for symbol, binary in samples)
    return whole, {key: whole * count / len(samples) for key, count in counts.items()}


def by_owner(functions):
    sums = collections.Counter()
    for (name, _), microseconds in functions.items():
        sums[name] += microseconds
    return sums


def row(name, node, plain):
    return f"| {name} | {node:.2f} | {plain:.2f} | {node - plain:+.2f} |"


def show(operation):
    print(f"measuring {operation}", file=sys.stderr)
    (node_whole, node), (plain_whole, plain) = profile("node", operation), profile("plain", operation)
    print(f"\n`{operation}`, {UNDER_WAY} under way: microseconds of CPU for one item\n")
    print("| whose code | node | plain Rust | more |\n| --- | --- | --- | --- |")
    print(row("all of it", node_whole, plain_whole))
    nodes, plains = by_owner(node), by_owner(plain)
    for name in sorted(nodes, key=lambda name: plains[name] - nodes[name]):
        print(row(name, nodes[name], plains[name]))
    print("\n| function | node | plain Rust | more |\n| --- | --- | --- | --- |")
    both = [(node.get(key, 0) - plain.get(key, 0), key) for key in node.keys() | plain.keys()]
    for more, key in sorted(both, reverse=True):
        if abs(more) >= SHOWN and key[0] != NODE:
            print(row(f"`{key[1]}`", node.get(key, 0), plain.get(key, 0)))


for each in OPERATIONS:
    show(each)
