"""A Redmine of its own for each test: a copy of the template that `setup` made, and a server on loopback. It goes with the test."""

import json
import pathlib
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from support import Server, free_port  # noqa: E402


class Redmine:
    def __init__(self):
        installed = subprocess.run([HERE / "setup"], check=True, capture_output=True, text=True).stdout.strip()
        self.folder = tempfile.TemporaryDirectory()
        instance = pathlib.Path(self.folder.name) / "instance"
        shutil.copytree(pathlib.Path(installed) / "template", instance)
        self.access = json.loads((instance / "access.json").read_text())
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        # One thread: SQLite has one writer, and who comes second is refused.
        command = [f"{installed}/redmine", instance, "puma", "--bind", f"tcp://127.0.0.1:{port}", "--threads", "1:1", "config.ru"]
        self.server = Server(command, f"{self.url}/issues.json", instance / "log" / "server.log")

    @property
    def by_key(self):
        return {"$credential": "redmineApi", "baseUrl": self.url, "apiKey": self.access["apiKey"]}

    @property
    def by_password(self):
        return {"$credential": "redmineBasicApi", "baseUrl": self.url, "user": self.access["user"], "password": self.access["password"]}

    def get(self, path):
        """What Redmine itself says, past the node."""
        request = urllib.request.Request(self.url + path, headers={"x-redmine-api-key": self.access["apiKey"]})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def stop(self):
        self.server.stop()
        self.folder.cleanup()


class TlsProxy:
    """TLS in front of a server, by a certificate that nobody signed but itself, made now."""

    def __init__(self, to, folder):
        self.certificate, key = folder / "proxy.pem", folder / "proxy.key"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
        command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", self.certificate]
        subprocess.run(command, check=True, capture_output=True)

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def forward(self):
                length = int(self.headers.get("content-length") or 0)
                kept = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
                request = urllib.request.Request(to + self.path, self.rfile.read(length) or None, kept, method=self.command)
                with urllib.request.urlopen(request, timeout=60) as answer:
                    body = answer.read()
                    self.send_response(answer.status)
                    self.send_header("content-type", answer.headers.get("content-type") or "application/octet-stream")
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = forward

        class Listener(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                """Who does not trust the certificate hangs up, which is the test."""

        self.server = Listener(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        # The handshake is the thread's of the connection, not of who waits for the next one.
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
