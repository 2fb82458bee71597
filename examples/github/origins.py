"""GitHub's own origins on this machine: an HTTP proxy leads each of its hosts to a server on loopback, by a certificate of its own.

So a run has GitHub's real URLs, of which no packet goes anywhere: `nodule run --proxy … --ca …`.
"""

import asyncio
import contextlib
import pathlib
import ssl
import subprocess
import threading

NAMES = ["api.github.com", "github.com", "uploads.github.com", "*.githubusercontent.com"]


def certificate(folder):
    """Makes a certificate of GitHub's names and who signs it, for as long as the folder lasts."""
    folder = pathlib.Path(folder)

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-days", "2", "-subj", "/CN=Tests", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *key, "-subj", "/CN=GitHub", "-keyout", "key.pem", "-out", "request.pem")
    (folder / "names").write_text("subjectAltName=" + ",".join(f"DNS:{name}" for name in NAMES))
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names"]
    openssl("x509", "-req", "-in", "request.pem", *signed, "-out", "certificate.pem")
    return folder


class Origins:
    """`places` has the port of each host, for servers of HTTP; `direct` that of servers which have the certificate themselves."""

    def __init__(self, folder, places, direct=None):
        self.folder, self.places, self.direct = folder, places, direct or {}
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.port = asyncio.run_coroutine_threadsafe(self.begin(), self.loop).result()

    @property
    def flags(self):
        """What a run needs to go here; uploads and downloads need a grant as well."""
        return ["--proxy", f"http://127.0.0.1:{self.port}", "--ca", self.folder / "ca.pem"]

    async def begin(self):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.folder / "certificate.pem", self.folder / "key.pem")
        self.servers = []
        for host, port in self.places.items():
            server = await asyncio.start_server(leads_to(port), "127.0.0.1", 0, ssl=context)
            self.servers.append(server)
            self.direct[host] = server.sockets[0].getsockname()[1]
        proxy = await asyncio.start_server(self.connect, "127.0.0.1", 0)
        self.servers.append(proxy)
        return proxy.sockets[0].getsockname()[1]

    async def connect(self, reader, writer):
        """`CONNECT api.github.com:443 HTTP/1.1`"""
        head = await reader.readuntil(b"\r\n\r\n")
        host = head.split()[1].decode().removesuffix(":443")
        if host not in self.direct:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
            return writer.close()
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await leads_to(self.direct[host])(reader, writer)

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)


def leads_to(port):
    """Copies what comes to a port of this machine, and back."""

    async def lead(reader, writer):
        with contextlib.suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(copy(reader, back), copy(there, writer))

    return lead


async def copy(reader, writer):
    with contextlib.suppress(OSError):
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
    writer.close()
