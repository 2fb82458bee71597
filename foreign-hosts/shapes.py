"""How hosts spell the contract: calls in their names, and what they give in one shape, the one that `nodule` prints.

Names are camelCase, kebab-case or snake_case; a case of a variant is `{"tag", "val"}`, `{"Name": value}` or a bare name.
"""

import hashlib
import json
import re

# Each exchange has its own; and hosts send their items in whatever order.
VOLATILE = {"requestId", "timestamp", "nonceId"}


def camel(name):
    return re.sub(r"[-_](\w)", lambda match: match[1].upper(), name)


def kebab(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def spelled(host, call):
    """A call with WIT's names as a host's program reads it."""
    if host == "JavaScript":
        return renamed(call, camel)
    if host == "Rust":
        call = {**call, "on-failure": call["on-failure"].title()} if "on-failure" in call else call
        return renamed(call, lambda name: name.replace("-", "_"))
    return call


def renamed(value, rename):
    """A value with other names of fields."""
    if isinstance(value, list):
        return [renamed(item, rename) for item in value]
    return {rename(name): renamed(field, rename) for name, field in value.items()} if isinstance(value, dict) else value


def case_of(value):
    if isinstance(value, str):
        return kebab(value), None
    if "tag" in value:
        return value["tag"], value.get("val")
    [(tag, inner)] = value.items()
    return kebab(tag), inner


def record(value):
    return {camel(name): inner for name, inner in value.items() if inner is not None}


def document(text):
    return json.loads(text, parse_int=str, parse_float=str)


def result(value):
    """`("ok", …)` or `("err", …)`; wasmtime-py leaves the names out where the types tell."""
    if isinstance(value, list):
        return "ok", value
    tag, inner = case_of(value)
    return (tag, inner) if tag in ("ok", "err") else ("err", value)


def failure(value):
    kind, inner = case_of(value)
    if kind == "invalid-parameters":
        return {"kind": kind, "problems": [record(problem) for problem in inner]}
    if isinstance(inner, str):
        return {"kind": kind, "message": inner}
    flat = {"kind": kind}
    for name, field in record(inner or {}).items():
        # What the service said stands among the failure's own facts, whose message counts.
        flat |= {**record(field), **flat} if name == "answer" else {name: field}
    if "message" in record(inner or {}):
        flat["message"] = inner["message"]
    if "detail" in flat:
        flat["detail"] = document(flat["detail"])
    if "certainty" in flat:
        flat["certainty"] = kebab(flat["certainty"])
    return flat


def comparable(outcome, only=None):
    """An item's outcome without what is never the same twice."""
    if "error" in outcome:
        error = {name: value for name, value in outcome["error"].items() if name not in VOLATILE}
        # `nodule run` gives these a line for people, which is not the node's.
        if error.get("kind") in ("invalid-parameters", "not-run"):
            error.pop("message", None)
        # And these a word that they are the node's.
        if error.get("kind") in ("denied", "limit") and "message" in error:
            error["message"] = error["message"].removeprefix("the node says: ")
        error = {name: norm(value) for name, value in error.items()}
        return {"error": {name: error[name] for name in only if name in error} if only else error}
    if isinstance(outcome["json"], dict):
        return {"json": {name: value for name, value in outcome["json"].items() if name not in VOLATILE}}
    return outcome


def norm(value):
    """A host without whole numbers writes 200 as 200.0; and each simulator has a port of its own."""
    return re.sub(r"(?<=://127\.0\.0\.1:)\d+", "PORT", re.sub(r"^(\d+)\.0$", r"\1", value)) if isinstance(value, str) else value


def listed(asked, one):
    """A value or a column as `nodule choices` and `nodule fields` print it, in the parts that are compared."""
    if asked == "fields":
        return [one["name"], one["displayName"], one["kind"]["type"]]
    return [one["label"], one["value"], one.get("summary", "")]


def answered(asked, answer):
    """The answer to a question in the same parts."""
    if isinstance(answer, dict) and "Ok" in answer:
        answer = answer["Ok"]
    if asked == "fields":
        columns = map(record, answer)
        return [[one["name"], one["displayName"], camel(case_of(one["kind"])[0])] for one in columns]
    return [[one["label"], json.loads(one["value"]), one["summary"]] for one in answer["choices"]]


def outcomes(answer, count, only):
    kind, inner = result(answer)
    results = inner if kind == "ok" else [{"tag": "err", "val": inner}] * count
    made = []
    for one in results:
        kind, inner = result(one)
        made.append([comparable({"json": document(output["json"])}) for output in inner] if kind == "ok" else [comparable({"error": failure(inner)}, only)])
    return made


def moved(answer, content):
    """The outputs of an item with files, and what the files are; `content` reads one."""
    kind, inner = result(answer)
    if kind == "err":
        return [comparable({"error": failure(inner)})]
    made = []
    for output in inner:
        files = {}
        for file in map(record, output["files"]):
            about = {name: file.get(name) for name in ("fileName", "mediaType")}
            files[file["key"]] = about | {"sha256": hashlib.sha256(content(file)).hexdigest()}
        made.append(comparable({"json": document(output["json"])}) | {"files": files})
    return made


def bound(node, fields):
    """The name of the credential that the description has, and the JSON object of those of its fields that are no secrets."""
    if not node["credentials"]:
        return None, "{}"
    credential = node["credentials"][0]
    kinds = {one["id"]: (one["name"], case_of(one["kind"])[0]) for one in node["parameters"]}
    ids = record(credential)["fields"]
    plain = [name for name, kind in (kinds[id] for id in ids) if kind != "secret" and name in fields]
    return credential["name"], json.dumps({name: fields[name] for name in plain})


def describe(node):
    """A description as `nodule describe --format json` has it."""

    def common(value):
        value = record(value)
        for name in ("hints", "default", "outputSchema"):
            if name in value:
                value[name] = json.loads(value[name])
        return value

    def deep(value):
        """Records within records."""
        if isinstance(value, dict):
            return {name: deep(field) for name, field in record(value).items()}
        return [deep(item) for item in value] if isinstance(value, list) else value

    def variant(value, name):
        """`{"type": …}` and what the case carries: a record's fields, or one value by this name."""
        tag, inner = case_of(value)
        inner = {} if inner is None else inner if isinstance(inner, dict) else {name: inner}
        return {"type": camel(tag), **record(inner)}

    def kind(value):
        kind = variant(value, "parameter")
        if kind["type"] == "columns":
            kind = {"type": "columns", "dynamic": {name: field for name, field in kind.items() if name != "type"}}
        for choice in kind.get("known", []):
            choice["value"] = json.loads(choice["value"])
        bounds = {name: number(kind[name]) for name in ("min", "max") if name in kind}
        return {**kind, **({"dynamic": record(kind["dynamic"])} if "dynamic" in kind else {}), **bounds}

    def condition(value):
        tag, values = case_of(value["holds"])
        return {"parameter": value["parameter"], camel(tag): values is None or [json.loads(scalar) for scalar in values]}

    def parameter(value):
        value = common(value)
        return {**value, "kind": kind(value["kind"]), "visibleWhen": [condition(one) for one in value["visibleWhen"]]}

    def operation(value):
        value = common(value)
        return {**value, "effect": variant(value["effect"], "parameter"), "writeRequests": number(value["writeRequests"])}

    def credential(value):
        value = record(value)
        scheme = deep(variant(value["scheme"], "value"))
        enums = {name: camel(case_of(scheme[name])[0]) for name in ("grant", "needs") if name in scheme}
        return {**value, "scheme": {**scheme, **enums}}

    node = common(node)
    node["version"] = number(node["version"])
    node["credentials"] = [credential(one) for one in node["credentials"]]
    node["origins"] = [record(origin) for origin in node["origins"]]
    node["resources"] = [record(group) for group in node["resources"]]
    node["operations"] = [operation(one) for one in node["operations"]]
    node["parameters"] = [parameter(one) for one in node["parameters"]]
    return node


def number(value):
    return float(value) if isinstance(value, str) and re.fullmatch(r"-?[\d.]+", value) else value
