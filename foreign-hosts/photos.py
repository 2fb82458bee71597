"""A service of photos, for the cases with files: it says how much it got, and gives one photo."""

import hashlib
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PHOTO = bytes(range(256)) * 4_000


@contextmanager
def photos():
    """Its base URL, and a function that takes what was sent to it."""
    sent = []

    class Photos(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, status, body, headers=()):
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def take(self):
            body = self.rfile.read(int(self.headers["content-length"] or 0))
            kind = self.headers["content-type"] or ""
            # Each form has a boundary of its own.
            if boundary := re.search("boundary=(.*)", kind):
                body, kind = body.replace(boundary[1].encode(), b""), kind.replace(boundary[1], "")
            digest = hashlib.sha256(body).hexdigest()
            sent.append([self.command, self.path, kind, len(body), digest, self.headers["authorization"]])
            if "refused" in self.path:
                self.answer(404, b'{"message": "no such photo"}')
            elif self.command == "GET":
                about = [("content-type", "image/png"), ("content-disposition", 'attachment; filename="p.png"')]
                self.answer(200, PHOTO, about)
            else:
                self.answer(200, json.dumps({"size": len(body), "sha256": digest}).encode())

        do_GET = do_PUT = do_POST = take

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Photos)
    # A host that ends leaves its connections.
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", lambda: [sent.pop(0) for _ in range(len(sent))]
    finally:
        server.shutdown()
        server.server_close()
