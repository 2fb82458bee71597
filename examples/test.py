"""Tests the examples against their services: python3 -B examples/test.py [--record] [NAME]...

`make test-examples` builds the command and the components, and runs it. Here are the examples in other languages, against mocks;
an example with a server has tests of its own, in its `test.py`. What is not installed, a language's tools or a server, is left out,
and said so, unless it is named. `--record` records the cases of the languages again instead.
"""

import hashlib
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from mock import CUSTOMERS_KEY, KEY, MOST_BYTES, TOKEN, Mock  # noqa: E402
from support import ENVIRONMENT, HERE, NODULE, TARGET, Node, measured, nodule  # noqa: E402


class Example:
    """What is the same for all languages. A class of its own for each sets `name`, `base` and `credential`."""

    name = base = credential = read = prints = None
    # What is recorded beside `read`: a file's name, an operation, its items.
    cases = []
    # An item of `read` that makes the node's own code fail, and what its failure says.
    fault = kind = complaint = None
    overlaps = True
    # An operation that takes a file, with an item and one that the service refuses; one that gives a file, and what it gives.
    up = down = None

    @classmethod
    def setUpClass(cls):
        cls.component = TARGET / "examples" / f"{cls.name}.wasm"
        subprocess.run([HERE / "build", cls.name, cls.component], check=True)
        cls.mock = Mock().start()
        cls.node = Node(cls.component, cls.credential | {"baseUrl": cls.mock.url + cls.base})
        cls.run_items = cls.node.run

    @classmethod
    def tearDownClass(cls):
        cls.mock.shutdown()
        cls.node.close()

    def setUp(self):
        self.mock.expect(1)

    def record(self):
        """Record the cases again."""
        operation, items, _ = self.read
        cases = [(operation[1], operation, items), *self.cases]
        if self.up:
            operation, item, refused = self.up
            files = {"$files": {"x": {"base64": "aGVsbG8=", "fileName": "a b.txt", "mediaType": "text/plain"}}}
            cases.append((operation[1], operation, [item | files, refused | files]))
            operation, item, _ = self.down
            cases.append((operation[1], operation, [item]))
        for name, operation, items in cases:
            recording = HERE / self.name / "cases" / operation[0] / f"{name}.har"
            recording.parent.mkdir(parents=True, exist_ok=True)
            out = pathlib.Path(self.node.folder.name) / "out"
            flags = ("--recorded-against", "mock", "--record", recording, "--output-files", out)
            self.run_items(operation, items, *flags, status=None)

    def test_it_describes_itself_and_what_it_imports(self):
        node = json.loads(nodule("describe", self.component, "--format", "json").stdout)
        text = nodule("describe", self.component).stdout
        imports = node.get("imports", [])
        self.assertEqual(any(name.startswith("wasi:cli/stdout@") for name in imports), self.prints is not None)
        for name in imports:
            self.assertIn(name, text)

    def test_a_policy_refuses_what_it_imports(self):
        policy = self.node.write("policy.toml", 'imports = "minimal"\n')
        operation, items, _ = self.read
        status = 3 if self.prints else 0
        results, stderr = self.run_items(operation, items[:1], "--policy", policy, status=status)
        if self.prints:
            self.assertEqual(results, [])
            self.assertIn("wasi:cli/stdout@", stderr)
            self.assertIn('imports = "void"', stderr)

    def test_its_credential_is_accepted_and_another_is_not(self):
        nodule("check-credential", self.component, "--credential", self.node.credential)
        wrong = json.loads(self.node.credential.read_text())
        secret = next(name for name in wrong if name != "baseUrl")
        file = self.node.write("wrong.json", json.dumps(wrong | {secret: "wrong-0123456789-0123456789"}))
        nodule("check-credential", self.component, "--credential", file, status=1)

    def test_a_run_gives_what_the_service_answers(self):
        operation, items, expected = self.read
        results, _ = self.run_items(operation, items)
        self.assertEqual([result["json"] for result in results], expected)

    def test_requests_of_one_instance_come_together(self):
        operation, items, _ = self.read
        # A call has two items at first. A node that blocks shows that with them, and gets single ones afterwards.
        self.mock.expect(2 if self.overlaps else 1)
        results, _ = self.run_items(operation, (items * 2)[:2], "--concurrency", 2)
        self.assertEqual(["json" in result for result in results], [True, True], results)
        self.assertEqual(self.mock.most, 2 if self.overlaps else 1)

    def test_no_more_requests_come_together_than_the_run_allows(self):
        operation, items, _ = self.read
        self.run_items(operation, items * 8, "--concurrency", 3)
        self.assertLessEqual(self.mock.most, 3)

    def test_what_it_prints_is_an_event(self):
        if not self.prints:
            return
        operation, item, line = self.prints
        _, stderr = self.run_items(operation, [item], "--log", "json")
        events = [json.loads(line) for line in stderr.splitlines() if line.startswith("{")]
        printed = [event["fields"] for event in events if event["target"] == "nodule::node"]
        self.assertIn(("stdout", line), [(event["stream"], event["text"]) for event in printed])

    def test_an_exception_says_what_and_where(self):
        if not self.fault:
            return
        operation, items, _ = self.read
        results, stderr = self.run_items(operation, [self.fault, items[0]], "--log", "json", status=1)
        failure = results[0]["error"]
        self.assertEqual(failure["kind"], self.kind)
        for words in self.complaint:
            self.assertIn(words, failure["message"])
            self.assertIn(words, stderr)
        self.assertIn("json", results[1], "the next item runs")

    def test_a_file_goes_up_in_pieces(self):
        if not self.up:
            return
        operation, item, refused = self.up
        folder, most = pathlib.Path(self.node.folder.name), []
        for size in (10, 1_000_000, 100_000_000):
            file = folder / "a b.bin"
            file.write_bytes((bytes(range(256)) * (size // 256 + 1))[:size])
            files = {"$files": {"x": {"path": file.name}}}
            [result], _ = self.run_items(operation, [item | files], "--files-dir", folder)
            self.assertEqual(self.got(result["json"]), hashlib.sha256(file.read_bytes()).hexdigest(), result)
            most.append(measured(*self.node.command(operation, [item | files], "--files-dir", folder))[1])
        self.assertLess(most[2] - most[1], 50_000_000, most)
        [result], _ = self.run_items(operation, [refused | files], "--files-dir", folder, status=1)
        self.assertEqual(result["error"]["kind"], "rejected", result)

    def refused_file(self, size):
        """The failure of the operation with a file of so many bytes that it cannot take."""
        operation, item, _ = self.up
        file = self.node.write("a b.bin", "")
        os.truncate(file, size)
        files = {"$files": {"x": {"path": file.name}}}
        [result], _ = self.run_items(operation, [item | files], "--files-dir", file.parent, status=1)
        return result["error"]

    def test_a_service_may_answer_before_it_has_read_a_file(self):
        if not self.up:
            return
        failure = self.refused_file(MOST_BYTES + 1)
        self.assertEqual((failure["kind"], failure.get("status")), ("rejected", 413), failure)
        self.assertIn(f"up to {MOST_BYTES} bytes", failure["message"])

    def test_a_file_that_breaks_off_is_not_taken_for_the_whole(self):
        if not self.up:
            return
        size, known = 20_000_000, len(self.mock.assets)
        self.mock.halfway = lambda: os.truncate(pathlib.Path(self.node.folder.name) / "a b.bin", size // 2)
        failure = self.refused_file(size)
        self.assertEqual((failure["kind"], failure["certainty"]), ("unavailable", "unknown"), failure)
        self.assertIn("the file `x`: it is shorter than it said", failure["message"])
        self.assertEqual(len(self.mock.assets), known)

    def test_a_file_comes_down_with_its_name(self):
        if not self.down:
            return
        operation, item, (name, content) = self.down
        out = pathlib.Path(self.node.folder.name) / "down"
        [result], _ = self.run_items(operation, [item], "--output-files", out)
        self.assertEqual((out / f"0-{name}").read_bytes(), content)
        self.assertEqual(result["files"]["data"]["size"], len(content))

    def test_the_recorded_cases_pass(self):
        done = nodule("check", self.component, HERE / self.name / "cases")
        self.assertNotIn("FAILED", done.stdout)

    def test_a_new_recording_replays(self):
        operation, items, expected = self.read
        recording = pathlib.Path(self.node.folder.name) / "recording.har"
        self.run_items(operation, items, "--record", recording)
        for secret in self.credential.values():
            self.assertNotIn(secret, recording.read_text())
        file = pathlib.Path(self.node.folder.name) / "items.jsonl"
        done = nodule("run", self.component, *operation, "--items", file, "--replay", recording)
        self.assertEqual([json.loads(line)["json"] for line in done.stdout.splitlines()], expected)


class JavaScript(Example, unittest.TestCase):
    name, base, credential = "javascript", "/issues", {"token": TOKEN}
    read = (
        ("issue", "get"),
        [{"repository": "octocat/hello", "number": 7}, {"repository": "octocat/hello", "number": 8}],
        [{"number": n, "title": f"Issue {n} 🙂", "state": "open"} for n in (7, 8)],
    )
    prints = (("issue", "list"), {"repository": "octocat/hello"}, "octocat/hello: 100 issues so far")
    fault = {"repository": "octocat/hello", "number": 404404}
    kind, complaint = "exception", ["TypeError: ", "@node.js:"]
    cases = [
        ("get-unknown", ("issue", "get"), [{"repository": "octocat/hello", "number": 999}]),
        ("list", ("issue", "list"), [{"repository": "octocat/hello"}]),
        ("create", ("issue", "create"), [{"repository": "octocat/hello", "title": "It rains 🙂"}]),
    ]
    up = (
        ("asset", "upload"),
        {"repository": "octocat/hello", "release": 1, "file": "x"},
        {"repository": "octocat/hello", "release": 9, "file": "x"},
    )
    down = (
        ("asset", "download"),
        {"repository": "octocat/hello", "asset": 1},
        ("notes.txt", "What is new 🙂".encode()),
    )

    def got(self, output):
        return hashlib.sha256(self.mock.assets[output["id"]][2]).hexdigest()

    def upload(self, name, status=0):
        operation, item, _ = self.up
        files = {"$files": {"x": {"base64": "aGVsbG8=", "fileName": name}}}
        [result], _ = self.run_items(operation, [item | files], status=status)
        return result

    def test_a_file_goes_up_again_with_a_new_session(self):
        self.mock.lapsed = True
        result = self.upload("again.txt")
        self.assertFalse(self.mock.lapsed)
        self.assertEqual(self.got(result["json"]), hashlib.sha256(b"hello").hexdigest())

    def test_an_exception_of_an_operation_with_files_says_what_and_where(self):
        failure = self.upload("nothing", status=1)["error"]
        self.assertEqual(failure["kind"], "exception", failure)
        for words in self.complaint:
            self.assertIn(words, failure["message"])


class Python(Example, unittest.TestCase):
    name, base, credential = "python", "/rates", {"key": KEY}
    read = (
        ("rate", "get"),
        [{"base": "EUR"}, {"base": "EUR", "date": "2024-02-29"}],
        [{"base": "EUR", "date": date, "rates": {"CHF": 0.94, "USD": 1.04}} for date in ("2025-01-31", "2024-02-29")],
    )
    prints = (("rate", "get"), {"base": "EUR"}, "2 rates of EUR")
    fault = {"base": "XXX"}
    kind, complaint = "trap", ["KeyError: 'rates'", "node.py", "in get"]
    cases = [
        ("get-unknown", ("rate", "get"), [{"base": "ZZZ"}]),
        ("create", ("alert", "create"), [{"pair": "EUR/CHF", "above": 0.95}]),
    ]
    up = (("alert", "import"), {"file": "x"}, {"file": "x", "currency": "ZZZ"})
    down = (("rate", "export"), {"currency": "EUR"}, ("EUR.csv", b"day,CHF,USD\n2025-01-31,0.94,1.04\n"))

    def got(self, output):
        return output["sha256"]


class Waki(Example, unittest.TestCase):
    name, base, credential = "waki", "/shop", {"key": CUSTOMERS_KEY}
    read = (
        ("customer", "get"),
        [{"id": "cus_1"}, {"id": "cus_2"}],
        [{"id": f"cus_{n}", "name": "Customer 客"} for n in (1, 2)],
    )
    overlaps = False
    cases = [("get-unknown", ("customer", "get"), [{"id": "nobody"}])]


class NewNode:
    """What `nodule new --lang` writes, built by the tools that examples/setup installed. Nothing is fetched."""

    # Its tools' name, the flag, and what keeps their installer at home.
    name = lang = offline = None

    def test_a_new_node_builds_and_passes_its_case(self):
        cache = subprocess.run([HERE / "setup", self.name], check=True, capture_output=True, text=True).stdout.strip()
        with tempfile.TemporaryDirectory() as folder:
            def nodule(*arguments, where):
                command = [NODULE, *arguments]
                done = subprocess.run(command, capture_output=True, text=True, cwd=where, env=ENVIRONMENT | self.offline)
                self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}\n{done.stderr}")
                return done.stdout

            nodule("new", "acme-crm", "--lang", self.lang, where=folder)
            node = pathlib.Path(folder) / "acme-crm"
            self.bring_tools(pathlib.Path(cache) / self.name, node)
            built = nodule("build", where=node)
            self.assertIn("\nacmeCrm 1: 1 operation\n", built)
            checked = nodule("check", "acme-crm.wasm", "cases", where=node)
            self.assertEqual(checked, "ok      thing/get.har\n1 passed, 0 failed\n")


class NewJavaScript(NewNode, unittest.TestCase):
    name, lang, offline = "javascript", "js", {"npm_config_offline": "true"}

    def bring_tools(self, cache, node):
        for name in ("node_modules", "package-lock.json"):
            subprocess.run(["cp", "-a", cache / name, node], check=True)


class NewPython(NewNode, unittest.TestCase):
    name, lang, offline = "python", "python", {"PIP_NO_INDEX": "1"}

    def bring_tools(self, cache, node):
        # Programs name the folder that they were installed into, so that it can be neither a copy nor, for `venv`, a link.
        subprocess.run([sys.executable, "-m", "venv", node / ".venv"], check=True)
        for pattern in ("bin/componentize-py", "lib/python*/site-packages/*"):
            for installed in cache.glob(pattern):
                own = node / ".venv" / installed.relative_to(cache)
                if not own.exists():
                    own.symlink_to(installed)


NEW = {"javascript": NewJavaScript, "python": NewPython}
LANGUAGES = {"javascript": JavaScript, "python": Python, "waki": Waki}
OWN = {file.parent.name: file for file in sorted(HERE.glob("*/test.py"))}


def is_installed(name):
    """Whether what the example needs is there: its own set-up says so, or that of its language."""
    own = HERE / name / "setup"
    command = [own, "--installed"] if own.exists() else [HERE / "setup", "--installed", name]
    return (name in OWN and not own.exists()) or name == "waki" or subprocess.run(command).returncode == 0


def tests(name):
    """The tests of an example."""
    load = unittest.defaultTestLoader
    if name in OWN:
        about = importlib.util.spec_from_file_location(f"test_{name}", OWN[name])
        module = importlib.util.module_from_spec(about)
        about.loader.exec_module(module)
        return load.loadTestsFromModule(module)
    return unittest.TestSuite(map(load.loadTestsFromTestCase, filter(None, [LANGUAGES[name], NEW.get(name)])))


def main(names):
    is_recording = "--record" in names
    names = [name for name in names if name != "--record"]
    known = [*LANGUAGES] if is_recording else [*LANGUAGES, *OWN]
    if unknown := set(names) - set(known):
        sys.exit(f"expected {', '.join(known)}, found {', '.join(sorted(unknown))}")
    suite = unittest.TestSuite()
    for name in names or known:
        if not names and not is_installed(name):
            installs = f"examples/{name}/setup" if name in OWN else f"examples/setup {name}"
            print(f"examples: {name} was left out: what it needs is not installed ({installs})")
        elif is_recording:
            suite.addTest(LANGUAGES[name]("record"))
        else:
            suite.addTests(tests(name))
    return unittest.TextTestRunner().run(suite).wasSuccessful()


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
