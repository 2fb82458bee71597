"""Exchange rates. The requests of a call's items are awaited together, as many at once as the call allows. Files pass through in pieces:
see `FilesByStreams`."""

import asyncio
import json
from urllib.parse import quote, urlencode, urlsplit

import poll_loop
from componentize_py_types import Err, Ok
from poll_loop import PollLoop, Sink, Stream
from wit_world import exports
from wit_world.exports import description as d
from wit_world.exports import files_by_streams as f
from wit_world.exports import types as t
from wit_world.imports.types import (
    Fields,
    Method_Get,
    Method_Post,
    OutgoingRequest,
    Scheme_Http,
    Scheme_Https,
)
from wit_world.imports.streams import StreamError_Closed

PIECE = 64 * 1024


def parameter(id, name, label, kind, required=True, placeholder=None):
    return d.Parameter(id, name, label, "", placeholder, kind, required, None, [], None)


def operation(group, name, label, summary, parameters, effect, schema, gives_files=False):
    writes = 0 if isinstance(effect, d.Effect_Read) else 1
    ids = [f"{group}.{name}" for name in parameters]
    return d.Operation(group, name, label, summary, summary, None, ids, effect, writes, None, False, gives_files, json.dumps(schema), None)


class Types(exports.Types):
    pass


class Description(exports.Description):
    def describe(self):
        # The host adds the key to each request: the node never sees it.
        key = d.Placement([d.Template("x-api-key", "{key}")], [])
        return d.Node(
            name="exchangeRates",
            display_name="Exchange Rates",
            version=1,
            summary="Exchange rates, and alerts about them",
            icon_svg=None,
            documentation_url=None,
            aliases=["currency"],
            credentials=[
                d.Credential("exchangeRatesApi", "Exchange Rates API", None, ["baseUrl", "key"], "baseUrl", d.Scheme_Fixed(key), "/v1/currencies")
            ],
            origins=[],
            resources=[d.ResourceGroup("rate", "Rate", ""), d.ResourceGroup("alert", "Alert", "")],
            operations=[
                operation("rate", "get", "Get", "Fetch the rates of a day", ["base", "date"], d.Effect_Read(), {"type": "object"}),
                operation("rate", "export", "Export", "Fetch all rates as a file", ["currency"], d.Effect_Read(), {"type": "object"}, gives_files=True),
                operation("alert", "create", "Create", "Create an alert", ["pair", "above"], d.Effect_Write(), {"type": "object"}),
                operation("alert", "import", "Import", "Create the alerts of a file", ["file", "currency"], d.Effect_Write(), {"type": "object"}),
            ],
            parameters=[
                parameter("baseUrl", "baseUrl", "Base URL", d.Kind_Text()),
                parameter("key", "key", "Key", d.Kind_Secret()),
                parameter("rate.base", "base", "Currency", d.Kind_Text(), placeholder="EUR"),
                parameter("rate.date", "date", "Day", d.Kind_Date(), required=False),
                parameter("rate.currency", "currency", "Currency", d.Kind_Text(), placeholder="EUR"),
                parameter("alert.file", "file", "File", d.Kind_File()),
                parameter("alert.currency", "currency", "Currency", d.Kind_Text(), required=False, placeholder="EUR"),
                parameter("alert.pair", "pair", "Pair", d.Kind_Text(), placeholder="EUR/CHF"),
                parameter("alert.above", "above", "Above", d.Kind_Number(d.Range(0.0, None))),
            ],
            hints=None,
        )


class Execution(exports.Execution):
    def execute(self, call):
        run = OPERATIONS[call.operation]

        async def one(item):
            try:
                return Ok([t.Output(json.dumps(await run(call.service.base_url, json.loads(item.parameters))))])
            except Failed as failed:
                return Err(failed.failure)

        async def all():
            return await asyncio.gather(*(one(item) for item in call.items))

        loop = PollLoop()
        asyncio.set_event_loop(loop)
        return list(loop.run_until_complete(all()))


class FilesByStreams(exports.FilesByStreams):
    """Moves files by WASI's streams, one item per call."""

    def transfer(self, call):
        item = json.loads(call.parameters)
        run = export if call.operation == "export" else import_
        loop = PollLoop()
        asyncio.set_event_loop(loop)
        try:
            return loop.run_until_complete(run(call, item))
        except Failed as failed:
            raise Err(failed.failure)


async def export(call, item):
    response = await request(call.service.base_url, Method_Get(), "/v1/rates.csv?" + urlencode({"base": item["currency"]}), [])
    if response.status() != 200:
        raise Failed(failure(response.status(), (await read(response)).decode()))
    headers = {name: value.decode() for name, value in response.headers().entries()}
    # The host reads the body, after this call.
    file = f.Given("data", f"{item['currency']}.csv", headers.get("content-type"), f.GivenContent_Body(response.consume()))
    return [f.Output(json.dumps({"base": item["currency"]}), [file])]


async def import_(call, item):
    file = next(file for file in call.files if file.key == item["file"])
    headers = [("content-type", (file.media_type or "text/csv").encode())]
    if file.size is not None:
        headers.append(("content-length", str(file.size).encode()))
    path = "/v1/alerts/import?" + urlencode({"base": item.get("currency", "EUR")})
    response = await request(call.service.base_url, Method_Post(), path, headers, file.content)
    text = (await read(response)).decode()
    if response.status() != 200:
        raise Failed(failure(response.status(), text))
    return [f.Output(text, [])]


async def get(base_url, item):
    query = {"base": item["base"]} | ({"date": item["date"]} if "date" in item else {})
    rates = await send(base_url, Method_Get(), "/v1/rates?" + urlencode(query))
    print(f"{len(rates['rates'])} rates of {rates['base']}")
    return {"base": rates["base"], "date": rates["date"], "rates": rates["rates"]}


async def create(base_url, item):
    first, second = item["pair"].split("/")
    path = f"/v1/alerts/{quote(first, safe='')}/{quote(second, safe='')}"
    return await send(base_url, Method_Post(), path, {"above": item["above"]})


OPERATIONS = {"get": get, "create": create}


class Failed(Exception):
    """An item's failure, in the contract's words."""

    def __init__(self, failure):
        super().__init__(failure)
        self.failure = failure


async def send(base_url, method, path, document=None):
    """Send a request, and return the JSON document of the answer."""
    headers, body = [("accept", b"application/json")], None
    if document is not None:
        headers.append(("content-type", b"application/json"))
        body = f.Content_Bytes(json.dumps(document).encode())
    response = await request(base_url, method, path, headers, body)
    status, text = response.status(), (await read(response)).decode()
    if status == 200:
        return json.loads(text)
    raise Failed(failure(status, text))


async def request(base_url, method, path, headers, content=None):
    """Send a request with what a file or a text holds. The body of its answer is not read yet."""
    base = urlsplit(base_url.rstrip("/"))
    request = OutgoingRequest(Fields.from_list(headers))
    request.set_method(method)
    request.set_scheme(Scheme_Https() if base.scheme == "https" else Scheme_Http())
    request.set_authority(base.netloc)
    request.set_path_with_query(base.path + path)
    body = request.body() if content else None
    answered = asyncio.ensure_future(poll_loop.send(request))
    if content:
        # The request has to be under way before anybody waits for its body.
        await asyncio.sleep(0)
        await write(body, content)
    try:
        return await answered
    except Err as error:
        raise Failed(unavailable(str(error.value)))


async def write(body, content):
    """Write a body, and finish it unless that fails. The answer says why: the service wants no more, or the file broke off."""
    sink = Sink(body)
    try:
        if isinstance(content, f.Content_Bytes):
            await sink.send(content.value)
        else:
            splice(sink.stream, content.value)
        sink.close()
    except Err:
        if sink.stream is not None:
            # A body that is not finished breaks its request, so that no service takes it for the whole.
            sink.stream.__exit__(None, None, None)
            body.__exit__(None, None, None)


def splice(stream, file):
    """Send a file, from one stream to the other within the host: what is written from this memory stays there until the call ends."""
    try:
        while True:
            stream.blocking_splice(file, PIECE)
    except Err as error:
        # So it is at the file's end, and where the service has answered and wants no more.
        if not isinstance(error.value, StreamError_Closed):
            raise


def failure(status, text):
    answer = t.Answer(status, None, text, None)
    if status == 401:
        return t.Failure_Unauthenticated(answer)
    if status == 429:
        return t.Failure_Throttled(t.Throttle(answer, None))
    if status >= 500:
        return unavailable(text, answer)
    return t.Failure_Rejected(answer)


def unavailable(message, answer=None):
    return t.Failure_Unavailable(t.Outage(t.Certainty.UNKNOWN, message, answer, None))


async def read(response):
    stream, body = Stream(response.consume()), bytearray()
    try:
        while (chunk := await stream.next()) is not None:
            body += chunk
    except Err:
        raise Failed(unavailable("the answer broke off"))
    return body
