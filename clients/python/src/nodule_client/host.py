"""The host, and the components that it has loaded."""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode

from . import _process
from ._http import Address, token
from .component import Component
from .errors import HostUnavailable

Location = str | os.PathLike[str]

TOKEN_BYTES = 32
# As much of a file as is sent at once.
PIECE_BYTES = 256 << 10


class Host:
    """A host process: `nodule serve`, started here or somewhere else.

    It may be used from any thread, and after a fork from the child too: each request has a connection of its own. Runs under way
    stay the parent's. A host that was started here ends with the process that started it, not with its forks.
    """

    def __init__(self, address: Address, process: _process.Process | None = None) -> None:
        self._address, self._process = address, process
        if process is not None:
            address.state = process.state

    @classmethod
    def start(
        cls,
        *,
        binary: Location | None = None,
        cache: Location | None = None,
        read: Sequence[Location] = (),
        write: Sequence[Location] = (),
        settings: Mapping[str, Any] | None = None,
        memory_mb: int | None = None,
    ) -> Host:
        """Start a host. It has no variables and no files but those named here, and ends when this process does.

        - `binary`: the `nodule` to start; without it, the variable NODULE_BINARY, then PATH.
        - `cache`: where compiled components are kept; without it, where the command keeps them for this user.
        - `read`, `write`: folders that components and policies are read from, and journals and recordings written to.
        - `settings`: `policy`, `certificates`, `insecureOrigins`, `proxy`, `addresses`, as docs/serve.md has them.
        - `memory_mb`: the most memory that it may have.
        """
        if not hasattr(socket, "AF_UNIX"):
            raise HostUnavailable(
                "unsupported", "this Python has no Unix sockets, which the host is reached by", "use Linux or macOS"
            )
        secret = token((settings or {}).get("token") or secrets.token_hex(TOKEN_BYTES))
        flags: list[str] = []
        folder = _process.cache_folder() if cache is None else cache
        for flag, paths in (("--cache", [] if folder is None else [folder]), ("--read", read), ("--write", write)):
            for path in paths:
                flags += [flag, os.path.abspath(path)]
        if memory_mb is not None:
            flags += ["--memory-mb", str(memory_mb)]
        process = _process.Process(_process.find(binary), flags, {**(settings or {}), "token": secret})
        return cls(Address(process.socket, secret), process)

    @classmethod
    def connect(cls, path: Location, secret: str | None = None) -> Host:
        """Use a host that runs already. Its token is read from the file beside the socket where none is given."""
        path = os.path.abspath(path)
        if secret is None:
            file = f"{path}.token"
            try:
                secret = Path(file).read_text(encoding="ascii").strip()
            except (OSError, UnicodeDecodeError) as error:
                hint = "give the token that the host has in its settings"
                raise HostUnavailable(
                    "no-token", f"{file}: {getattr(error, 'strerror', None) or 'expected ASCII'}", hint
                ) from error
        return cls(Address(path, token(secret)))

    def load(self, component: bytes | Location, *, digest: str | None = None, by_path: bool = False) -> Component:
        """Load a component: its bytes, or its file. It is refused unless it has the digest, where one is given.

        With `by_path` the host reads the file itself, below a folder of `read`; else this process does.
        """
        pin = {} if digest is None else {"digest": digest}
        if by_path and not isinstance(component, bytes):
            fields = {"path": os.path.abspath(component)} | pin
            loaded = self._address.request("POST", "/v1/components", json.dumps(fields).encode())
        else:
            content = component if isinstance(component, bytes) else Path(component).read_bytes()
            loaded = self._address.request("POST", f"/v1/components?{urlencode(pin)}", content, "application/wasm")
        return Component(self._address, loaded)

    def give_file(self, content: bytes | BinaryIO | Iterable[bytes]) -> str:
        """Give a file for items, of any length. An item names it by the ID that comes back:
        `{"$files": {"data": {"id": …, "fileName": …, "mediaType": …}}}`. It is kept until it is let go."""
        if isinstance(content, bytes):
            pieces: Iterable[bytes] = (content,) if content else ()
        elif hasattr(content, "read"):
            pieces = iter(lambda: content.read(PIECE_BYTES), b"")
        else:
            pieces = (piece for piece in content if piece)
        return str(self._address.send("/v1/files", pieces)["id"])

    def file(self, id: str) -> Iterator[bytes]:
        """A file that came out of an item, piece by piece."""
        return self._address.pieces(f"/v1/files/{quote(id, safe='')}")

    def forget_file(self, id: str) -> None:
        """Let a file go."""
        self._address.request("DELETE", f"/v1/files/{quote(id, safe='')}")

    def status(self) -> Any:
        """The host's version, its contract, and the runs under way."""
        return self._address.request("GET", "/v1")

    def openapi(self) -> Any:
        """The interface as an OpenAPI document."""
        return self._address.request("GET", "/openapi.json")

    @property
    def socket(self) -> str:
        """The path of the socket, for `connect` in another process."""
        return self._address.path

    @property
    def token(self) -> str:
        """The token, for `connect` in another process. Whoever has it may use the host."""
        return self._address.token

    @property
    def pid(self) -> int | None:
        """The process, where it was started here."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the host, if it was started here, and all that it does."""
        if self._process is not None:
            self._process.close()

    def __enter__(self) -> Host:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Host {self._address.path}>"
