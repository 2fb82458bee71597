"""HTTP/1.1 over a Unix socket, by the standard library: one connection for each request.

Requests of their own connection are what makes a host usable from any thread and, after a fork, from any process. `http.client`
gives each piece that is needed, full duplex included: a request's body may be written by one thread while another reads the
answer. Libraries such as httpx and requests read an answer only when the whole request was written.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from .errors import CutShort, HostUnavailable, ProtocolError, RequestRefused

# Loading may compile for minutes, where the operator allowed that; a request that takes longer is lost.
REQUEST_S = 600
# How long a process may take to end after its connections.
ENDING_S = 1
# As much as is read at once: hundreds of results.
READ_BYTES = 256 << 10
# The most of an answer that is no result: descriptions are a few hundred KB.
MOST_ANSWER_BYTES = 64 << 20


class Secret(str):
    """A text that shows itself nowhere: reports of errors often hold the `repr` of local variables."""

    def __repr__(self) -> str:
        return "'…'"


def token(text: str) -> Secret:
    """A token, in the form that a header can hold."""
    # Checked here, since `http.client` would show it in its error.
    if not re.fullmatch(r"[\x21-\x7e]{32,256}", text):
        raise ValueError("token: expected 32 to 256 visible ASCII characters")
    return Secret(text)


class _Socket(socket.socket):
    """A socket whose reader takes much at once."""

    def makefile(self, *mode: Any, **options: Any) -> Any:
        return super().makefile(*mode, **{"buffering": READ_BYTES, **options})


class Connection(http.client.HTTPConnection):
    """One request to the host."""

    def __init__(self, path: str, timeout: float | None) -> None:
        super().__init__("nodule", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        made = _Socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.settimeout(self.timeout)
            made.connect(self.path)
        except BaseException:
            made.close()
            raise
        self.sock = made


class Address:
    """Where the host listens, and what it wants to hear."""

    def __init__(self, path: str, token: Secret) -> None:
        self.path, self.token = path, token
        # How the process ended, where it was started here and has ended.
        self.state: Callable[[float], str | None] = lambda wait_s: None

    def request(self, method: str, target: str, body: bytes | None = None, content_type: str = "application/json") -> Any:
        """One request with its whole answer: a JSON document, or a text where it is something else."""
        return self._whole_answer(method, target, body, {} if body is None else {"content-type": content_type})

    def send(self, target: str, pieces: Iterable[bytes]) -> Any:
        """A request whose body is of any length; its answer, a JSON document."""
        return self._whole_answer("POST", target, pieces, {"content-type": "application/octet-stream"})

    def _whole_answer(self, method: str, target: str, body: bytes | Iterable[bytes] | None, headers: Mapping[str, str]) -> Any:
        connection = Connection(self.path, REQUEST_S)
        try:
            headers = {"authorization": f"Bearer {self.token}"} | headers
            try:
                connection.request(method, target, body, headers)
            except (BrokenPipeError, ConnectionResetError):
                # It answered before it read all of the body, most likely to say what is wrong; if not, there is no answer.
                if connection.sock is None:
                    raise
            answer = connection.getresponse()
            return _document(answer, _whole(answer))
        except (OSError, http.client.HTTPException) as error:
            raise self._unavailable(error) from error
        finally:
            connection.close()

    def pieces(self, target: str) -> Iterator[bytes]:
        """The body of an answer of any length, piece by piece."""
        connection = Connection(self.path, REQUEST_S)
        try:
            connection.request("GET", target, headers={"authorization": f"Bearer {self.token}"})
            answer = connection.getresponse()
            if answer.status != 200:
                _document(answer, _whole(answer))
                raise ProtocolError(f"status {answer.status} for a file")
            while piece := answer.read(READ_BYTES):
                yield piece
            if answer.length:
                raise CutShort("within a file")
        except (OSError, http.client.HTTPException) as error:
            raise self._unavailable(error) from error
        finally:
            connection.close()

    def open(self, target: str, head: bytes) -> tuple[socket.socket, http.client.HTTPResponse]:
        """Begin a request whose body goes on: its first piece is written, the rest is the caller's, in chunks. Comes back with
        the beginning of the answer."""
        connection = Connection(self.path, None)
        try:
            connection.putrequest("POST", target, skip_accept_encoding=True)
            connection.putheader("authorization", f"Bearer {self.token}")
            connection.putheader("content-type", "application/x-ndjson")
            connection.putheader("transfer-encoding", "chunked")
            connection.endheaders()
            sock = connection.sock
            try:
                sock.sendall(chunk(head))
            except (BrokenPipeError, ConnectionResetError):
                pass  # As above.
            answer = connection.getresponse()
            if answer.status != 200:
                _document(answer, _whole(answer))
                raise ProtocolError(f"status {answer.status} for a run")
            return sock, answer
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._unavailable(error) from error
        except BaseException:
            connection.close()
            raise

    def _unavailable(self, error: Exception) -> HostUnavailable:
        # A process that ends closes its connections first.
        if (state := self.state(ENDING_S if isinstance(error, ConnectionError) else 0)) is not None:
            return HostUnavailable("ended", state, "start the host again")
        hint = "the host has ended; start it again" if isinstance(error, (ConnectionError, FileNotFoundError)) else None
        return HostUnavailable("unavailable", f"no answer from the host at {self.path}: {_shown(error)}", hint)


def chunk(body: bytes) -> bytes:
    """A chunk of a request's body."""
    return b"%x\r\n%b\r\n" % (len(body), body)


LAST_CHUNK = b"0\r\n\r\n"


def lines(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """The lines of an answer, as they come.

    Raises `CutShort` where it breaks off.
    """
    parts: list[bytes] = []
    try:
        while piece := answer.read1(READ_BYTES):
            # A line of megabytes comes in many pieces, which are put together once.
            parts.append(piece)
            if b"\n" in piece:
                whole = b"".join(parts).split(b"\n")
                parts = [whole.pop()]
                yield from whole
    except (OSError, http.client.HTTPException) as error:
        raise CutShort(_shown(error)) from error
    if any(parts):
        raise CutShort("within a line")


def _shown(error: Exception) -> str:
    return str(error) or type(error).__name__


def _whole(answer: http.client.HTTPResponse) -> bytes:
    body = answer.read(MOST_ANSWER_BYTES)
    if len(body) == MOST_ANSWER_BYTES:
        raise ProtocolError(f"an answer of more than {MOST_ANSWER_BYTES >> 20} MB")
    return body


def _document(answer: http.client.HTTPResponse, body: bytes) -> Any:
    try:
        is_json = answer.getheader("content-type", "").partition(";")[0].strip() in ("application/json", "")
        text = body.decode()
        document = json.loads(text) if is_json and text else text
    except ValueError as error:
        raise ProtocolError(f"status {answer.status} with a body that is no JSON") from error
    if answer.status < 300:
        return document
    said = document.get("error") if isinstance(document, Mapping) else None
    if not isinstance(said, Mapping):
        raise RequestRefused("status", f"the host answered with status {answer.status}", None, answer.status)
    raise RequestRefused(str(said.get("kind")), str(said.get("message")), said.get("hint"), answer.status)
