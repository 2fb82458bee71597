"""A run: results as they come."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import quote

from ._http import Address, lines
from ._items import Item, Writer
from .errors import CutShort, Failure, HostUnavailable, ProtocolError, RequestRefused, RunBroken

Handler = Callable[[Mapping[str, Any]], object]
TokenHandler = Callable[[str], Mapping[str, Any]]
R = TypeVar("R")


class Result(NamedTuple):
    """What became of an item: its output, or its failure."""

    item: int | str
    """The item's ID: the caller's own, or its position, from 0."""
    output: list[Any] | None
    failure: Failure | None
    goes_on: bool = False
    """Whether more results of this item follow: only with `stream_rows`."""
    files: list[dict[str, Any]] | None = None
    """The files of each output item, by their keys; `None` if none has any. `Host.file` reads one by its `id`."""

    def get(self) -> list[Any]:
        """The output items. Raises the failure where there is one."""
        if self.failure is not None:
            raise self.failure
        return self.output or []


class Exchange:
    """The connection of a run. It is closed with the last one that refers to it."""

    def __init__(self, address: Address, target: str, head: bytes) -> None:
        self.writer: Writer | None = None
        self.is_over = False
        self.sock, self.answer = address.open(target, head)
        self.lines = lines(self.answer)

    def end(self) -> None:
        """Let neither side read or write any more. Any thread may call it; the one that reads sees the end of the answer."""
        self.is_over = True
        if self.writer is not None:
            self.writer.close()
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def close(self) -> None:
        """End, and give the descriptor back. For who reads, or when nobody can."""
        self.end()
        self.answer.close()
        self.sock.close()

    def __del__(self) -> None:
        if hasattr(self, "lines"):
            self.close()


class Run(Generic[R]):
    """An iterator of results. Closing it, or dropping it, ends the run, requests under way included.

    It may be iterated by one thread at a time; `stop`, `abandon` and `close` may be called by any.
    """

    def __init__(
        self,
        address: Address,
        head: bytes,
        items: Iterable[Item],
        loads: Callable[[str], Any] | None,
        on_notice: Handler | None,
        on_progress: Handler | None,
        on_token: TokenHandler | None = None,
    ) -> None:
        self._address = address
        self._exchange = exchange = Exchange(address, "/v1/runs", head)
        self._end: dict[str, Any] = {}
        try:
            begun = _object(next(exchange.lines, b"{}"), json.loads).get("run")
            if not isinstance(begun, Mapping) or "id" not in begun:
                raise ProtocolError("an answer that does not begin with `run`")
        except BaseException:
            exchange.close()
            raise
        self.id = str(begun["id"])
        """The host's name for the run."""
        self.effect = str(begun.get("effect"))
        """What running an item twice does: `read`, `idempotent`, `keyed` or `write`."""
        exchange.writer = Writer(exchange.sock, items)
        give = None if on_token is None else _giver(address, self.id, on_token)
        handlers = {"notice": on_notice, "progress": on_progress, "token": give}
        self._results: Iterator[R] = _results(exchange, loads, handlers, self._end)

    @property
    def summary(self) -> Mapping[str, Any] | None:
        """What the run did, once it has ended."""
        return self._end.get("end")

    def __iter__(self) -> Iterator[R]:
        # Not `self`: the loop then costs no call of Python for each result.
        return self._results

    def __next__(self) -> R:
        return next(self._results)

    def stop(self) -> None:
        """Take no more items; those under way end, and their results come."""
        self._order("stop")
        if self._exchange.writer is not None:
            self._exchange.writer.finish()

    def abandon(self) -> None:
        """End what is under way too; each item that was begun has a result that says what is known."""
        self._order("abandon")
        if self._exchange.writer is not None:
            self._exchange.writer.finish()

    def progress(self) -> Any:
        """How far the run is."""
        return self._address.request("GET", f"/v1/runs/{quote(self.id, safe='')}")

    def close(self) -> None:
        """End the run, if it has not ended. What was under way may have been done."""
        # Not the generator: another thread may be in it, and sees the end.
        self._exchange.end()

    def __enter__(self) -> Run[R]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Run {self.id}{' over' if self._exchange.is_over else ''}>"

    def _order(self, what: str) -> None:
        if self._exchange.is_over:
            return
        try:
            self._address.request("POST", f"/v1/runs/{quote(self.id, safe='')}/{what}")
        except RequestRefused as error:
            # It has ended meanwhile.
            if error.status != 404:
                raise


def _giver(address: Address, run: str, on_token: TokenHandler) -> Handler:
    """Gives the host another access token. It does not refer to the run, as the results do not."""

    def give(wanted: Mapping[str, Any]) -> None:
        token = json.dumps(dict(on_token(str(wanted.get("why"))))).encode()
        try:
            address.request("POST", f"/v1/runs/{quote(run, safe='')}/token", token)
        except RequestRefused as error:
            # It has ended meanwhile.
            if error.status != 404:
                raise

    return give


def _results(
    exchange: Exchange,
    loads: Callable[[str], Any] | None,
    handlers: Mapping[str, Handler | None],
    end: dict[str, Any],
) -> Generator[Any, None, None]:
    """The results of a run, until its last line; as they came, where nothing loads them. It does not refer to the run: whoever
    drops both ends the run."""
    try:
        for line in exchange.lines:
            if exchange.is_over:
                return
            if loads is None and line.startswith(b'{"item":'):
                yield line
                continue
            said = _object(line, loads or json.loads)
            if "item" in said:
                error = said.get("error")
                failure = None if error is None else Failure(error)
                output = said.get("output")
                if loads is None:
                    yield line
                elif output is None and "rows" in said:
                    yield Result(said["item"], said["rows"], None, True)
                else:
                    yield Result(said["item"], output, failure, False, said.get("files"))
            elif "end" in said:
                end.update(said)
                break
            else:
                # A kind of line that this version does not know is news of the host that nobody asked for.
                for kind, handler in handlers.items():
                    if handler is not None and kind in said:
                        handler(said[kind])
        else:
            if not exchange.is_over:
                raise CutShort("no `end` line")
    except CutShort:
        if exchange.is_over:
            return  # By `close`.
        raise
    finally:
        exchange.close()
    broken = end["end"].get("error")
    if broken is not None:
        raise RunBroken(str(broken.get("kind")), str(broken.get("message")), broken.get("hint"), end["end"])
    if exchange.writer is not None and exchange.writer.error is not None:
        raise exchange.writer.error


def planned(address: Address, head: bytes, items: Iterable[Item]) -> Iterator[Mapping[str, Any]]:
    """What is said about each item of a plan."""
    exchange = Exchange(address, "/v1/plan", head)
    exchange.writer = Writer(exchange.sock, items)
    return _planned(exchange, exchange.writer)


def _planned(exchange: Exchange, writer: Writer) -> Iterator[Mapping[str, Any]]:
    try:
        for line in exchange.lines:
            yield _object(line, json.loads)
    except CutShort as error:
        raise HostUnavailable("cut-short", "the plan was cut short", "plan again: nothing was sent") from error
    finally:
        exchange.close()
    if writer.error is not None:
        raise writer.error


def _object(line: bytes, loads: Callable[[str], Any]) -> Mapping[str, Any]:
    try:
        said = loads(line.decode())
    except ValueError as error:
        raise ProtocolError("a line that is no JSON") from error
    # Not `Mapping`, which takes as long as the result's own object does.
    if not isinstance(said, dict):
        raise ProtocolError("a line that is no JSON object")
    return said
