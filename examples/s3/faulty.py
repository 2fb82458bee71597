"""A TCP proxy on loopback that breaks connections, some before the first byte, some in the middle of what is sent or answered."""

import random
import socket
import threading

PIECE_BYTES = 16 * 1024


def at_random(seed, chance):
    """Breaks so many of the pieces of 16 KiB."""
    numbers = random.Random(seed)
    return lambda size: numbers.random() < chance * max(size / PIECE_BYTES, 0.2)


def once_behind(bytes_left):
    """Breaks one connection, when so many bytes have passed."""
    def breaks(size):
        nonlocal bytes_left
        before, bytes_left = bytes_left, bytes_left - size
        return before > 0 >= bytes_left
    return breaks


class Faulty:
    """Forwards to a port. `breaks` is asked for each connection, of 0 bytes, and for each piece; `broken` counts."""

    def __init__(self, port, breaks):
        self.port, self.breaks, self.broken, self.lock = port, breaks, 0, threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=[client], daemon=True).start()

    def is_broken(self, size):
        with self.lock:
            broken = self.breaks(size)
            self.broken += broken
            return broken

    def serve(self, client):
        try:
            server = None if self.is_broken(0) else socket.create_connection(("127.0.0.1", self.port))
        except OSError:
            server = None
        if server is None:
            return self.cut(client)
        for one, other in ((client, server), (server, client)):
            threading.Thread(target=self.pump, args=[one, other], daemon=True).start()

    def pump(self, one, other):
        try:
            while data := one.recv(PIECE_BYTES):
                if self.is_broken(len(data)):
                    other.sendall(data[: len(data) // 2])
                    break
                other.sendall(data)
        except OSError:
            pass
        self.cut(one)
        self.cut(other)

    @staticmethod
    def cut(connection):
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        connection.close()

    def stop(self):
        self.listener.close()
