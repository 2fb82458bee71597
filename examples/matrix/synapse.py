"""A Synapse of one's own, with users, for the tests and for recordings. examples/matrix/setup installs it.

`python3 -B examples/matrix/synapse.py` serves until SIGTERM. When it is ready, it prints two users' credentials as a line of JSON.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import pathlib
import secrets
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from support import HERE, Server, free_port  # noqa: E402

FOLDER = HERE / "matrix"
NAME = "matrix.test"
# Enough never to be met.
UNLIMITED = {"per_second": 100_000, "burst_count": 100_000}


def configuration(folder, port, secret, lifetime):
    """As JSON, which is YAML."""
    address = {"address": UNLIMITED, "account": UNLIMITED, "failed_attempts": UNLIMITED}
    return json.dumps({
        "server_name": NAME,
        "public_baseurl": f"http://127.0.0.1:{port}/",
        "listeners": [{"port": port, "bind_addresses": ["127.0.0.1"], "type": "http", "resources": [{"names": ["client"]}]}],
        "database": {"name": "sqlite3", "args": {"database": f"{folder}/homeserver.db"}},
        "media_store_path": f"{folder}/media",
        "signing_key": f"ed25519 test {base64.b64encode(secrets.token_bytes(32)).decode().rstrip('=')}",
        "macaroon_secret_key": secrets.token_hex(16),
        "form_secret": secrets.token_hex(16),
        "registration_shared_secret": secret,
        "trusted_key_servers": [],
        "report_stats": False,
        "federation_domain_whitelist": [],
        "presence": {"enabled": False},
        "stats": {"enabled": False},
        "enable_search": False,
        "max_upload_size": "100M",
        "refreshable_access_token_lifetime": lifetime,
        "rc_message": UNLIMITED,
        "rc_registration": UNLIMITED,
        "rc_login": address,
        "rc_joins": {"local": UNLIMITED, "remote": UNLIMITED},
        "rc_joins_per_room": UNLIMITED,
        "rc_invites": {"per_room": UNLIMITED, "per_user": UNLIMITED, "per_issuer": UNLIMITED},
        "rc_room_creation": UNLIMITED,
        "rc_media_create": UNLIMITED,
    })


class Synapse:
    """A homeserver with an empty database, until `stop`. `lifetime` is how long a session of a password lives."""

    def __init__(self, lifetime="30s"):
        installed = subprocess.run([FOLDER / "setup"], check=True, capture_output=True, text=True).stdout.strip()
        self.folder = tempfile.TemporaryDirectory()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.secret = secrets.token_hex(16)
        config = pathlib.Path(self.folder.name) / "homeserver.yaml"
        config.write_text(configuration(self.folder.name, self.port, self.secret, lifetime))
        python = pathlib.Path(installed) / "python" / "bin" / "python"
        command = [python, "-m", "synapse.app.homeserver", "--config-path", config]
        self.server = Server(command, f"{self.url}/_matrix/client/versions", f"{self.folder.name}/log", cwd=self.folder.name)

    def register(self, user, admin=False):
        """A user with a password and an access token."""
        path, password = "/_synapse/admin/v1/register", f"correct horse {user}"
        nonce = self.ask("GET", path)["nonce"]
        said = "\0".join([nonce, user, password, "admin" if admin else "notadmin"])
        mac = hmac.new(self.secret.encode(), said.encode(), hashlib.sha1).hexdigest()
        body = {"nonce": nonce, "username": user, "password": password, "admin": admin, "mac": mac}
        return User(self, f"@{user}:{NAME}", password, self.ask("POST", path, body)["access_token"])

    def ask(self, method, path, body=None, token=None):
        """The answer to a request, or urllib's error with it."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        if token:
            request.add_header("authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def slow_down(self, user, admin_token):
        """The user may send a message each second, and has just sent one."""
        path = f"/_synapse/admin/v1/users/{user.id}/override_ratelimit"
        self.ask("POST", path, {"messages_per_second": 1, "burst_count": 1}, admin_token)
        room = user.ask("GET", "/joined_rooms")["joined_rooms"][0]
        with contextlib.suppress(urllib.error.HTTPError):
            while True:
                user.send(room, "one more")

    def stop(self):
        self.server.stop()
        self.folder.cleanup()


class User:
    """Who is logged in, and what they do without the node."""

    def __init__(self, synapse, id, password, token):
        self.synapse, self.id, self.password, self.token = synapse, id, password, token

    def ask(self, method, path, body=None):
        return self.synapse.ask(method, f"/_matrix/client/v3{path}", body, self.token)

    def room(self, name, **more):
        return self.ask("POST", "/createRoom", {"name": name, "preset": "public_chat"} | more)["room_id"]

    def send(self, room, text):
        """The ID of a message that is sent."""
        path = f"/rooms/{urllib.parse.quote(room)}/send/m.room.message/{secrets.token_hex(16)}"
        return self.ask("PUT", path, {"msgtype": "m.text", "body": text})["event_id"]

    def upload(self, name, data):
        """The URI of a file that is uploaded."""
        url = f"{self.synapse.url}/_matrix/media/v3/upload?filename={urllib.parse.quote(name)}"
        request = urllib.request.Request(url, data, {"authorization": f"Bearer {self.token}", "content-type": "image/png"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["content_uri"]

    def messages(self, room):
        """The bodies of all messages of a room, oldest first."""
        path, bodies = f"/rooms/{urllib.parse.quote(room)}/messages?dir=f&limit=1000", []
        start = ""
        while True:
            page = self.ask("GET", path + start)
            bodies += [event["content"].get("body") for event in page["chunk"] if event["type"] == "m.room.message"]
            if "end" not in page or not page["chunk"]:
                return bodies
            start = f"&from={page['end']}"

    @property
    def credential(self):
        return {"$credential": "matrixApi", "homeserverUrl": self.synapse.url, "accessToken": self.token}

    @property
    def password_credential(self):
        return {"$credential": "matrixPasswordApi", "homeserverUrl": self.synapse.url, "user": self.id, "password": self.password}


def main():
    # Before it starts: a test may end at any time.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    synapse = Synapse()
    try:
        ada, bob = synapse.register("ada"), synapse.register("bob")
        print(json.dumps({"ada": ada.credential, "bob": bob.password_credential}), flush=True)
        signal.pause()
    finally:
        synapse.stop()


if __name__ == "__main__":
    main()
