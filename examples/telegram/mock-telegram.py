"""A mock of Telegram's Bot API, made for the cases of this example: loopback only.

    python3 mock-telegram.py [PORT [LATENCY_MS]]
"""
import email.parser, email.policy, json, sys, threading, time, urllib.parse as up
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
LAT = float(sys.argv[2]) / 1000 if len(sys.argv) > 2 else 0
TOKEN = "123456:AAE0123456789abcdefghijklmnopqrstuv"
CHAT = {"id": -1001234567890, "title": "Kites 🪁", "username": "kites", "type": "supergroup"}
files = {"BQACAgIAAx": ("documents/file_0.txt", b"It rains.\n")}
messages, lock, spent = {}, threading.Lock(), [0]
class H(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"; wbufsize = -1
    def log_message(self, *a): pass
    def out(self, status, body, kind="application/json", **headers):
        self.send_response(status); self.send_header("Content-Type", kind); self.send_header("Content-Length", str(len(body)))
        for k, v in headers.items(): self.send_header(k.replace("_", "-"), v)
        self.end_headers(); self.wfile.write(body)
    def ok(self, result): self.out(200, json.dumps({"ok": True, "result": result}, ensure_ascii=False).encode())
    def err(self, status, why, wait=None):
        doc = {"ok": False, "error_code": status, "description": why} | ({"parameters": {"retry_after": wait}} if wait else {})
        self.out(status, json.dumps(doc).encode(), **({"Retry_After": str(wait)} if wait else {}))
    def fields(self, query):
        """What was sent, by name; a file as its name and bytes."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)); kind = self.headers.get("Content-Type") or ""
        if kind.startswith("application/json"): return json.loads(body)
        if not kind.startswith("multipart/form-data"): return dict(up.parse_qsl(query))
        form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
        value = lambda part: (part.get_filename(), part.get_payload(decode=True)) if part.get_filename() else part.get_content().strip()
        return {part.get_param("name", header="content-disposition"): value(part) for part in form.iter_parts()}
    def file(self, sent, kind):
        if not isinstance(sent, tuple): return {"file_id": sent, "file_unique_id": "u-" + sent}
        with lock: n = len(files); known = f"new{n}"; files[known] = (f"{kind}s/file_{n}.{sent[0].rsplit('.')[-1]}", sent[1])
        return {"file_id": known, "file_unique_id": "u-" + known, "file_size": len(sent[1])} | ({"file_name": sent[0]} if kind == "document" else {"width": 1, "height": 1})
    def go(self):
        time.sleep(LAT)
        u = up.urlsplit(self.path); p = up.unquote(u.path).split("/"); f = self.fields(u.query)
        if "bot" + TOKEN not in p[1:3]: return self.err(401 if p[1] != "file" else 404, "Unauthorized" if p[1] != "file" else "Not Found")
        if p[1] == "file":
            found = [data for path, data in files.values() if path == "/".join(p[3:])]
            return self.out(200, found[0], "application/octet-stream") if found else self.err(404, "Not Found")
        if p[2] == "getMe": return self.ok({"id": 123456, "is_bot": True, "first_name": "Kites", "username": "kites_bot"})
        if p[2] == "getFile":
            if f.get("file_id") not in files: return self.err(400, "Bad Request: invalid file_id")
            path, data = files[f["file_id"]]
            return self.ok({"file_id": f["file_id"], "file_unique_id": "u-" + f["file_id"], "file_size": len(data), "file_path": path})
        if f.get("chat_id") not in (CHAT["id"], str(CHAT["id"]), "@kites"): return self.err(400, "Bad Request: chat not found")
        if p[2] == "getChat": return self.ok(CHAT | {"permissions": {"can_send_messages": True}})
        if p[2] == "deleteMessage":
            with lock: return self.ok(True) if messages.pop(int(f["message_id"]), 0) else self.err(400, "Bad Request: message to delete not found")
        said = {"sendMessage": ["text"], "sendPhoto": ["caption"], "sendDocument": ["caption"]}.get(p[2])
        if not said: return self.err(404, "Not Found")
        if f.get("text") == "limited" and not spent[0]: spent[0] = 1; return self.err(429, "Too Many Requests: retry after 2", 2)
        with lock: n = len(messages) + 1; messages[n] = 1
        message = {"message_id": n, "from": {"id": 123456, "is_bot": True}, "chat": CHAT, "date": 1764554400} | {k: f[k] for k in said if k in f}
        if p[2] == "sendPhoto": message["photo"] = [self.file(f["photo"], "photo")]
        if p[2] == "sendDocument": message["document"] = self.file(f["document"], "document")
        self.ok(message)
    do_GET = do_POST = go
server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), H)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
