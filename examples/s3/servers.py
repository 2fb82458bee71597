"""The two servers of this example: moto, which knows nearly all of S3, and s3s-fs, which verifies signatures."""

import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from faults import FaultyProxy  # noqa: E402
from support import TARGET, Node, Server, free_port, nodule  # noqa: E402

COMPONENT = TARGET / "s3.wasm"
KEYS = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
# Rows of a page that does not say how many it wants; S3 has 1,000.
MOTO = {"MOTO_S3_DEFAULT_MAX_KEYS": "3"}


def build():
    nodule("build", HERE, "--profile", "component", "--output", COMPONENT)


class Store:
    """A server, a node that is bound to it, and a folder for files; all of it goes with `stop`."""

    def __init__(self, name, *flags):
        self.name, self.folder = name, tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name)
        cache = pathlib.Path(subprocess.run([HERE / "setup"], check=True, capture_output=True, text=True).stdout.strip())
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.root = self.path / "root"
        self.root.mkdir()
        keys = ["--access-key", KEYS["accessKeyId"], "--secret-key", KEYS["secretAccessKey"]]
        command = {
            "moto": [cache / "moto/bin/moto_server", "-H", "127.0.0.1", "-p", port],
            "s3s-fs": [cache / "s3s-fs/bin/s3s-fs", "--host", "127.0.0.1", "--port", port, *keys, *flags, self.root],
        }[name]
        self.server = Server(command, self.url, self.path / "log", env=os.environ | MOTO)
        self.node = self.bound(self.url)

    def bound(self, url, **fields):
        """A node with a credential of this server, as reached at that URL."""
        return Node(COMPONENT, KEYS | {"endpoint": url, "region": "us-east-1"} | fields)

    def behind(self, breaks, test):
        """A proxy that breaks connections to this server, and a node that is bound to it; both end with the test."""
        faulty = FaultyProxy(int(self.url.rsplit(":")[-1]), breaks)
        node = self.bound(faulty.url)
        test.addCleanup(faulty.stop)
        test.addCleanup(node.close)
        return faulty, node

    def write(self, name, data):
        file = self.path / name
        file.write_bytes(data)
        return file

    def stop(self):
        self.server.stop()
        self.node.close()
        self.folder.cleanup()
