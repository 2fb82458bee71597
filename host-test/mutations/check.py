"""Takes the protections out, one after the other, and sees the rows fail that are about them.

`mutations.toml` says which: a row of the hostile tests, what is changed in which file, and why that takes its protection
away. All changes are built into one copy of the tree, each behind a switch of its own, so that one build is enough and no
change hides another: a row is run with one of them on, and has to fail. Before that it is run with none, and has to pass.

A change whose text does not stand in its file exactly once is an error: it has to follow the code that it is about.

    python3 -B host-test/mutations/check.py --target target [ROW or ID]...
"""

import argparse
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(__file__).with_name("mutations.toml")
ROWS = ROOT / "host-test/tests/hostile/main.rs"
SWITCH = "NODULE_MUTATION"
# A protection that is gone may leave a loop without an end, and memory without a limit. What passes with it gone takes as
# long as with it there, give or take a busy machine.
DEADLINE_S = 600
LEAST_DEADLINE_S = 60
TIMES_AS_LONG = 6
DATA_BYTES = 6 << 30
PACKAGES = ["-p", "nodule-host", "-p", "nodule-cli", "-p", "host-test"]


class Mutation:
    """One protection that is taken out."""

    def __init__(self, number, table, variant):
        self.row = table["row"]
        self.id = f"{self.row}.{variant or number}"
        self.why = table["why"] + (f": {variant}" if variant else "")
        self.edits = table["edit"]
        # The node's own code is no part of the test: its component is built once for each such change.
        self.is_of_node = any(edit["file"].startswith(("node/", "sdk/")) for edit in self.edits)


def read():
    """All mutations, with the number of each within its row."""
    tables = tomllib.loads(DATA.read_text())["mutation"]
    numbers, mutations = {}, []
    for table in tables:
        number = numbers[table["row"]] = numbers.get(table["row"], 0) + 1
        unknown = set(table) - {"row", "why", "edit", "each"}
        unknown |= {key for edit in table["edit"] for key in set(edit) - {"file", "find", "replace", "before", "also"}}
        if unknown:
            sys.exit(f"{DATA.name}: row {table['row']}: unknown keys {sorted(unknown)}")
        for variant in table.get("each", [None]):
            mutations.append(Mutation(number, table, variant))
    return tables, mutations


def copy(tree):
    """The files that belong to the repository, as they are now; those that are the same keep their times."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True
    )
    names = {name for name in listed.stdout.decode().split("\0") if name}
    for name in names:
        source = ROOT / name
        if source.is_symlink():
            link(tree / name, source.readlink())
        elif source.is_file():
            write(tree / name, source.read_bytes(), source.stat().st_mode)
    for old in [path for path in tree.rglob("*.rs") if "target" not in path.parts]:
        if str(old.relative_to(tree)) not in names:
            old.unlink()


def link(path, to):
    if not path.is_symlink():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(to)


def write(path, content, mode=0o644):
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def edited(edits, switch):
    """The files with these edits; `OFF` in them becomes what `switch` gives for the edit's mutation."""
    texts, problems = {}, []
    for id, edit in edits:
        name = edit["file"]
        texts.setdefault(name, [(ROOT / name).read_text(), []])
        found = texts[name][0].count(edit["find"])
        if found != 1:
            problems.append(f"{id}: {name}: expected the text once, found it {found} times:\n{edit['find']}")
            continue
        start = texts[name][0].index(edit["find"])
        end = start + len(edit["find"]) if "replace" in edit else start
        new = edit["replace"] if "replace" in edit else edit["before"]
        texts[name][1].append((start, end, switch([id, *edit.get("also", [])], new)))
    results = {}
    for name, (text, changes) in texts.items():
        # Insertions at one place stay in their order; nothing else may overlap.
        changes.sort(key=lambda change: change[:2])
        out, done = [], 0
        for start, end, new in changes:
            if start < done:
                problems.append(f"{name}: two changes of the same text: {new}")
                continue
            out += [text[done:start], new]
            done = end
        results[name] = "".join(out) + text[done:]
    if problems:
        sys.exit("\n".join(problems))
    return results


def switched(ids, text):
    ids = ", ".join(f'"{id}"' for id in ids)
    text = re.sub(r"\bOFF\b", f'std::env::var("{SWITCH}").is_ok_and(|on| [{ids}].contains(&on.as_str()))', text)
    return re.sub(r"\bMUTATION\b", f'std::env::var("{SWITCH}").unwrap_or_default()', text)


def cargo(tree, build, *arguments):
    return made(tree, build, [os.environ.get("CARGO", "cargo"), *arguments])


def made(tree, build, command):
    environment = os.environ | {"CARGO_TARGET_DIR": str(build), "CARGO_INCREMENTAL": "1"}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if not line.startswith("warning")]
        sys.exit(f"the mutations do not build:\n" + "\n".join(errors[-80:]))
    return done.stdout + done.stderr


def prepare(target, build):
    """What was compiled of the libraries is taken over, so that Wasmtime is not compiled again."""
    if not (build / "release").is_dir() and (target / "release").is_dir():
        # Cargo writes into what is in `build` and `.fingerprint`, so that a link would change the original.
        for part, take in [("deps", os.link), ("build", shutil.copy2), (".fingerprint", shutil.copy2)]:
            if (target / "release" / part).is_dir():
                shutil.copytree(target / "release" / part, build / "release" / part, copy_function=take, symlinks=True)
    build.mkdir(parents=True, exist_ok=True)
    shutil.copytree(target / "hostile", build / "hostile", dirs_exist_ok=True)
    shutil.copy(target / "socialhub.wasm", build / "socialhub.wasm")


def node(tree, build, target, mutation):
    """The node's component with one mutation in it, or as it is."""
    names = {edit["file"] for edit in mutation.edits}
    files = edited([(mutation.id, edit) for edit in mutation.edits], lambda _, text: re.sub(r"\bOFF\b", "true", text))
    for name in names:
        write(tree / name, files[name].encode())
    made(tree, build, [build / "release/nodule", "build", "node", "--profile", "component", "--output", build / "socialhub.wasm"])
    for name in names:
        write(tree / name, (ROOT / name).read_bytes())


def run(executable, tree, row, id, deadline):
    """Whether a row passes, how it ended, and how long that took."""
    environment = {key: value for key, value in os.environ.items() if key != SWITCH}
    if id:
        environment[SWITCH] = id
    clock = time.monotonic()
    child = subprocess.Popen(
        [executable, str(row)],
        cwd=tree / "host-test",
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        # With what it starts: row 35 runs in a process of its own.
        process_group=0,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (DATA_BYTES, DATA_BYTES)),
    )
    try:
        stdout, stderr = child.communicate(timeout=deadline)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        return False, f"no end within {deadline:.0f} s", time.monotonic() - clock
    took = time.monotonic() - clock
    words = [line for line in stdout.splitlines() if line.startswith(f"row {row},")]
    said = words[0].split(": ", 1)[-1][:90] if words else (stderr.strip().splitlines() or [""])[-1][:90]
    if child.returncode not in {0, 1}:
        return False, f"ended by {child.returncode}: {said}", took
    return child.returncode == 0, said, took


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--target", type=pathlib.Path, default=ROOT / "target", help="where Cargo builds to")
    arguments.add_argument("only", nargs="*", help="rows (7) or mutations (7.2)")
    options = arguments.parse_args()
    target = options.target.resolve()
    tables, mutations = read()
    rows = {int(number) for number in re.findall(r'^ +(\d+) "', ROWS.read_text(), re.MULTILINE)}
    missing = rows - {mutation.row for mutation in mutations}
    if missing or not rows:
        sys.exit(f"{DATA.name}: no mutation for rows {sorted(missing)} of {ROWS.name}")
    tree, build = target / "mutations/tree", target / "mutations/build"
    host = [mutation for mutation in mutations if not mutation.is_of_node]
    edits, seen = [], set()
    for mutation in host:
        for edit in mutation.edits:
            # The variants of one change share it.
            if id(edit) not in seen:
                seen.add(id(edit))
                edits.append((mutation.id, edit))
    files = edited(edits, switched)
    chosen = [m for m in mutations if not options.only or m.id in options.only or str(m.row) in options.only]
    prepare(target, build)
    copy(tree)
    for name, text in files.items():
        write(tree / name, text.encode())
    link(tree / "target", build)
    print(f"building {len(mutations)} mutations", flush=True)
    cargo(tree, build, "build", "--release", "-p", "nodule-cli", "-p", "socialhub-simulator", "-p", "same-features")
    told = cargo(tree, build, "test", "--release", *PACKAGES, "--test", "hostile", "--no-run")
    executable = tree / re.search(r"tests/hostile/main\.rs \((.+)\)", told).group(1)
    wrong = []

    def line(id, passes, must_pass, words, took, why):
        good = passes == must_pass
        outcome = "passes" if passes else "fails"
        print(f"{id:<28} {outcome:<7} {'as it must' if good else 'WRONG':<10} {took:6.1f} s  {why}", flush=True)
        if words and not passes:
            print(f"{'':<28} {words}", flush=True)
        if not good:
            wrong.append(id)

    for row in sorted({mutation.row for mutation in chosen}):
        passes, words, took = run(executable, tree, row, None, DEADLINE_S)
        line(str(row), passes, True, words, took, "nothing is taken out")
        deadline = max(LEAST_DEADLINE_S, TIMES_AS_LONG * took)
        for mutation in (mutation for mutation in chosen if mutation.row == row):
            if mutation.is_of_node:
                node(tree, build, target, mutation)
            passes, words, took = run(executable, tree, row, mutation.id, deadline)
            line(mutation.id, passes, False, words, took, mutation.why)
            if mutation.is_of_node:
                shutil.copy(target / "socialhub.wasm", build / "socialhub.wasm")
    print(f"{len(chosen)} mutations of {len({m.row for m in chosen})} rows, {len(wrong)} wrong: {' '.join(wrong) or 'none'}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
