"""Keeps what is said of the examples true: python3 -B examples/page.py [--update]

Makes docs/examples.md of the sources, the cases and the components that `make examples` built, and the table of operations in each
README of the components' descriptions. Without `--update` it compares them, and fails where they differ.
"""

import difflib
import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
TARGET = ROOT / "target"
PAGE = ROOT / "docs" / "examples.md"
NODULE = TARGET / "release" / "nodule"
BEGIN, END = "<!-- operations -->\n", "<!-- /operations -->"

# Those in other languages, which write their descriptions themselves.
BY_HAND = {"javascript": "node.js", "python": "node.py", "waki": "src/lib.rs"}
# What a table may use, and how it is written there.
FEATURES = [
    ("no credential", None),
    ("fields in headers", r"\bfixed(_query)?\("),
    ("OAuth 2.0", r"\boauth2\("),
    ("log-in", r"\bsession\("),
    ("signature", r"\bsigned\("),
    ("form", r"\.form\(\)"),
    ("multipart", r"\.multipart\(\)"),
    ("XML", r"\bxml\("),
    ("PATCH", r"\bpatch\("),
    ("keyed", r"Effect::Keyed"),
    ("files in", r"\bfile\("),
    ("files out", r"\bdownload\(|giving_files"),
    ("a second origin", r"\bOrigin \{"),
    ("pages by link", r"\blink\(\)"),
    ("by cursor", r"\bcursor(_of_last_record)?\("),
    ("by number", r"\bpage_increment\(\)"),
    ("by offset", r"\boffset_increment\(\)"),
    ("dynamic choices", r"\b(reference_to|choices?_of)\("),
    ("columns", r"\bcolumns_of\("),
    ("collections", r"\.spread\(\)"),
    ("several requests of an item", r"\.writes\(|\.together\(|client\s*\.(document|success|send)\("),
]
HEAD = """# Examples

<!-- Made by examples/page.py: `python3 -B examples/page.py --update`. -->

Nodes for services that are not Nodule's own, to copy from. Lines are counted without blanks and comments: those of the table, and those
of functions, where the table cannot say it. Each operation has at least one recorded case. Where those were recorded against a real
server, `examples/NAME/setup` installs it, and `make test-examples` runs the node against it; the others were recorded against a mock.
[Write a node](write-a-node.md) begins with none of it.

| example | operations | table | functions | uses | cases | real server |
| --- | --- | --- | --- | --- | --- | --- |
"""


def code_lines(text):
    """Lines that are neither blank nor a comment."""
    return [line for line in text.splitlines() if line.strip() and not re.match(r"\s*(//|#(?!\[))", line)]


def lines(sources):
    """Lines of table and of functions: at the top of a file, a constant is table, and so is what brings names in."""
    table = functions = 0
    for source in sources:
        is_table = True
        for line in code_lines(source.read_text()):
            if re.match(r"[a-z#]", line):
                is_table = re.match(r"(pub(\(\w+\))? )?(const (?!fn)|static |use |mod )|nodule_sdk::export!|#", line) is not None
            table += is_table
            functions += not is_table
    return table, functions


def cases(example):
    """The case of each recording."""
    for recording in sorted(example.glob("cases/**/*.har")):
        log = json.loads(recording.read_text())["log"]
        yield log["_case"], log.get("_recordedAgainst", "mock")


def row(name):
    example = HERE / name
    recorded = list(cases(example))
    operations = {(case["group"], case["operation"]) for case, _ in recorded}
    if name in BY_HAND:
        source = example / BY_HAND[name]
        table, functions = "", len(code_lines(source.read_text()))
        uses = f"[{BY_HAND[name]}](../examples/{name}/{BY_HAND[name]}), description and all"
    else:
        sources = sorted(example.glob("src/**/*.rs"))
        table, functions = lines(sources)
        text = "\n".join(source.read_text() for source in sources)
        found = [feature for feature, pattern in FEATURES if pattern and re.search(pattern, text)]
        if "Credential {" not in text:
            # Its first origin takes the place of a base URL.
            found = ["no credential", *(feature for feature in found if feature != "a second origin")]
        uses = ", ".join(found)
    servers = sorted({against for _, against in recorded} - {"mock"})
    against = f"yes: {', '.join(servers)}" if servers else "no"
    return f"| [{name}](../examples/{name}) | {len(operations)} | {table} | {functions} | {uses} | {len(recorded)} | {against} |\n"


def operations(name):
    """A README's table. Each operation has a case, which says it of a component that is not built everywhere."""
    table = ["| resource | operations |\n| --- | --- |\n"]
    if name in BY_HAND:
        found = {}
        for case, _ in cases(HERE / name):
            found.setdefault(case["group"], set()).add(case["operation"])
        return "".join(table + [row_of(group, sorted(of_group)) for group, of_group in sorted(found.items())])
    done = subprocess.run([NODULE, "describe", TARGET / f"{name}.wasm", "--format", "json"], capture_output=True, text=True, check=True)
    node = json.loads(done.stdout)
    for resource in node["resources"]:
        of_resource = [operation["name"] for operation in node["operations"] if operation["group"] == resource["name"]]
        table.append(row_of(resource["name"], of_resource))
    return "".join(table)


def row_of(resource, names):
    return f"| `{resource}` | {', '.join(f'`{name}`' for name in names)} |\n"


def pages():
    """Each page that is made, with what it should say."""
    in_rust = sorted(file.parent.name for file in HERE.glob("*/nodule.toml"))
    yield PAGE, HEAD + "".join(map(row, [*in_rust, *BY_HAND]))
    for name in [*in_rust, *BY_HAND]:
        readme = HERE / name / "README.md"
        before, rest = readme.read_text().split(BEGIN)
        _, after = rest.split(END)
        yield readme, before + BEGIN + operations(name) + END + after


def main(is_update):
    is_right = True
    for page, expected in pages():
        found = page.read_text() if page.exists() else ""
        if found == expected:
            continue
        if is_update:
            page.write_text(expected)
            print(f"wrote {page.relative_to(ROOT)}")
            continue
        is_right = False
        shown = str(page.relative_to(ROOT))
        difference = difflib.unified_diff(found.splitlines(True), expected.splitlines(True), shown, f"{shown} as it should be")
        sys.stdout.writelines(difference)
    if not is_right:
        sys.exit("examples: what is said of them is no longer true: run python3 -B examples/page.py --update")


if __name__ == "__main__":
    main(sys.argv[1:] == ["--update"])
