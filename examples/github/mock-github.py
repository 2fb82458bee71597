"""A mock of GitHub with state, for the cases and tests of this example: loopback only.

    python3 mock-github.py [PORT]

It is api.github.com, uploads.github.com, or, without access, the host that assets come from: the header `Host` says which. It has the
fields that the cases show, and pages of five rows; whether requests fit GitHub's own specification is for Prism to say (test.py).
"""

import base64
import hashlib
import json
import re
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
API, UPLOADS, ASSETS = "api.github.com", "uploads.github.com", "release-assets.githubusercontent.com"
# GitHub's largest page has 100 rows.
MOST_ROWS = 5
REPOSITORY = "/repos/octocat/hello"
NAMES = ["hello", "spoon-knife"]

routes = []
lock = threading.RLock()
state = {"issues": {}, "releases": {}, "assets": {}, "reviews": {}, "files": {}, "limited": False}
WORKFLOW = {"id": 161335, "name": "CI", "path": ".github/workflows/main.yaml", "state": "active"}


class Refused(Exception):
    def __init__(self, status, message, **headers):
        super().__init__(message)
        self.status, self.headers = status, headers


def route(method, path, host=API):
    """A function answers this: `{name}` is one segment, decoded."""
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + "$")

    def add(function):
        routes.append((host, method, pattern, function))
        return function

    return add


def known(kind, number):
    row = state[kind].get(int(number)) if number.isdigit() else None
    return row or fail(404, "Not Found")


def fail(status, message, **headers):
    raise Refused(status, message, **headers)


def added(kind, **row):
    number = max(state[kind], default=0) + 1
    state[kind][number] = {"id": number} | row
    return state[kind][number]


def label(name):
    return {"name": name, "color": "ededed"}


def issue(title, **more):
    number = len(state["issues"]) + 1
    row = {"number": number, "title": title, "state": "open", "locked": False, "body": None, "labels": [], "assignees": [], "milestone": None}
    # An ID that no number of JavaScript holds, and fields that look like an error.
    return added("issues", **row | {"status": "a field named status", "code": 7} | more) | {"id": 10_000_000_000_000_000_000 + number}


def digest(content):
    return hashlib.sha1(content).hexdigest()


def entry(path, content):
    return {"type": "file", "name": path.split("/")[-1], "path": path, "size": len(content), "sha": digest(content)}


for number in range(12):
    issue(f"Issue {number} 🙂")
state["files"] |= {"README.md": b"# Hello\n", "docs/kite.txt": b"It flies\n"}
release = added("releases", tag_name="v1.0.0", name="First", body=None, draft=False, prerelease=False)
added("assets", release=1, name="kite.bin", label=None, content_type="application/octet-stream", size=5, bytes=b"bytes")


@route("GET", "/user")
def user(_):
    return {"login": "octocat"}


@route("GET", "/search/users")
def owners(asked):
    wanted = asked.query["q"]
    return {"total_count": 2, "items": [{"login": login} for login in ("octocat", "octodog") if wanted in login or ":" in wanted]}


@route("GET", "/users/octocat/repos")
@route("GET", "/orgs/octokites/repos")
def repositories(asked):
    return asked.page([{"name": "hello", "description": "My first repository"}, {"name": "spoon-knife", "description": None}])


@route("GET", "/orgs/octokites/members")
def members(asked):
    return asked.page([{"login": f"kite{number}"} for number in range(7)])


@route("POST", "/orgs/octokites/invitations")
def invite(asked):
    return 201, {"id": 1, "email": asked.json["email"], "role": "direct_member"}


@route("GET", REPOSITORY)
def repository(_):
    return {"id": 1296269, "name": "hello", "full_name": "octocat/hello", "private": False, "default_branch": "main"}


@route("GET", REPOSITORY + "/labels")
def labels(_):
    return [label(name) | {"description": "Something is wrong"} for name in ("bug", "wontfix")]


@route("GET", REPOSITORY + "/license")
def licence(_):
    return {"name": "LICENSE", "path": "LICENSE", "license": {"key": "mit", "spdx_id": "MIT"}}


@route("GET", REPOSITORY + "/community/profile")
def profile(_):
    return {"health_percentage": 42, "description": "My first repository"}


@route("GET", REPOSITORY + "/pulls")
def pulls(asked):
    return asked.page([{"number": 100, "title": "A pull request", "state": "open"}])


@route("POST", REPOSITORY + "/pulls/{pull}/reviews")
def create_review(asked, pull):
    if pull == "404":
        fail(404, "Not Found")
    state_of = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED", None: "PENDING"}
    said = (asked.json or {}).get("event")
    return added("reviews", body=(asked.json or {}).get("body", ""), state=state_of[said], user={"login": "octocat"})


@route("GET", REPOSITORY + "/pulls/{pull}/reviews")
def reviews(asked, pull):
    return asked.page(list(state["reviews"].values()))


@route("GET", REPOSITORY + "/pulls/{pull}/reviews/{number}")
def get_review(_, pull, number):
    return known("reviews", number)


@route("PUT", REPOSITORY + "/pulls/{pull}/reviews/{number}")
def update_review(asked, pull, number):
    row = known("reviews", number)
    row["body"] = asked.json["body"]
    return row


@route("GET", REPOSITORY + "/actions/workflows")
def workflows(_):
    return {"total_count": 1, "workflows": [WORKFLOW]}


@route("GET", REPOSITORY + "/branches")
def branches(asked):
    return asked.page([{"name": "main"}, {"name": "kites"}])


@route("GET", REPOSITORY + "/actions/workflows/{workflow}")
def get_workflow(_, workflow):
    return known_workflow(workflow)


@route("GET", REPOSITORY + "/actions/workflows/{workflow}/timing")
def usage(_, workflow):
    known_workflow(workflow)
    return {"billable": {"UBUNTU": {"total_ms": 180000}}}


@route("PUT", REPOSITORY + "/actions/workflows/{workflow}/{what}")
def set_workflow(_, workflow, what):
    known_workflow(workflow)["state"] = {"enable": "active", "disable": "disabled_manually"}[what]
    return 204, None


@route("POST", REPOSITORY + "/actions/workflows/{workflow}/dispatches")
def dispatch(asked, workflow):
    known_workflow(workflow)
    if asked.json["ref"] not in ("main", "kites"):
        fail(422, f"No ref found for: {asked.json['ref']}")
    return 204, None


def known_workflow(name):
    return WORKFLOW if name in ("161335", "main.yaml") else fail(404, "Not Found")


@route("GET", REPOSITORY + "/traffic/popular/paths")
def paths(_):
    return [{"path": "/octocat/hello", "title": "hello", "count": 21, "uniques": 2}]


@route("GET", REPOSITORY + "/traffic/popular/referrers")
def referrers(_):
    return [{"referrer": "kites.example", "count": 4, "uniques": 3}]


@route("GET", "/issues")
@route("GET", REPOSITORY + "/issues")
def issues(asked):
    wanted, labels = asked.query.get("state", "open"), set(filter(None, asked.query.get("labels", "").split(",")))
    rows = [row for row in reversed(state["issues"].values()) if wanted in ("all", row["state"])]
    return asked.page([row for row in rows if labels <= {one["name"] for one in row["labels"]}])


@route("POST", REPOSITORY + "/issues")
def create_issue(asked):
    if asked.json["title"] == "limited" and not state["limited"]:
        state["limited"] = True
        fail(403, "API rate limit exceeded", X_RateLimit_Remaining="0", X_RateLimit_Reset=str(int(time.time()) + 2))
    lists = {"labels": [label(name) for name in asked.json.get("labels", [])]}
    lists["assignees"] = [{"login": login} for login in asked.json.get("assignees", [])]
    return 201, issue(asked.json["title"], body=asked.json.get("body"), **lists)


@route("GET", REPOSITORY + "/issues/{number}")
def get_issue(_, number):
    return known("issues", number)


@route("PATCH", REPOSITORY + "/issues/{number}")
def edit_issue(asked, number):
    row = known("issues", number)
    row |= asked.json
    if "labels" in asked.json:
        row["labels"] = [label(name) for name in asked.json["labels"]]
    return row


@route("POST", REPOSITORY + "/issues/{number}/comments")
def comment(asked, number):
    known("issues", number)
    return 201, {"id": 1, "body": asked.json["body"], "user": {"login": "octocat"}}


@route("PUT", REPOSITORY + "/issues/{number}/lock")
def lock_issue(_, number):
    known("issues", number)["locked"] = True
    return 204, None


@route("POST", REPOSITORY + "/issues/{number}/labels")
def add_labels(asked, number):
    row = known("issues", number)
    has = {one["name"] for one in row["labels"]}
    row["labels"] += [label(name) for name in asked.json["labels"] if name not in has]
    return row["labels"]


@route("DELETE", REPOSITORY + "/issues/{number}/labels/{name}")
def remove_label(_, number, name):
    row = known("issues", number)
    left = [one for one in row["labels"] if one["name"] != name]
    if left == row["labels"]:
        fail(404, "Label does not exist")
    row["labels"] = left
    return left


@route("GET", REPOSITORY + "/releases")
def releases(asked):
    return asked.page(list(reversed(state["releases"].values())))


@route("POST", REPOSITORY + "/releases")
def create_release(asked):
    fresh = {"name": None, "body": None, "draft": False, "prerelease": False}
    return 201, added("releases", **fresh | asked.json)


@route("GET", REPOSITORY + "/releases/{number}")
def get_release(_, number):
    return known("releases", number)


@route("PATCH", REPOSITORY + "/releases/{number}")
def update_release(asked, number):
    row = known("releases", number)
    row |= asked.json
    return row


@route("DELETE", REPOSITORY + "/releases/{number}")
def delete_release(_, number):
    known("releases", number)
    del state["releases"][int(number)]
    return 204, None


def shown(asset):
    return {name: value for name, value in asset.items() if name not in ("bytes", "release")}


@route("GET", REPOSITORY + "/releases/{number}/assets")
def assets(asked, number):
    known("releases", number)
    return asked.page([shown(asset) for asset in state["assets"].values() if asset["release"] == int(number)])


@route("POST", REPOSITORY + "/releases/{number}/assets", UPLOADS)
def upload_asset(asked, number):
    known("releases", number)
    name = asked.query["name"]
    if any((asset["release"], asset["name"]) == (int(number), name) for asset in state["assets"].values()):
        fail(422, "Validation Failed")
    about = {"label": asked.query.get("label"), "content_type": asked.headers["Content-Type"], "size": len(asked.body)}
    return 201, shown(added("assets", release=int(number), name=name, **about, bytes=asked.body))


@route("GET", REPOSITORY + "/releases/assets/{number}")
def get_asset(asked, number):
    asset = known("assets", number)
    if asked.headers["Accept"] != "application/octet-stream":
        return shown(asset)
    return 302, None, {"Location": f"https://{ASSETS}/github-production/{number}?sig=s3cret&name={asset['name']}"}


@route("GET", "/github-production/{number}", ASSETS)
def asset_content(asked, number):
    asset = known("assets", number)
    headers = {"Content-Type": asset["content_type"], "Content-Disposition": f"attachment; filename={asset['name']}"}
    return 200, asset["bytes"], headers


@route("DELETE", REPOSITORY + "/releases/assets/{number}")
def delete_asset(_, number):
    known("assets", number)
    del state["assets"][int(number)]
    return 204, None


@route("GET", REPOSITORY + "/contents/")
def root(_):
    return [entry(path, content) for path, content in state["files"].items() if "/" not in path]


@route("GET", REPOSITORY + "/contents/{path}")
def contents(asked, path):
    if asked.query.get("ref", "main") != "main":
        fail(404, "No commit found for the ref")
    content = state["files"].get(path)
    if content is None:
        within = [entry(name, content) for name, content in state["files"].items() if name.startswith(path + "/")]
        return within or fail(404, "Not Found")
    if asked.headers["Accept"] == "application/vnd.github.raw+json":
        return 200, content, {"Content-Type": "application/vnd.github.raw+json; charset=utf-8"}
    return entry(path, content) | {"encoding": "base64", "content": base64.encodebytes(content).decode()}


@route("PUT", REPOSITORY + "/contents/{path}")
def put_contents(asked, path):
    before = state["files"].get(path)
    if before is not None and "sha" not in asked.json:
        fail(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if before is not None and asked.json["sha"] != digest(before):
        fail(409, f"{path} does not match {asked.json['sha']}")
    content = base64.b64decode(asked.json["content"], validate=True)
    state["files"][path] = content
    return 200 if before else 201, {"content": entry(path, content), "commit": {"message": asked.json["message"]}}


@route("DELETE", REPOSITORY + "/contents/{path}")
def delete_contents(asked, path):
    if path not in state["files"]:
        fail(404, "Not Found")
    if asked.json["sha"] != digest(state["files"][path]):
        fail(409, f"{path} does not match {asked.json['sha']}")
    del state["files"][path]
    return {"content": None, "commit": {"message": asked.json["message"]}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, *_):
        pass

    def page(self, rows):
        """A page of rows, with the header `Link`."""
        size, page = min(int(self.query.get("per_page", 30)), MOST_ROWS), int(self.query.get("page", 1))
        last = -(-len(rows) // size)
        if page < last:
            def link(number, name):
                query = urllib.parse.urlencode(self.query | {"page": number})
                return f'<https://{API}{self.place}?{query}>; rel="{name}"'
            self.more["Link"] = f"{link(page + 1, 'next')}, {link(last, 'last')}"
        return rows[(page - 1) * size : page * size]

    def answer(self):
        url = urllib.parse.urlsplit(self.path)
        self.place, self.query = url.path, dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.more = {"X-GitHub-Request-Id": "ABCD:1234", "X-RateLimit-Remaining": "4999"}
        host = self.headers["Host"] if self.headers["Host"] in (UPLOADS, ASSETS) else API
        try:
            self.check(host)
            self.json = json.loads(self.body) if self.body and host == API else None
            with lock:
                answer = self.found(host)
        except Refused as refused:
            message = {"message": str(refused), "documentation_url": "https://docs.github.com/rest", "status": str(refused.status)}
            answer = refused.status, message, {name.replace("_", "-"): value for name, value in refused.headers.items()}
        self.send(*answer if isinstance(answer, tuple) else (200, answer))

    def check(self, host):
        authorization = self.headers.get("Authorization")
        if host == ASSETS:
            # The URL is signed; another authorization beside that is refused.
            return fail(400, "InvalidAuthenticationInfo") if authorization else None
        if authorization != f"Bearer {TOKEN}":
            fail(401, "Bad credentials")
        if self.headers.get("X-GitHub-Api-Version") != "2022-11-28" or not self.headers.get("User-Agent"):
            fail(403, "Request forbidden by administrative rules.")

    def found(self, host):
        for at, method, pattern, function in routes:
            match = pattern.match(self.place)
            if match and (at, method) == (host, self.command):
                names = {name: urllib.parse.unquote(text) for name, text in match.groupdict().items()}
                return function(self, **names)
        return fail(404, "Not Found")

    def send(self, status, document, headers=()):
        content = document if isinstance(document, bytes) else b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        all_headers = {"Content-Type": "application/json; charset=utf-8"} | self.more | dict(headers)
        if status != 204:
            all_headers["Content-Length"] = str(len(content))
        for name, value in all_headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
