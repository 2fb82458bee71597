"""GitHub on this machine, with state: the mock behind GitHub's own URLs."""

import pathlib
import subprocess
import sys

from .origins import Origins, certificate

HERE = pathlib.Path(__file__).resolve().parent
TOKEN = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
HOSTS = ["api.github.com", "uploads.github.com", "release-assets.githubusercontent.com"]


class World:
    """Until its end. `flags` are what a run needs to reach it."""

    def __init__(self, folder):
        self.mock = subprocess.Popen([sys.executable, "-B", HERE / "mock-github.py"], stdout=subprocess.PIPE, text=True)
        port = int(self.mock.stdout.readline().rsplit(":", 1)[1])
        self.origins = Origins(certificate(folder), dict.fromkeys(HOSTS, port))
        self.flags = self.origins.flags

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.origins.stop()
        self.mock.terminate()
        self.mock.wait()
        self.mock.stdout.close()
