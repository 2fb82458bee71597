"""A mock of Stripe's customers, made for the cases of this example: loopback only.

    python3 mock-stripe.py [PORT [LATENCY_MS]]
"""
import json, sys, threading, time, urllib.parse as up
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
KEY = "sk_test_0123456789abcdefghij"
LAT = float(sys.argv[2]) / 1000 if len(sys.argv) > 2 else 0
customers, keys, lock, n = {}, {}, threading.Lock(), [0]
faults = {"throttle": 0}
def make(form):
    n[0] += 1
    c = {"id": f"cus_{n[0]:05d}", "object": "customer", "created": 1700000000 + n[0], "livemode": False, "metadata": {}, "status": "active"}
    c.update({k: None for k in ("email", "name", "description", "phone")})
    apply(c, form); customers[c["id"]] = c; return c
def apply(c, form):
    for k, v in form:
        if k.startswith("metadata["): c["metadata"][k[9:-1]] = v
        else: c[k] = v
for i in range(250): make([("email", f"c{i}@example.com"), ("name", f"Customer {i} 客")])
class H(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"; wbufsize = -1
    def log_message(self, *a): pass
    def out(self, status, doc, **h):
        b = json.dumps(doc).encode()
        self.send_response(status); self.send_header("Content-Type", "application/json"); self.send_header("Content-Length", str(len(b)))
        self.send_header("Request-Id", f"req_{n[0]}")
        for k, v in h.items(): self.send_header(k.replace("_", "-"), v)
        self.end_headers(); self.wfile.write(b)
    def err(self, status, type, msg, **h): self.out(status, {"error": {"type": type, "message": msg}}, **h)
    def go(self):
        time.sleep(LAT)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if self.headers.get("Authorization") != "Bearer " + KEY:
            return self.err(401, "invalid_request_error", "Invalid API Key provided: sk_test_****")
        u = up.urlsplit(self.path); q = dict(up.parse_qsl(u.query)); p = u.path; m = self.command
        form = up.parse_qsl(body, keep_blank_values=True)
        if m == "POST" and self.headers.get("Content-Type") != "application/x-www-form-urlencoded":
            return self.err(400, "invalid_request_error", "content type")
        with lock:
            if p == "/v1/balance": return self.out(200, {"object": "balance"})
            if p == "/v1/customers" and m == "GET":
                rows = [c for c in reversed(customers.values()) if "email" not in q or c["email"] == q["email"]]
                if "starting_after" in q:
                    i = next((i for i, c in enumerate(rows) if c["id"] == q["starting_after"]), None)
                    if i is None: return self.err(400, "invalid_request_error", "No such customer: " + q["starting_after"])
                    rows = rows[i + 1:]
                l = int(q.get("limit", 10))
                return self.out(200, {"object": "list", "url": "/v1/customers", "has_more": len(rows) > l, "data": rows[:l]})
            if p == "/v1/customers" and m == "POST":
                k = self.headers.get("Idempotency-Key")
                if k in keys: return self.out(200, keys[k], Idempotent_Replayed="true")
                if dict(form).get("email") == "throttle@example.com" and faults["throttle"] < 1:
                    faults["throttle"] += 1; return self.err(429, "rate_limit", "Too many requests", Retry_After="1")
                c = make(form)
                if k: keys[k] = json.loads(json.dumps(c))
                return self.out(200, c)
            id = up.unquote(p.removeprefix("/v1/customers/")); c = customers.get(id)
            if not c: return self.err(404, "invalid_request_error", f"No such customer: '{id}'")
            if m == "GET": return self.out(200, c)
            if m == "POST": apply(c, form); return self.out(200, c)
            if m == "DELETE": del customers[id]; return self.out(200, {"id": id, "object": "customer", "deleted": True})
        self.err(404, "invalid_request_error", "Unrecognized request URL")
    do_GET = do_POST = do_DELETE = go
server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), H)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
