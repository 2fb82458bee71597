"""The host as a process of its own: started with nothing of this one's, and ended with it."""

from __future__ import annotations

import json
import logging
import os
import select
import shutil
import subprocess
import tempfile
import threading
import time
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import HostUnavailable, ProtocolError

logger = logging.getLogger("nodule_client")

# A start takes milliseconds; a machine that is short of memory swaps first.
START_S = 30
# As long as requests under way may take to be dropped.
END_S = 10
# Linux has 108 bytes for the path of a socket, macOS 104, a zero at the end included.
MOST_PATH_BYTES = 103
READY_BYTES = 64 << 10
# Of what it says on standard error, for errors.
KEPT_LINES = 20


def find(binary: str | os.PathLike[str] | None) -> str:
    """The `nodule` to start: the one named, or by the variable NODULE_BINARY, or the first in PATH."""
    named = os.fspath(binary) if binary is not None else os.environ.get("NODULE_BINARY")
    found = shutil.which(named or "nodule")
    if found is None:
        raise HostUnavailable(
            "no-binary",
            f"expected a program that can be run, found none at `{named}`" if named else "no `nodule` in PATH",
            "say where it is by `binary=` or by the variable NODULE_BINARY",
        )
    return os.path.abspath(found)


def cache_folder() -> str | None:
    """Where the command `nodule` keeps compiled components. The host process has no variables to find it by itself."""
    for name, below in (("NODULE_CACHE_DIR", ""), ("XDG_CACHE_HOME", "nodule/components"), ("HOME", ".cache/nodule/components")):
        if value := os.environ.get(name):
            return os.path.join(value, below) if below else value
    return None


def _folder() -> Path:
    """A fresh folder of mode 0700 whose path is short enough for a socket in it."""
    folder = tempfile.mkdtemp(prefix="nodule-")
    if len(os.fsencode(folder)) + len("/s") > MOST_PATH_BYTES:
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="nodule-", dir="/tmp")
    return Path(folder)


class Process:
    """A host process that was started here."""

    def __init__(self, binary: str, flags: Sequence[str], settings: Mapping[str, Any]) -> None:
        folder = _folder()
        self.socket = str(folder / "s")
        self._owner = os.getpid()
        self._said: deque[str] = deque(maxlen=KEPT_LINES)
        try:
            # Without buffers, since a lock of theirs may be held by another thread when this process forks. A session of its own:
            # who ends a program by Ctrl-C wants the program to say what becomes of its runs.
            self._child = subprocess.Popen(
                [binary, "serve", "--socket", self.socket, "--stdio-lifetime", "--settings", "-", *flags],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env={},
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise HostUnavailable(
                "no-binary", f"{binary}: {error.strerror}", "name another one by `binary=` or NODULE_BINARY"
            ) from error
        # When nobody refers to it any more, and at the end of the program.
        self.close = weakref.finalize(self, _end, self._child, folder, self._owner)
        _started.add(self)
        self._listener = threading.Thread(
            target=_listen, args=(self._child, self._said), name="nodule-standard-error", daemon=True
        )
        self._listener.start()
        try:
            self._settings(settings)
            self._ready()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self._child.pid

    def state(self, wait_s: float = 0) -> str | None:
        """How the process ended, if it has or does within so many seconds."""
        if os.getpid() != self._owner:
            return None
        try:
            status = self._child.wait(wait_s)
        except subprocess.TimeoutExpired:
            return None
        # What it said last may still be in the pipe.
        self._listener.join(1)
        said = "; ".join(filter(None, self._said))
        how = f"with status {status}" if status >= 0 else f"by signal {-status}"
        return f"`nodule serve` ended {how}" + (f": {said}" if said else "")

    def forget(self) -> None:
        """In the child after a fork: hold nothing that keeps the host alive when the parent ends."""
        for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
            if pipe is not None:
                pipe.close()

    def _settings(self, settings: Mapping[str, Any]) -> None:
        line = json.dumps(settings).encode() + b"\n"
        try:
            while line and self._child.stdin is not None:
                line = line[self._child.stdin.write(line) :]
        except BrokenPipeError:
            pass  # It has ended; `_ready` says how.

    def _ready(self) -> None:
        assert self._child.stdout is not None
        line, until = b"", time.monotonic() + START_S
        while not line.endswith(b"\n"):
            readable, _, _ = select.select([self._child.stdout], [], [], max(0, until - time.monotonic()))
            if not readable:
                raise HostUnavailable("start", f"`nodule serve` was not ready after {START_S} s")
            piece = self._child.stdout.read(READY_BYTES)
            if not piece:
                self._child.wait(END_S)
                raise HostUnavailable("start", self.state() or "`nodule serve` ended")
            line += piece
        try:
            if json.loads(line)["ready"]["socket"] != self.socket:
                raise ValueError
        except (ValueError, KeyError, TypeError):
            raise ProtocolError("`nodule serve` began with something other than its `ready` line") from None


def _end(child: subprocess.Popen[bytes], folder: Path, owner: int) -> None:
    # A copy of this process by a fork has no part in the host's life.
    if os.getpid() != owner:
        return
    assert child.stdin is not None and child.stdout is not None
    child.stdin.close()
    try:
        child.wait(END_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    child.stdout.close()
    shutil.rmtree(folder, ignore_errors=True)


def _listen(child: subprocess.Popen[bytes], said: deque[str]) -> None:
    """Hand on what it says on standard error, so that it never waits for somebody to read it."""
    assert child.stderr is not None
    with child.stderr:
        rest = b""
        while piece := child.stderr.read(READY_BYTES):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                said.append(text := line.decode(errors="replace"))
                logger.warning("%s", text)
            rest = rest[-READY_BYTES:]


_started: weakref.WeakSet[Process] = weakref.WeakSet()


def _forget_all() -> None:
    for process in list(_started):
        process.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
