"""A TCP proxy that breaks what goes through it: for tests of what a run does about it."""

import random
import re
import socket
import socketserver
import threading

PIECE_BYTES = 64 * 1024


def of_pieces(percent, seed=0):
    """Breaks so many of a hundred pieces, by chance but the same each time."""
    chance = random.Random(seed)
    return lambda size: size > 0 and chance.random() * 100 < percent


def by_size(seed, chance):
    """Breaks pieces of 16 KiB by this chance, others by their size; and some connections before anything is sent."""
    numbers = random.Random(seed)
    return lambda size: numbers.random() < chance * max(size / 16_384, 0.2)


def once_behind(bytes_left):
    """Breaks one connection, when so many bytes have passed."""
    def breaks(size):
        nonlocal bytes_left
        before, bytes_left = bytes_left, bytes_left - size
        return before > 0 >= bytes_left
    return breaks


class FaultyProxy(socketserver.ThreadingTCPServer):
    """Passes on what it is sent to a port of this machine, and breaks off now and then: `breaks` is asked with the size of each piece,
    and with 0 for each connection. A piece that breaks off is lost, or half of it is, and its connection ends. `faults` counts.

    `requests` has each request line as often as its whole piece was passed on, in the order in which it was.
    """

    allow_reuse_address = daemon_threads = True
    request_queue_size = 256

    def __init__(self, port, breaks):
        self.port, self.breaks, self.chance = port, breaks, random.Random(0)
        self.requests, self.faults = [], 0
        # A request with this in it is passed on, and its answer is not.
        self.swallows = None
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), Connection)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def stop(self):
        self.shutdown()
        self.server_close()

    def fate(self, size):
        """How much of a piece is passed on: all, half or nothing."""
        with self.lock:
            if not self.breaks(size):
                return 1
            self.faults += 1
            return self.chance.choice([0.5, 0])

    def saw(self, piece):
        with self.lock:
            self.requests += re.findall(rb"^[A-Z]+ [^ ]+(?= HTTP/1)", piece, re.MULTILINE)


class Connection(socketserver.BaseRequestHandler):
    is_silent = False

    def handle(self):
        if self.server.fate(0) != 1:
            return
        with socket.create_connection(("127.0.0.1", self.server.port)) as service:
            answers = threading.Thread(target=self.pass_on, args=(service, self.request, True), daemon=True)
            answers.start()
            self.pass_on(self.request, service, False)
            answers.join()

    def pass_on(self, source, target, are_answers):
        try:
            while piece := source.recv(PIECE_BYTES):
                if are_answers and self.is_silent:
                    continue
                if not are_answers and self.server.swallows and self.server.swallows in piece:
                    self.is_silent = True
                part = self.server.fate(len(piece))
                target.sendall(piece[:int(len(piece) * part)])
                if part != 1:
                    break
                if not are_answers:
                    self.server.saw(piece)
        except OSError:
            pass
        finally:
            # The other direction ends as well.
            for end in (source, target):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
