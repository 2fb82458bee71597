"""{{title}} as a workflow node. It says what it is in `Description`, and runs its operations in `Execution`."""

import asyncio
import json
from urllib.parse import quote, urlsplit

import poll_loop
from componentize_py_types import Err, Ok
from poll_loop import PollLoop, Stream
from wit_world import exports
from wit_world.exports import description as d
from wit_world.exports import types as t
from wit_world.imports.types import Fields, Method_Get, OutgoingRequest, Scheme_Http, Scheme_Https


class Types(exports.Types):
    pass


class Description(exports.Description):
    def describe(self):
        # The host adds the header to each request: this code never sees the token.
        token = d.Placement([d.Template("authorization", "Bearer {token}")], [])
        return d.Node(
            name="{{camel}}",
            display_name="{{title}}",
            version=1,
            summary="Things of {{title}}",
            icon_svg=None,
            documentation_url=None,
            aliases=[],
            credentials=[
                d.Credential(
                    name="{{camel}}Api",
                    display_name="{{title}} API",
                    documentation_url=None,
                    fields=["baseUrl", "token"],
                    base_url="baseUrl",
                    scheme=d.Scheme_Fixed(token),
                    test="/me",
                )
            ],
            origins=[],
            resources=[d.ResourceGroup("thing", "Thing", "Things")],
            operations=[
                d.Operation(
                    group="thing",
                    name="get",
                    display_name="Get Thing",
                    summary="Fetch one thing",
                    action="Get a thing",
                    documentation_url=None,
                    parameters=["thing.get.thingId"],
                    # What doing it twice does; `write_requests` is how many requests other than GET and HEAD an item needs.
                    effect=d.Effect_Read(),
                    write_requests=0,
                    emits=False,
                    gives_files=False,
                    request="GET /things/{thingId}",
                    output_schema='{"type": "object"}',
                    hints=None,
                )
            ],
            parameters=[
                parameter("baseUrl", "baseUrl", "Base URL", d.Kind_Text(), default='"https://api.example.com"'),
                parameter("token", "token", "Token", d.Kind_Secret()),
                parameter("thing.get.thingId", "thingId", "Thing ID", d.Kind_Text(), placeholder="T17"),
            ],
            hints=None,
        )


def parameter(id, name, label, kind, default=None, placeholder=None):
    return d.Parameter(id, name, label, "", placeholder, kind, True, default, [], None)


class Execution(exports.Execution):
    def execute(self, call):
        run = OPERATIONS[call.group, call.operation]

        async def one(item):
            try:
                return Ok([t.Output(json.dumps(await run(call.service.base_url, json.loads(item.parameters))))])
            except Failed as failed:
                return Err(failed.failure)

        # The requests of a call's items go out together.
        async def every():
            return await asyncio.gather(*(one(item) for item in call.items))

        loop = PollLoop()
        asyncio.set_event_loop(loop)
        return list(loop.run_until_complete(every()))


async def get(base_url, item):
    return await send(base_url, "/things/" + quote(item["thingId"], safe=""))


OPERATIONS = {("thing", "get"): get}


class Failed(Exception):
    """An item's failure, in the contract's words."""

    def __init__(self, failure):
        super().__init__(failure)
        self.failure = failure


async def send(base_url, path):
    """Send a request, and return the JSON document of the answer."""
    base = urlsplit(base_url.rstrip("/"))
    request = OutgoingRequest(Fields.from_list([("accept", b"application/json"), ("user-agent", b"{{name}}/0.1.0")]))
    request.set_method(Method_Get())
    request.set_scheme(Scheme_Https() if base.scheme == "https" else Scheme_Http())
    request.set_authority(base.netloc)
    request.set_path_with_query(base.path + path)
    try:
        response = await poll_loop.send(request)
    except Err as error:
        raise Failed(t.Failure_Unavailable(t.Outage(t.Certainty.UNKNOWN, str(error.value), None, None)))
    status, text = response.status(), (await read(response)).decode()
    if 200 <= status < 300:
        return json.loads(text)
    answer = t.Answer(status, None, text, None)
    if status == 401:
        raise Failed(t.Failure_Unauthenticated(answer))
    if status == 429:
        raise Failed(t.Failure_Throttled(t.Throttle(answer, None)))
    if status >= 500:
        raise Failed(t.Failure_Unavailable(t.Outage(t.Certainty.UNKNOWN, text, answer, None)))
    raise Failed(t.Failure_Rejected(answer))


async def read(response):
    stream, body = Stream(response.consume()), bytearray()
    while (chunk := await stream.next()) is not None:
        body += chunk
    return body
