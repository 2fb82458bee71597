"""Run workflow nodes from Python: a client of `nodule serve`.

A node is a WebAssembly component that talks to one service. The host process loads it, lets it reach what its policy allows and nothing
else, keeps its credential out of it, and runs its operations on items:

    from nodule_client import Host

    with Host.start() as host:
        node = host.load("socialhub.wasm")
        credential = {"baseUrl": "https://api.example.com", "appId": "…", "appSecret": "…"}
        for result in node.run("member", "getMember", [{"cardNo": "M7"}], credential=credential):
            print(result.item, result.output if result.failure is None else result.failure)
"""

from .component import Choice, Choices, Component
from .errors import CutShort, Failure, HostUnavailable, InvalidItem, NoduleError, ProtocolError, RequestRefused, RunBroken
from .host import Host
from .run import Result, Run

__all__ = [
    "Choice",
    "Choices",
    "Component",
    "CutShort",
    "Failure",
    "Host",
    "HostUnavailable",
    "InvalidItem",
    "NoduleError",
    "ProtocolError",
    "RequestRefused",
    "Result",
    "Run",
    "RunBroken",
]
