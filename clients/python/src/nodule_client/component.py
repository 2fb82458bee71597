"""A loaded component: a node with its operations."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict, overload
from urllib.parse import urlencode

from ._http import Address
from ._items import Item
from .errors import Failure, ProtocolError
from .run import Handler, Result, Run, TokenHandler, planned

if TYPE_CHECKING:
    from typing_extensions import NotRequired, Unpack

Fields = Mapping[str, Any]


class Binding(TypedDict, total=False):
    """Whose work is done, and what may be reached for it. docs/serve.md says what each one means."""

    credential: Fields | None
    """The credential's fields."""
    token: Fields | None
    """An access token of the caller's own log-in: `accessToken`, and `expiresAt` where it is known."""
    tenant: str
    policy: str
    """The text of a policy file."""
    allow: Sequence[str | Fields]
    allow_declared: bool
    tls: Fields
    """`ca`, `clientCertificate`, `clientKey` as PEM, and `insecureOrigins`."""


class Options(Binding, total=False):
    """How a run goes. What is not given is as the host has it; docs/serve.md says how."""

    concurrency: int
    on_failure: Literal["continue", "stop"]
    order: Literal["items", "completion"]
    retries: int
    item_time_ms: int
    run_time_ms: int
    rate: str
    stream_rows: bool
    """Rows come while their item goes on, in results whose `goes_on` is true."""
    limit: int
    """The most rows of each item."""
    journal: Fields
    record: Fields
    replay: Fields
    progress_ms: int


class Question(Binding, total=False):
    """A question of a form, beside the operation and the parameter. docs/serve.md says what each one means."""

    filled_in: Fields
    """What is filled in so far, as an item's parameters."""
    search: str
    cursor: str
    """`next` of the page before."""
    keep: bool
    """An answer of the last minute will do."""


class Choice(TypedDict):
    """A value that a parameter may have."""

    label: str
    value: str | int | float | bool
    summary: str


class Choices(TypedDict):
    """One page of values."""

    choices: list[Choice]
    next: NotRequired[str]
    """Where the next page begins. Absent on the last one."""


class Component:
    """A loaded component. `Host.load` makes it."""

    def __init__(self, address: Address, loaded: Any) -> None:
        try:
            self.digest = str(loaded["digest"])
            """`sha256:…` of its bytes; pin it by `load(…, digest=…)`."""
            self.name = str(loaded["name"])
            self.version = str(loaded["version"])
        except (KeyError, TypeError) as error:
            raise ProtocolError("a loaded component without `digest`, `name` or `version`") from error
        self._address = address

    @overload
    def describe(self, format: Literal["json", "n8n"] = "json") -> dict[str, Any]: ...

    @overload
    def describe(self, format: Literal["markdown", "text"]) -> str: ...

    def describe(self, format: str = "json") -> Any:
        """What the node is and can do, as `nodule describe` has it."""
        return self._address.request("GET", f"/v1/components/{self.digest}?{urlencode({'format': format})}")

    def forget(self) -> None:
        """Let the host forget it. Runs under way go on."""
        self._address.request("DELETE", f"/v1/components/{self.digest}")

    def check_credential(self, **binding: Unpack[Binding]) -> Failure | None:
        """Whether a credential works: nothing if it does, else why not."""
        said = self._address.request("POST", "/v1/check-credential", json.dumps(self._binding(binding)).encode())
        return None if said.get("ok") is True else Failure(said.get("error") or {})

    def choices(self, group: str, operation: str, parameter: str, **question: Unpack[Question]) -> Choices:
        """One page of the values that a parameter, by its ID, may have. The service is only read."""
        page: Choices = self._ask("/v1/choices", group, operation, parameter, question)
        return page

    def fields(self, group: str, operation: str, parameter: str, **question: Unpack[Question]) -> list[dict[str, Any]]:
        """The columns of a parameter, each as `describe()` has a parameter. The service is only read."""
        fields: list[dict[str, Any]] = self._ask("/v1/fields", group, operation, parameter, question)["fields"]
        return fields

    @overload
    def run(
        self,
        group: str,
        operation: str,
        items: Iterable[Item],
        *,
        raw: Literal[False] = False,
        loads: Callable[[str], Any] = ...,
        on_notice: Handler | None = None,
        on_progress: Handler | None = None,
        on_token: TokenHandler | None = None,
        **options: Unpack[Options],
    ) -> Run[Result]: ...

    @overload
    def run(
        self,
        group: str,
        operation: str,
        items: Iterable[Item],
        *,
        raw: Literal[True],
        on_notice: Handler | None = None,
        on_progress: Handler | None = None,
        on_token: TokenHandler | None = None,
        **options: Unpack[Options],
    ) -> Run[bytes]: ...

    def run(
        self,
        group: str,
        operation: str,
        items: Iterable[Item],
        *,
        raw: bool = False,
        loads: Callable[[str], Any] = json.loads,
        on_notice: Handler | None = None,
        on_progress: Handler | None = None,
        on_token: TokenHandler | None = None,
        **options: Unpack[Options],
    ) -> Run[Any]:
        """Run an operation on items. It returns once the host has accepted the run; iterate over it for the results.

        - `items`: dictionaries of parameters, or their JSON texts, or pairs of an ID of your own and one of these. Another thread
          reads the iterable, as the host needs items.
        - `raw`: each result as the line that the host wrote, `{"item":…,"output":[…]}`, `{"item":…,"error":{…}}` or, with `stream_rows`,
          `{"item":…,"rows":[…]}`; no JSON is parsed.
        - `loads`: parses results, for example `functools.partial(json.loads, parse_float=decimal.Decimal)` or `orjson.loads`.
        - `on_notice`, `on_progress`: called with what the host says about the run, by the thread that iterates, between results.
        - `on_token`: gives another access token, `{"accessToken": …, "expiresAt": …}`, in the place of `token`: it is called with `ending`
          or `refused`, by the same thread. Where it raises, the run ends.
        """
        head, items = self._head(group, operation, options), _several(items)
        return Run(self._address, head, items, None if raw else loads, on_notice, on_progress, on_token)

    def plan(self, group: str, operation: str, items: Iterable[Item], **binding: Unpack[Binding]) -> Iterator[Fields]:
        """What each item would send, `{"item":…,"requests":[…]}`, or what is wrong with it, `{"item":…,"error":{…}}`. Nothing is sent."""
        return planned(self._address, self._head(group, operation, binding), _several(items))

    def __repr__(self) -> str:
        return f"<Component {self.name} {self.version} {self.digest}>"

    def _ask(self, path: str, group: str, operation: str, parameter: str, question: Mapping[str, Any]) -> Any:
        asked = self._binding(question) | {"group": group, "operation": operation, "parameter": parameter}
        return self._address.request("POST", path, json.dumps(asked).encode())

    def _binding(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options in the interface's spelling. The host refuses those that it does not know, by name."""
        if isinstance(options.get("allow"), str):
            raise TypeError("allow: expected a list of rules, found a text")
        given = {_camel(name): value for name, value in options.items() if value is not None}
        return given | {"component": self.digest}

    def _head(self, group: str, operation: str, options: Mapping[str, Any]) -> bytes:
        return json.dumps(self._binding(options) | {"group": group, "operation": operation}).encode() + b"\n"


def _several(items: Iterable[Item]) -> Iterable[Item]:
    if isinstance(items, (str, bytes, Mapping)):
        raise TypeError("items: expected an iterable of items, found a single one")
    return items


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
