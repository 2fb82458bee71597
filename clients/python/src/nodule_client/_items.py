"""Items on their way to the host: one thread reads the caller's iterable, another one writes.

Two threads, since either may wait for long, and neither may hold the other up: an iterable that waits for a result has its
earlier items sent meanwhile, and one that is fast is written in large pieces. The iterable is not read further ahead than the
host takes items, but for `AHEAD_BYTES`.
"""

from __future__ import annotations

import contextvars
import json
import socket
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from ._http import LAST_CHUNK, chunk
from .errors import InvalidItem

Parameters = Mapping[str, Any] | str | bytes
Item = Parameters | tuple[int | str, Parameters]

# As much as is written at once: below that, system calls and switches between threads cost more than the work.
AHEAD_BYTES = 64 << 10

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=True, separators=(",", ":")).encode


def line(position: int, item: Item) -> bytes:
    """An item as the host reads it."""
    name: int | str = position
    if isinstance(item, tuple):
        if len(item) != 2 or type(item[0]) not in (int, str):
            raise InvalidItem(position, "expected parameters, or a pair of a number or a text and parameters")
        name, item = item
    try:
        if isinstance(item, dict):
            text = _encode(item).encode()
        elif isinstance(item, str):
            text = item.encode()
        elif isinstance(item, bytes):
            text = item
        elif isinstance(item, Mapping):
            text = _encode(dict(item)).encode()
        else:
            raise InvalidItem(name, f"expected a dictionary or a JSON text, found {type(item).__name__}")
        # In JSON a line break stands between values only, where a space does as well.
        if b"\n" in text or b"\r" in text:
            text = text.replace(b"\n", b" ").replace(b"\r", b" ")
        # The ID is always given, so that a text which holds one of its own is refused instead of answered under another's name.
        if isinstance(name, int):
            return b'{"id":%d,"parameters":%b}\n' % (name, text)
        return b'{"id":%b,"parameters":%b}\n' % (_encode(name).encode(), text)
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error, InvalidItem):
            raise
        raise InvalidItem(name, str(error)) from error


class Writer:
    """Writes the items of one run."""

    def __init__(self, sock: socket.socket, items: Iterable[Item]) -> None:
        # What the iterable raised: the run's reader raises it, after the results of the items before.
        self.error: BaseException | None = None
        self._sock = sock
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._lines: list[bytes] = []
        self._bytes = 0
        self._is_complete = self._is_closed = False
        # The iterable sees the caller's context variables. It may wait for ever, so neither thread keeps the program alive.
        context = contextvars.copy_context()
        for name, work in (("read", lambda: context.run(self._read, items)), ("write", self._write)):
            threading.Thread(target=work, name=f"nodule-{name}-items", daemon=True).start()

    def finish(self) -> None:
        """Take no more items. What was taken is written."""
        with self._lock:
            self._is_complete = True
            self._changed.notify_all()

    def close(self) -> None:
        """Write nothing more."""
        with self._lock:
            self._is_complete = self._is_closed = True
            self._changed.notify_all()

    def _read(self, items: Iterable[Item]) -> None:
        try:
            for position, item in enumerate(items):
                written = line(position, item)
                with self._lock:
                    while self._bytes >= AHEAD_BYTES and not self._is_complete:
                        self._changed.wait()
                    if self._is_complete:
                        return
                    if not self._lines:
                        self._changed.notify_all()
                    self._lines.append(written)
                    self._bytes += len(written)
        except BaseException as error:
            self.error = error
        finally:
            self.finish()

    def _write(self) -> None:
        try:
            while True:
                with self._lock:
                    while not self._lines and not self._is_complete:
                        self._changed.wait()
                    if self._is_closed:
                        return
                    taken, self._lines, self._bytes = self._lines, [], 0
                    self._changed.notify_all()
                if not taken:
                    self._sock.sendall(LAST_CHUNK)
                    return
                self._sock.sendall(chunk(b"".join(taken)))
        except OSError:
            # The host takes no more; its answer says why.
            self.finish()
