"""What the tests share: a host of bytes that were written down, and the real host beside a simulator."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import threading
import unittest
from collections.abc import Callable
from pathlib import Path

import nodule_client

ROOT = Path(__file__).resolve().parents[3]
TARGET = Path(os.environ.get("NODULE_TARGET", ROOT / "target"))
NODULE, SIMULATOR, COMPONENT = TARGET / "release/nodule", TARGET / "release/simulator", TARGET / "socialhub.wasm"


TOKEN = "t" * 32
# For what never happens: a test that waits for so long has failed.
PATIENCE_S = 60

BEGUN = {"run": {"id": "r 1", "effect": "read"}}
END = {"end": {"items": 0}}
LOADED = {"digest": "sha256:00", "name": "fake", "version": 1}


class Request:
    """A request as a fake host sees it, and its connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.file = sock, sock.makefile("rb")
        self.method, self.target, _ = self.file.readline().decode().split(" ")
        self.headers = {}
        while (line := self.file.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()

    def pieces(self):
        """The pieces of the body, as they come."""
        if "content-length" in self.headers:
            yield self.file.read(int(self.headers["content-length"]))
            return
        if "transfer-encoding" not in self.headers:
            return
        while size := int(self.file.readline(), 16):
            yield self.file.read(size)
            assert self.file.readline() == b"\r\n"
        assert self.file.readline() == b"\r\n"

    def lines(self):
        """The lines of the body, as they come."""
        rest = b""
        for piece in self.pieces():
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines
        assert rest == b""

    def answer(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        head = f"HTTP/1.1 {status} Fine\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
        self.sock.sendall(head.encode() + text)

    def begin(self) -> None:
        self.sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n")

    def accept(self) -> None:
        """Begins the answer and reads the whole body, in this order: the first line comes before the first item."""
        lines = self.lines()
        next(lines)
        self.begin()
        self.say(BEGUN)
        list(lines)

    def piece(self, body: bytes) -> None:
        self.sock.sendall(b"%x\r\n%b\r\n" % (len(body), body))

    def say(self, *lines: object) -> None:
        self.piece(b"".join(json.dumps(line).encode() + b"\n" for line in lines))

    def is_closed(self) -> bool:
        """Waits until the other side has closed the connection."""
        self.sock.settimeout(PATIENCE_S)
        try:
            while self.sock.recv(1 << 16):
                pass
        except ConnectionResetError:
            pass
        return True


class FakeHost(unittest.TestCase):
    """Answers each request by a function of the test's."""

    def serve(self, answer: Callable[[Request], None]) -> nodule_client.Host:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = f"{folder.name}/s"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        self.errors: list[BaseException] = []
        connections: list[socket.socket] = []

        def one(sock: socket.socket) -> None:
            try:
                request = Request(sock)
                assert request.headers["authorization"] == f"Bearer {TOKEN}", request.headers
                if request.target.startswith("/v1/components?"):
                    list(request.pieces())
                    request.answer(200, LOADED)
                else:
                    answer(request)
                request.file.close()
            except (BrokenPipeError, ConnectionResetError):
                pass
            except BaseException as error:
                self.errors.append(error)
            finally:
                sock.close()

        threads: list[threading.Thread] = []

        def accept() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                connections.append(sock)
                threads.append(threading.Thread(target=one, args=(sock,), daemon=True))
                threads[-1].start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()

        def end() -> None:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            accepting.join(PATIENCE_S)
            for thread in threads:
                thread.join(PATIENCE_S)
            if self.errors:
                raise self.errors[0]

        self.addCleanup(end)
        return nodule_client.Host.connect(path, TOKEN)

    def node(self, answer: Callable[[Request], None]) -> nodule_client.Component:
        return self.serve(answer).load(b"component")


class RealHost(unittest.TestCase):
    """One host and one simulator for all tests of a class."""

    latency_ms = 0

    @classmethod
    def setUpClass(cls) -> None:
        for needed in (NODULE, SIMULATOR, COMPONENT):
            if not needed.exists():
                raise AssertionError(f"{needed} is not there: `make build` makes it")
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name).resolve()
        cls.base_url = simulator(cls.addClassCleanup, cls.latency_ms)
        cls.credential = {"baseUrl": cls.base_url, "appId": "demo", "appSecret": "demo-secret-0123456789"}
        cls.host = cls.started()
        cls.node = cls.host.load(COMPONENT)

    @classmethod
    def started(cls, **options: object) -> nodule_client.Host:
        options = {"binary": NODULE, "read": [TARGET], "write": [cls.folder], "cache": cls.folder / "cache", **options}
        host = nodule_client.Host.start(**options)
        cls.addClassCleanup(host.close)
        return host


def simulator(cleanup: Callable[..., object], latency_ms: int = 0) -> str:
    process = subprocess.Popen([SIMULATOR, "--latency-ms", str(latency_ms)], stdout=subprocess.PIPE, text=True)
    cleanup(process.stdout.close)
    cleanup(process.wait)
    cleanup(process.kill)
    return process.stdout.readline().strip()


def members(count: int):
    return ({"cardNo": f"M{number}"} for number in range(count))
