"""What can go wrong, one class for each remedy. Every error has a kind for programs, and a message and a hint for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class NoduleError(Exception):
    """The base of all errors of this package."""

    def __init__(self, kind: str, message: str, hint: str | None = None) -> None:
        # Arguments of the base class are what makes an exception survive pickling: Celery sends them between processes.
        super().__init__(kind, message, hint)
        self.kind, self.message, self.hint = kind, message, hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"


class HostUnavailable(NoduleError):
    """The host process cannot be started, cannot be reached, or is gone."""


class RequestRefused(NoduleError):
    """The host refused a request: a wrong argument, an unknown component, a policy that cannot be read."""

    def __init__(self, kind: str, message: str, hint: str | None = None, status: int = 400) -> None:
        super().__init__(kind, message, hint)
        self.args = (kind, message, hint, status)
        self.status = status


class ProtocolError(NoduleError):
    """What answers does not speak the interface of `nodule serve` that this package knows."""

    def __init__(self, message: str) -> None:
        super().__init__("protocol", message, "use a `nodule` of the same version as this package")
        self.args = (message,)


class RunBroken(NoduleError):
    """The run itself broke, for example because its journal cannot be written. `summary` says how far it came."""

    def __init__(self, kind: str, message: str, hint: str | None = None, summary: Mapping[str, Any] | None = None) -> None:
        super().__init__(kind, message, hint)
        self.args = (kind, message, hint, summary)
        self.summary = summary


class CutShort(NoduleError):
    """The answer ended before the run did. Items without a result may have been done."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            "cut-short",
            f"the host's answer was cut short ({detail}): items without a result may have been done",
            "run again what may be done twice; a journal knows which items were done",
        )
        self.args = (detail,)


class InvalidItem(NoduleError, ValueError):
    """An item that cannot be sent. The items before it were run; the one at fault and those after it were not."""

    def __init__(self, item: int | str, problem: str) -> None:
        super().__init__("invalid-item", f"item {item}: {problem}")
        self.args = (item, problem)
        self.item = item


class Failure(NoduleError):
    """Why an item has no output. It stands in a result and is not raised, unless by `Result.get`.

    `kind` is the contract's name, for example `invalid-parameters`, `rejected` or `unavailable`. `details` is all that the host
    says: `status`, `code`, `requestId`, `retryAfterMs`, `certainty`, `problems` and `detail`, as far as the kind has them.
    """

    def __init__(self, details: Mapping[str, Any]) -> None:
        super().__init__(str(details.get("kind", "")), str(details.get("message", "")), details.get("hint"))
        self.args = (details,)
        self.details = details

    @property
    def may_have_been_done(self) -> bool:
        """Whether the service may have done what the item asks for all the same."""
        return self.kind == "unknown" or self.details.get("certainty") == "unknown"
