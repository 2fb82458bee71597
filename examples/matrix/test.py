"""Tests the node against a real Synapse: python3 -B examples/test.py matrix.

`NODULE_MATRIX_MESSAGES=5000` makes the proof of exactly-once as large as it was meant, and `NODULE_MATRIX_HISTORY=5000` the real history.
"""

import collections
import hashlib
import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import unittest
import urllib.parse

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(pathlib.Path(__file__).resolve().parent.parent)]

from faults import FaultyProxy, of_pieces  # noqa: E402
from support import ENVIRONMENT, NODULE, TARGET, Node, measured, nodule, workflows  # noqa: E402
from synapse import Synapse  # noqa: E402

COMPONENT = TARGET / "matrix.wasm"
MESSAGES = int(os.environ.get("NODULE_MATRIX_MESSAGES", 300))
HISTORY = int(os.environ.get("NODULE_MATRIX_HISTORY", 300))
MOCKED = 100_000
# A run's memory may grow by as much as this from a short listing to a long one: the pages that are on their way.
GROWTH_BYTES = 16 * 1024 * 1024
ROOM_OF_MOCK = "!long:matrix.test"


class WithSynapse(unittest.TestCase):
    lifetime = "30s"

    @classmethod
    def setUpClass(cls):
        cls.synapse = Synapse(cls.lifetime)
        cls.addClassCleanup(cls.synapse.stop)
        cls.ada, cls.bob = cls.synapse.register("ada", admin=True), cls.synapse.register("bob")
        cls.room = cls.ada.room("Kites", room_alias_name="kites")
        cls.node = cls.node_of(cls.ada.credential)
        cls.with_password = cls.node_of(cls.bob.password_credential)

    @classmethod
    def node_of(cls, credential):
        node = Node(COMPONENT, credential)
        cls.addClassCleanup(node.close)
        return node

    def one(self, operation, node=None, **item):
        """The one output of an item."""
        outputs = (node or self.node).outputs(operation.split("."), [item])
        self.assertEqual(len(outputs), 1, outputs)
        return outputs[0]

    def rows(self, operation, node=None, **item):
        return (node or self.node).outputs(operation.split("."), [item])

    def failure(self, operation, node=None, **item):
        results, _ = (node or self.node).run(operation.split("."), [item], status=1)
        return results[0]["error"]


class Operations(WithSynapse):
    def test_the_account_is_the_one_of_the_token_or_of_the_password(self):
        self.assertEqual(self.one("account.me")["user_id"], self.ada.id)
        me = self.one("account.me", self.with_password)
        self.assertEqual((me["user_id"], me["device_id"]), (self.bob.id, "NODULE"))

    def test_a_message_is_an_event_of_the_room(self):
        item = {"text": "<b>Hi</b>", "messageType": "m.notice", "messageFormat": "org.matrix.custom.html", "fallbackText": "Hi 🙂"}
        sent = self.one("message.create", roomId=self.room, **item)
        content = self.one("event.get", roomId=self.room, eventId=sent["event_id"])["content"]
        expected = {"msgtype": "m.notice", "body": "Hi 🙂", "format": "org.matrix.custom.html", "formatted_body": "<b>Hi</b>"}
        self.assertEqual(content, expected)

    def test_the_same_message_twice_is_two_events_without_a_transaction_id_and_one_with_it(self):
        room = self.ada.room("Twice")
        for _ in range(2):
            self.one("message.create", roomId=room, text="twice")
        first, second = (self.one("message.createOnce", roomId=room, text="once", transactionId="T/1") for _ in range(2))
        self.assertEqual(first["event_id"], second["event_id"])
        self.assertEqual(self.ada.messages(room), ["twice", "twice", "once"])

    def test_a_history_is_one_page_or_all_filtered_or_not(self):
        room = self.ada.room("History")
        for number in range(5):
            self.ada.send(room, str(number))
        newest = self.rows("message.getAll", roomId=room, limit=2)
        self.assertEqual([event["content"]["body"] for event in newest], ["4", "3"])
        messages = {"filter": '{"types":["m.room.message"]}'}
        every = self.rows("message.getAll", roomId=room, returnAll=True, dir="f", otherOptions=messages)
        self.assertEqual([event["content"]["body"] for event in every], ["0", "1", "2", "3", "4"])

    def test_a_room_may_be_named_by_its_link(self):
        link = {"mode": "url", "value": f"https://matrix.to/#/{self.room}?via=matrix.test"}
        self.assertIn(self.ada.id, self.members(link, membership="join"))

    def test_a_room_is_made_and_people_come_and_go(self):
        room = self.one("room.create", roomName="Lines", roomAlias="lines", preset="private_chat")["room_id"]
        for _ in range(2):
            self.assertEqual(self.one("room.invite", roomId=room, userId=self.bob.id), {})
        for name in ("#lines:matrix.test", room):
            self.assertEqual(self.one("room.join", self.with_password, roomIdOrAlias=name), {"room_id": room})
        self.assertEqual(self.members(room, membership="join"), {self.ada.id, self.bob.id})
        self.assertEqual(self.one("room.kick", roomId=room, userId=self.bob.id, reason="Telling unfunny jokes"), {})
        self.assertEqual(self.members(room, notMembership="join"), {self.bob.id})
        self.assertEqual(self.failure("room.kick", roomId=room, userId=self.bob.id)["status"], 403)
        for _ in range(2):
            self.assertEqual(self.one("room.leave", roomId=room), {})

    def members(self, room, **filters):
        return {member["state_key"] for member in self.rows("roomMember.getAll", roomId=room, filters=filters)}

    def test_a_file_comes_back_as_it_was_sent(self):
        size = 20 * 1024 * 1024
        file = pathlib.Path(self.node.folder.name) / "kite & line.bin"
        file.write_bytes(os.urandom(size))
        out = pathlib.Path(self.node.folder.name) / "out"
        nodule("run", COMPONENT, "media", "upload", "--file", f"data={file}", "--param", f"roomId={self.room}", "--param", "mediaType=file",
               "--credential", self.node.credential)
        content = self.rows("message.getAll", roomId=self.room, limit=1)[0]["content"]
        self.assertEqual((content["msgtype"], content["body"]), ("m.file", file.name))
        done = nodule("run", COMPONENT, "media", "download", "--param", f"contentUri={content['url']}", "--output-files", out,
                      "--credential", self.node.credential)
        came = json.loads(done.stdout)["files"]["data"]
        self.assertEqual((came["size"], came["fileName"]), (size, file.name))
        self.assertEqual(came["sha256"], hashlib.sha256(file.read_bytes()).hexdigest())

    def test_the_form_has_rooms_by_name_and_members_of_the_room(self):
        secret = self.ada.room("Secret")
        nameless = self.ada.ask("POST", "/createRoom", {"preset": "public_chat"})["room_id"]
        rooms = self.choices("message", "create", "roomId")
        self.assertEqual((rooms[secret], rooms[nameless]), ("Secret", nameless))
        self.assertEqual(self.choices("room", "kick", "userId", roomId=secret), {self.ada.id: "ada"})

    def choices(self, group, operation, parameter, **form):
        params = [f"--param={name}={value}" for name, value in form.items()]
        done = nodule("choices", COMPONENT, group, operation, f"{group}.{operation}.{parameter}", *params, "--credential", self.node.credential)
        return {choice["value"]: choice["label"] for choice in map(json.loads, done.stdout.splitlines())}


class Failures(WithSynapse):
    # So short that a session ends within a run. Not shorter than a request takes on a slow machine: it is renewed once for an item.
    lifetime = "4s"

    def test_an_unknown_token_and_a_wrong_password_are_matters_of_the_credential(self):
        for credential in (self.ada.credential | {"accessToken": "syt_unknown_0123456789"}, self.bob.password_credential | {"password": "wrong"}):
            node = self.node_of(credential)
            nodule("check-credential", COMPONENT, "--credential", node.credential, status=1)
            results, stderr = node.run(["account", "me"], [{}], status=None)
            kinds = [result["error"]["kind"] for result in results]
            self.assertTrue(kinds == ["unauthenticated"] or "unauthenticated" in stderr, (results, stderr))
        for node in (self.node, self.with_password):
            nodule("check-credential", COMPONENT, "--credential", node.credential)

    def test_what_the_server_does_not_know_has_its_code(self):
        failure = self.failure("event.get", roomId=self.room, eventId="$unknown")
        self.assertEqual((failure["kind"], failure["code"]), ("rejected", "M_NOT_FOUND"))

    def test_a_limit_is_waited_for(self):
        eve = self.synapse.register("eve")
        room = eve.room("Slow")
        self.synapse.slow_down(eve, self.ada.token)
        before = len(eve.messages(room))
        node = self.node_of(eve.credential)
        items = [{"roomId": room, "text": f"slow {number}", "transactionId": f"slow-{number}"} for number in range(3)]
        summary = pathlib.Path(node.folder.name) / "summary.json"
        node.run(["message", "createOnce"], items, "--summary", summary)
        self.assertGreater(json.loads(summary.read_text())["retries"], 0)
        self.assertEqual(sorted(eve.messages(room)[before:]), ["slow 0", "slow 1", "slow 2"])

    def test_a_session_that_ends_is_renewed_within_a_run(self):
        room = self.bob.room("Long")
        items = [{"roomId": room, "text": str(number), "transactionId": f"long-{number}"} for number in range(12)]
        summary = pathlib.Path(self.with_password.folder.name) / "summary.json"
        self.with_password.run(["message", "createOnce"], items, "--rate", "2/s", "--concurrency", 1, "--summary", summary)
        self.assertGreater(json.loads(summary.read_text())["renewals"], 0)
        self.assertEqual(self.bob.messages(room), [str(number) for number in range(12)])


class ExactlyOnce(WithSynapse):
    def start(self, command, log):
        with log.open("wb") as out:
            process = subprocess.Popen([NODULE, *map(str, command)], env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=out)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def wait(self, is_so):
        end = time.monotonic() + 60
        while not is_so():
            self.assertLess(time.monotonic(), end, "it did not come to that")
            time.sleep(0.02)

    def proxy(self, percent):
        proxy = FaultyProxy(self.synapse.port, of_pieces(percent))
        self.addCleanup(proxy.stop)
        return proxy

    def test_a_crash_between_the_event_and_its_answer_leaves_one_event(self):
        for user, credential in ((self.ada, self.ada.credential), (self.bob, self.bob.password_credential)):
            with self.subTest(credential["$credential"]):
                room = user.room("Crash")
                proxy = self.proxy(percent=0)
                proxy.swallows = b"/send/m.room.message/T1"
                node = self.node_of(credential | {"homeserverUrl": proxy.url})
                journal = pathlib.Path(node.folder.name) / "journal.sqlite"
                item = {"roomId": room, "text": "once", "transactionId": "T1"}
                command = node.command(["message", "createOnce"], [item], "--journal", journal)
                running = self.start(command, journal.with_suffix(".log"))
                self.wait(lambda: user.messages(room) == ["once"])
                self.assertIsNone(running.poll(), "the answer was to be kept back")
                running.kill()
                running.wait()
                proxy.swallows = None
                again = nodule(*command)
                event = json.loads(again.stdout)["json"]["event_id"]
                self.assertEqual(user.messages(room), ["once"])
                content = user.ask("GET", f"/rooms/{urllib.parse.quote(room)}/event/{event}")["content"]
                self.assertEqual(content["body"], "once")
                self.assertEqual(sum(b"/T1" in line for line in proxy.requests), 2)

    def test_each_message_is_on_the_server_exactly_once_whatever_breaks_off(self):
        for user, credential in ((self.ada, self.ada.credential), (self.bob, self.bob.password_credential)):
            with self.subTest(credential["$credential"]):
                self.send_them_all(user, credential)

    def send_them_all(self, user, credential, kills=5, percent=2):
        room = user.room("Broken")
        proxy = self.proxy(percent)
        node = self.node_of(credential | {"homeserverUrl": proxy.url})
        folder = pathlib.Path(node.folder.name)
        expected = [f"message {number} 🙂" for number in range(MESSAGES)]
        items = [{"roomId": room, "text": text, "transactionId": f"T{number}"} for number, text in enumerate(expected)]
        flags = ["--journal", folder / "journal.sqlite", "--retries", 20, "--summary", folder / "summary.json", "--output", folder / "results.jsonl"]
        command = node.command(["message", "createOnce"], items, *flags)
        began = time.monotonic()
        for kill in range(kills):
            running = self.start(command, folder / "log")
            sent = MESSAGES * (kill + 1) // (kills + 1)
            self.wait(lambda: len(proxy.requests) >= sent or running.poll() is not None)
            self.assertIsNone(running.poll(), f"kill {kill}: the run was over: {(folder / 'log').read_text()}")
            running.kill()
            running.wait()
        nodule(*command, timeout=3_600)
        took = time.monotonic() - began
        results = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
        self.assertEqual(len({result["json"]["event_id"] for result in results}), MESSAGES)
        self.assertEqual(collections.Counter(user.messages(room)), collections.Counter(expected))
        lines = collections.Counter(line for line in proxy.requests if b"/send/" in line)
        again = lines.total() - len(lines)
        summary = json.loads((folder / "summary.json").read_text())
        print(f"\n{credential['$credential']}: {MESSAGES} messages, {kills} kills, {proxy.faults} faults, {again} requests came to the server again, "
              f"{summary['again']} results from the journal at the end, {took:.0f} s", file=sys.stderr)
        # That none is there twice is only worth something where some were sent twice.
        self.assertGreater(again, 0)
        self.assertGreater(proxy.faults, 0)


class Mock(http.server.BaseHTTPRequestHandler):
    """A room with MOCKED messages, in the shape of Synapse's answers."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlparse(self.path).query))
        first, limit = int(query.get("from", "t0")[1:]), int(query["limit"])
        last = min(first + limit, MOCKED)
        page = {"chunk": [self.event(number) for number in range(first, last)], "start": f"t{first}"}
        if last < MOCKED:
            page["end"] = f"t{last}"
        body = json.dumps(page).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @staticmethod
    def event(number):
        return {
            "type": "m.room.message", "room_id": ROOM_OF_MOCK, "sender": "@ada:matrix.test", "user_id": "@ada:matrix.test",
            "content": {"body": f"message {number} 🙂", "msgtype": "m.text"}, "origin_server_ts": 1_796_100_731_945 + number,
            "event_id": f"$7d4_kSxLYNvE1fNiQS5zg8CsNOjF2hJLgKi_N{number:07}", "unsigned": {"age": number, "membership": "join"}, "age": number,
        }

    def log_message(self, *_):
        pass


class History(WithSynapse):
    def listed(self, node, room, *flags):
        """The bodies of all messages that a run lists, the seconds that it takes, and the most memory that it has, in bytes."""
        out = pathlib.Path(node.folder.name) / "rows.jsonl"
        messages = {"filter": '{"types":["m.room.message"]}'}
        item = {"roomId": room, "returnAll": True, "otherOptions": messages}
        command = node.command(["message", "getAll"], [item], "--output", out, *flags)
        seconds, most = measured(*command)
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        bodies = [row["json"]["content"]["body"] for row in rows if "json" in row]
        return bodies, seconds, most

    def test_a_real_history_has_every_message_once(self):
        room = self.ada.room("Real history")
        expected = [str(number) for number in range(HISTORY)]
        items = [{"roomId": room, "text": text, "transactionId": f"H{text}"} for text in expected]
        self.node.outputs(["message", "createOnce"], items, "--concurrency", 1)
        bodies, took, peak = self.listed(self.node, room)
        self.assertEqual(bodies, expected[::-1])
        print(f"\n{HISTORY} messages of Synapse in {took:.1f} s, {peak / 1024 ** 2:.0f} MB", file=sys.stderr)

    def test_a_hundred_thousand_messages_take_no_more_memory_than_a_thousand(self):
        mock = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mock)
        self.addCleanup(mock.server_close)
        self.addCleanup(mock.shutdown)
        threading.Thread(target=mock.serve_forever, daemon=True).start()
        node = self.node_of(self.ada.credential | {"homeserverUrl": f"http://127.0.0.1:{mock.server_address[1]}"})
        few, _, least = self.listed(node, ROOM_OF_MOCK, "--limit", 1_000)
        bodies, took, peak = self.listed(node, ROOM_OF_MOCK)
        self.assertEqual(len(few), 1_000)
        self.assertEqual(bodies, [f"message {number} 🙂" for number in range(MOCKED)])
        print(f"\n{MOCKED} messages of a mock in {took:.1f} s, {peak / 1024 ** 2:.0f} MB; 1000 of them {least / 1024 ** 2:.0f} MB", file=sys.stderr)
        self.assertLess(peak - least, GROWTH_BYTES)


class Workflows(unittest.TestCase):
    def test_those_of_n8ns_node_send_the_same(self):
        workflows(self, "matrix")


if __name__ == "__main__":
    unittest.main()
