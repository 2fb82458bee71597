"""An HTTP proxy on loopback that is every host: it ends TLS with a certificate of its own, and forwards to one port."""

import socket
import ssl
import subprocess
import threading


class Named:
    """`ca` is the certificate to trust; `hosts` are those that were asked for."""

    def __init__(self, folder, port, names):
        self.port, self.hosts, self.ca = port, set(), folder / "ca.pem"
        key, names = folder / "key.pem", ",".join(f"DNS:{name}" for name in names)
        make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=s3", "-addext", f"subjectAltName={names}"]
        subprocess.run([*make, "-keyout", key, "-out", self.ca], check=True, capture_output=True)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(self.ca, key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=[client], daemon=True).start()

    def serve(self, client):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        self.hosts.add(head.split()[1].decode().rsplit(":")[0])
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        server = socket.create_connection(("127.0.0.1", self.port))
        client = self.tls.wrap_socket(client, server_side=True)
        back = threading.Thread(target=self.pump, args=[server, client], daemon=True)
        back.start()
        self.pump(client, server)
        back.join()
        server.close()
        client.close()

    @staticmethod
    def pump(one, other):
        try:
            while data := one.recv(65_536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def stop(self):
        self.listener.close()
