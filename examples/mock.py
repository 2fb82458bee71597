"""Mocks of the examples' services, on loopback only: issues as GitHub has them, exchange rates, customers.

`python3 examples/mock.py PORT` runs them; `test.py` does so itself.
"""

import hashlib
import json
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
KEY = "rates-0123456789-abcdefghij"
CUSTOMERS_KEY = "sk_test_0123456789abcdefghij"
# A request that waits for others longer than this waits in vain.
PATIENCE_S = 20
# A service refuses a larger body, and does not read it first.
MOST_BYTES = 128 * 1024 * 1024


class Mock(ThreadingHTTPServer):
    """Answers requests when as many as `together` are under way, so that a test needs no clock to see them overlap."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.changed = threading.Condition()
        self.together = 1
        self.under_way = 0
        self.released = 0
        self.most = 0
        # Called once, when some of a request's body was read.
        self.halfway = None
        # Whether the session of the next request for a release is over.
        self.lapsed = False
        # Name, media type, bytes.
        self.assets = {1: ("notes.txt", "text/plain", "What is new 🙂".encode())}
        self.issues = {n: {"number": n, "title": f"Issue {n} 🙂", "state": "open"} for n in range(1, 231)}

    def start(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def expect(self, together):
        """From now on, requests wait until this many are under way."""
        with self.changed:
            self.together, self.most, self.released = together, 0, 0

    def enter(self):
        """Count a request, and wait for those that it has to overlap. Says whether they came."""
        with self.changed:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            if self.released == 0 and self.under_way >= self.together:
                self.released = self.under_way
                self.changed.notify_all()
            came = self.changed.wait_for(lambda: self.released > 0, PATIENCE_S)
            if came:
                self.released -= 1
            return came

    def leave(self):
        with self.changed:
            self.under_way -= 1


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, *_):
        pass

    def do_GET(self):
        length = int(self.headers.get("Content-Length") or 0)
        if length > MOST_BYTES:
            self.refuse()
            return
        body = self.body(length)
        if len(body) < length:
            # The request broke off.
            self.close_connection = True
            return
        url = urllib.parse.urlsplit(self.path)
        path = [urllib.parse.unquote(part) for part in url.path.split("/")[1:]]
        query = dict(urllib.parse.parse_qsl(url.query))
        services = {"issues": self.issues, "rates": self.rates, "shop": self.customers}
        serve = services.get(path[0], lambda *_: (404, {"message": "Not Found"}))
        is_file = "assets" in path or "import" in path
        self.answer(*serve(path[1:], query, body if is_file else json.loads(body) if body else None))

    do_POST = do_GET

    def refuse(self):
        """Answer, and only then read what the sender has sent by then."""
        self.close_connection = True
        self.answer(413, {"message": f"expected up to {MOST_BYTES} bytes"})
        self.wfile.flush()
        while self.rfile.read1(64 * 1024):
            pass

    def body(self, length):
        """A request's body; less, where it breaks off."""
        halfway, self.server.halfway = self.server.halfway, None
        if halfway is None:
            return self.rfile.read(length)
        body = self.rfile.read(min(length, 64 * 1024))
        halfway()
        return body + self.rfile.read(length - len(body))

    def answer(self, status, document):
        self.send_response(status)
        if isinstance(document, tuple):
            name, media_type, text = document
            self.send_header("Content-Disposition", f'attachment; filename="{name}"')
        else:
            media_type, text = "application/json", json.dumps(document).encode()
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def together(self, answer):
        came = self.server.enter()
        try:
            return answer() if came else (503, {"message": "the others never came"})
        finally:
            self.server.leave()

    def issues(self, path, query, document):
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "Bad credentials"}
        if path == ["user"]:
            return 200, {"login": "octocat"}
        if path[:4] == ["repos", "octocat", "hello", "releases"]:
            return self.release(path[4:], query, document)
        if path[:4] != ["repos", "octocat", "hello", "issues"]:
            return 404, {"message": "Not Found"}
        issues = self.server.issues
        if self.command == "POST":
            number = len(issues) + 1
            issues[number] = {"number": number, "title": document["title"], "state": "open"}
            return 200, issues[number]
        if len(path) == 4:
            page, size = int(query.get("page", 1)), int(query.get("per_page", 30))
            return 200, list(issues.values())[(page - 1) * size : page * size]
        # A service that says nothing where an issue should be.
        if path[4] == "404404":
            return 200, None
        issue = issues.get(int(path[4]))
        return self.together(lambda: (200, issue) if issue else (404, {"message": "Not Found"}))

    def release(self, path, query, document):
        assets = self.server.assets
        if self.server.lapsed:
            self.server.lapsed = False
            return 401, {"message": "Bad credentials"}
        # A service that says nothing where an asset should be.
        if query.get("name") == "nothing":
            return 201, None
        if self.command == "POST" and path == ["1", "assets"]:
            asset = len(assets) + 1
            assets[asset] = (query["name"], self.headers["Content-Type"], document)
            return 201, {"id": asset, "name": query["name"], "size": len(document)}
        if path[:1] == ["assets"] and int(path[1]) in assets:
            return 200, assets[int(path[1])]
        return 404, {"message": "Not Found"}

    def rates(self, path, query, document):
        if self.headers.get("X-Api-Key") != KEY:
            return 401, {"message": "unknown key"}
        if path == ["v1", "currencies"]:
            return 200, ["CHF", "EUR", "USD"]
        if self.command == "POST" and path == ["v1", "alerts", "import"]:
            if query["base"] != "EUR":
                return 422, {"message": f"no currency {query['base']}"}
            digest = hashlib.sha256(document).hexdigest()
            return 200, {"alerts": document.count(b"\n"), "sha256": digest, "as": self.headers["Content-Type"]}
        if path == ["v1", "rates.csv"] and query["base"] == "EUR":
            return 200, ("EUR.csv", "text/csv", b"day,CHF,USD\n2025-01-31,0.94,1.04\n" * int(query.get("times", 1)))
        if self.command == "POST" and path[:2] == ["v1", "alerts"]:
            return 200, {"id": 7, "pair": "/".join(path[2:]), "above": document["above"]}
        if path != ["v1", "rates"]:
            return 404, {"message": "not found"}
        # A service that forgets a field.
        if query["base"] == "XXX":
            return 200, {"base": "XXX"}
        if query["base"] != "EUR":
            return 422, {"message": f"no currency {query['base']}"}
        rates = {"base": "EUR", "date": query.get("date", "2025-01-31"), "rates": {"CHF": 0.94, "USD": 1.04}}
        return self.together(lambda: (200, rates))

    def customers(self, path, query, document):
        if self.headers.get("Authorization") != f"Bearer {CUSTOMERS_KEY}":
            return 401, {"message": "Invalid API key"}
        if path == ["v1", "account"]:
            return 200, {"object": "account"}
        if path[:2] != ["v1", "customers"] or not path[2].startswith("cus_"):
            return 404, {"message": f"No such customer: {path[-1]}"}
        return self.together(lambda: (200, {"id": path[2], "name": "Customer 客"}))


if __name__ == "__main__":
    mock = Mock(int(sys.argv[1]))
    print(mock.url, flush=True)
    mock.serve_forever()
