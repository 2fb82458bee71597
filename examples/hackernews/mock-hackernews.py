"""A mock of Algolia's API for Hacker News, made for the cases and tests of this example: loopback only.

    python3 mock-hackernews.py FOLDER [LATENCY_MS]

The node asks https://hn.algolia.com and nothing else, so this is a proxy that answers for that name: it says its URL, and the certificate that
it made in FOLDER and that has to be trusted. `GET URL/most` says how many requests were under way at once.
"""
import json, pathlib, ssl, subprocess, sys, threading, time, urllib.parse as up
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
HOST = "hn.algolia.com"
LAT = float(sys.argv[2]) / 1000 if len(sys.argv) > 2 else 0
cert, key = (pathlib.Path(sys.argv[1]) / name for name in ("hackernews.pem", "hackernews.key"))
subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}",
                "-keyout", key, "-out", cert], check=True, capture_output=True)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); tls.load_cert_chain(cert, key)
AT = 1764554400
# By the tags of the search; 42 of them are on the front page.
KINDS = [("Show HN: A kite that steers itself", ["story", "show_hn"]), ("Ask HN: Who flies kites?", ["story", "ask_hn"]), ("The wind 🪁", ["story"]), ("Best line?", ["story", "poll"])]
def item(n):
    title, tags = KINDS[n % 4]
    return {"created_at": "2025-12-01T02:00:00Z", "created_at_i": AT, "title": title, "url": f"https://kites.example/{n}", "author": f"kite{n % 3}", "points": n, "story_text": None,
            "num_comments": 2, "story_id": n, "objectID": str(n), "_tags": tags + [f"author_kite{n % 3}", f"story_{n}"] + (["front_page"] if n <= 42 else [])}
STORIES = [item(n) for n in range(1, 251)]
def comment(n, parent, text, children=()):
    return {"id": n, "created_at": "2025-12-01T03:00:00.000Z", "created_at_i": AT + 3600, "type": "comment", "author": "kite0", "title": None, "url": None, "text": text, "points": None,
            "parent_id": parent, "story_id": parent, "options": [], "children": list(children)}
lock, now, most = threading.Lock(), [0], [0]
class H(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"; wbufsize = -1
    def log_message(self, *a): pass
    def out(self, status, doc):
        body = json.dumps(doc, ensure_ascii=False).encode()
        self.send_response(status); self.send_header("Content-Type", "application/json; charset=utf-8"); self.send_header("Content-Length", str(len(body)))
        self.end_headers(); self.wfile.write(body); self.wfile.flush()
    def do_CONNECT(self):
        self.close_connection = True
        if self.path != f"{HOST}:443": return self.send_error(502)
        self.send_response(200); self.end_headers(); self.wfile.flush()
        try:
            with tls.wrap_socket(self.connection, server_side=True) as inner: H(inner, self.client_address, self.server)
        except OSError: pass  # Who does not trust the certificate hangs up.
    def do_GET(self):
        u = up.urlsplit(self.path); q = dict(up.parse_qsl(u.query)); p = u.path.split("/")[1:]
        if p == ["most"]: return self.out(200, most[0])
        with lock: now[0] += 1; most[0] = max(most[0], now[0])
        time.sleep(LAT)
        with lock: now[0] -= 1
        if p[:2] != ["api", "v1"]: return self.out(404, {"message": "Not Found", "status": 404})
        if p[2] == "search":
            size, page, tags = min(int(q.get("hitsPerPage", 20)), 1000), int(q.get("page", 0)), [t for t in q.get("tags", "").split(",") if t]
            hits = [s for s in STORIES if all(t in s["_tags"] for t in tags) and q.get("query", "").lower() in s["title"].lower()]
            return self.out(200, {"hits": hits[page * size:(page + 1) * size], "nbHits": len(hits), "page": page, "nbPages": -(-len(hits) // size), "hitsPerPage": size,
                                  "exhaustiveNbHits": True, "query": q.get("query", ""), "params": u.query, "processingTimeMS": 1})
        n = int(p[3]) if p[2] == "items" and p[3].isdigit() else 0
        if 0 < n <= len(STORIES):
            s = STORIES[n - 1]
            story = {"id": n, "created_at": "2025-12-01T02:00:00.000Z", "created_at_i": AT, "type": "story", "author": s["author"], "title": s["title"], "url": s["url"], "text": None,
                     "points": n, "parent_id": None, "story_id": n, "options": []}
            return self.out(200, story | {"children": [comment(1000 + n, n, "It flies.", [comment(2000 + n, 1000 + n, "So it does.")])]})
        if p[2] == "users" and up.unquote(p[3]).startswith("kite"): return self.out(200, {"username": up.unquote(p[3]), "about": "Flies kites.", "karma": 42})
        self.out(404, {"status": 404, "error": "Not Found"})
server = ThreadingHTTPServer(("127.0.0.1", 0), H); server.daemon_threads = True
print(f"http://127.0.0.1:{server.server_port} {cert}", flush=True)
server.serve_forever()
