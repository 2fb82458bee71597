"""A mock of GitHub's issues, made for the cases of this example: loopback only.

    python3 mock-github.py [PORT [LATENCY_MS]]
"""
import json, sys, threading, time, urllib.parse as up
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
LAT = float(sys.argv[2]) / 1000 if len(sys.argv) > 2 else 0
TOKEN = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
issues, lock, spent = {}, threading.Lock(), [0]
def make(title, **k):
    n = len(issues) + 1
    issues[n] = dict(id=10_000_000_000_000_000_000 + n, number=n, title=title, state="open", locked=False, body=None, labels=[], assignees=[], milestone=None, status="a field named status", code=7) | k
    return issues[n]
for i in range(230): make(f"Issue {i} 🙂")
label = lambda l: {"name": l, "color": "ededed"}
class H(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"; wbufsize = -1
    def log_message(self, *a): pass
    def out(self, status, doc, **h):
        b = b"" if doc is None else json.dumps(doc).encode()
        self.send_response(status); self.send_header("Content-Type", "application/json; charset=utf-8")
        if status != 204: self.send_header("Content-Length", str(len(b)))
        self.send_header("X-GitHub-Request-Id", "ABCD:1234"); self.send_header("X-RateLimit-Remaining", h.pop("remaining", "4999"))
        for k, v in h.items(): self.send_header(k.replace("_", "-"), v)
        self.end_headers(); self.wfile.write(b)
    def err(self, s, m, **h): self.out(s, {"message": m, "documentation_url": "https://docs.github.com/rest", "status": str(s)}, **h)
    def go(self):
        time.sleep(LAT)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if self.headers.get("Authorization") != "Bearer " + TOKEN: return self.err(401, "Bad credentials")
        if self.headers.get("X-GitHub-Api-Version") != "2022-11-28" or not self.headers.get("User-Agent"): return self.err(403, "Request forbidden by administrative rules.")
        u = up.urlsplit(self.path); q = dict(up.parse_qsl(u.query)); m = self.command; doc = json.loads(body) if body else {}
        if u.path == "/user": return self.out(200, {"login": "octocat"})
        if u.path == "/search/users": return self.out(200, {"total_count": 2, "items": [{"login": l} for l in ("octocat", "octodog") if q["q"] in l or ":" in q["q"]]})
        if u.path == "/users/octocat/repos": return self.out(200, [{"name": "hello", "description": "My first repository"}, {"name": "spoon-knife", "description": None}])
        if u.path == "/repos/octocat/hello/labels": return self.out(200, [label(l) | {"description": "Something is wrong"} for l in ("bug", "wontfix")])
        p = [up.unquote(x) for x in u.path.split("/")]   # '', repos, o, r, issues, n, labels, name
        if p[1:5] != ["repos", "octocat", "hello", "issues"]: return self.err(404, "Not Found")
        with lock:
            if len(p) == 5 and m == "GET":
                rows = [i for i in reversed(issues.values()) if q.get("state", "open") in ("all", i["state"])]
                if q.get("labels"): rows = [i for i in rows if set(q["labels"].split(",")) <= {l["name"] for l in i["labels"]}]
                per, page = int(q.get("per_page", 30)), int(q.get("page", 1)); last = (len(rows) + per - 1) // per
                h = {}
                if page < last:
                    url = lambda n: f"<http://127.0.0.1:{self.server.server_port}{u.path}?{up.urlencode(q | {'page': n, 'per_page': per})}>"
                    h["Link"] = f'{url(page + 1)}; rel="next", {url(last)}; rel="last"'
                return self.out(200, rows[(page - 1) * per: page * per], **h)
            if len(p) == 5 and m == "POST":
                if doc["title"] == "limited" and not spent[0]: spent[0] = 1; return self.err(403, "API rate limit exceeded", remaining="0", X_RateLimit_Reset=str(int(time.time()) + 2))
                return self.out(201, make(doc["title"], body=doc.get("body"), labels=[label(l) for l in doc.get("labels", [])], assignees=[{"login": a} for a in doc.get("assignees", [])]))
            i = issues.get(int(p[5])) if p[5].isdigit() else None
            if not i: return self.err(404, "Not Found")
            if len(p) == 6 and m == "GET": return self.out(200, i)
            if len(p) == 6 and m == "PATCH":
                if "labels" in doc: doc["labels"] = [label(l) for l in doc["labels"]]
                i.update(doc); return self.out(200, i)
            if p[6] == "lock" and m == "PUT": i["locked"] = True; return self.out(204, None)
            if p[6] == "labels" and m == "POST": i["labels"] += [label(l) for l in doc["labels"] if l not in {x["name"] for x in i["labels"]}]; return self.out(200, i["labels"])
            if p[6] == "labels" and m == "DELETE":
                if p[7] not in {x["name"] for x in i["labels"]}: return self.err(404, "Label does not exist")
                i["labels"] = [x for x in i["labels"] if x["name"] != p[7]]; return self.out(200, i["labels"])
        self.err(404, "Not Found")
    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = go
server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), H)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
