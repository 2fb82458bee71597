"""The real host, beside a simulator of the service."""

import http.server
import io
import json
import os
import signal
import threading
import urllib.request

from nodule_client import CutShort, Failure, Host, HostUnavailable, RequestRefused

from .support import COMPONENT, TARGET, RealHost, members


def adjustments(count, name):
    for number in range(count):
        yield {"accountCode": f"M{number}", "operationId": f"{name}-{number}", "pointValue": 1, "effectiveEndTime": "2030-12-31"}


class Echo(http.server.BaseHTTPRequestHandler):
    """A service that answers with what it is sent."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *request):
        if request:
            super().__init__(*request)

    def start(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/x-test")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Loading(RealHost):
    def test_bytes_and_paths_are_the_same_component(self):
        by_bytes = self.host.load(COMPONENT.read_bytes(), digest=self.node.digest)
        by_path = self.host.load(COMPONENT, by_path=True, digest=self.node.digest)
        self.assertEqual({one.digest for one in (self.node, by_bytes, by_path)}, {self.node.digest})
        self.assertEqual((self.node.name, self.node.version), ("socialHub", "1"))

    def test_another_digest_is_refused(self):
        for by_path in (False, True):
            with self.assertRaises(RequestRefused):
                self.host.load(COMPONENT, digest="sha256:" + "0" * 64, by_path=by_path)

    def test_the_host_reads_below_its_folders_only(self):
        elsewhere = self.folder.parent / f"nodule-{os.getpid()}.wasm"
        elsewhere.write_bytes(COMPONENT.read_bytes())
        self.addCleanup(elsewhere.unlink)
        with self.assertRaises(RequestRefused):
            self.host.load(elsewhere, by_path=True)
        self.assertEqual(self.host.load(elsewhere).digest, self.node.digest)

    def test_it_describes_itself_in_four_forms(self):
        operations = {(one["group"], one["name"]) for one in self.node.describe()["operations"]}
        self.assertIn(("member", "getMember"), operations)
        self.assertIsInstance(self.node.describe("n8n"), dict)
        for form in ("markdown", "text"):
            self.assertIn("getMember", self.node.describe(form))

    def test_a_component_that_was_forgotten_runs_no_more(self):
        with self.started() as host:
            node = host.load(COMPONENT)
            node.forget()
            with self.assertRaises(RequestRefused):
                node.run("member", "getMember", [])

    def test_it_says_what_it_is(self):
        self.assertEqual(self.host.openapi()["openapi"][:2], "3.")
        self.assertIn("version", self.host.status())

    def test_another_token_is_refused(self):
        self.assertIn("version", Host.connect(self.host.socket, self.host.token).status())
        with self.assertRaises(RequestRefused) as raised:
            Host.connect(self.host.socket, "x" * 64).status()
        self.assertEqual(raised.exception.status, 401)


class Running(RealHost):
    def run_members(self, count=3, **options):
        return self.node.run("member", "getMember", members(count), credential=self.credential, **options)

    def test_each_item_has_its_result_in_order(self):
        with self.run_members(1000) as run:
            results = list(run)
        self.assertEqual([result.item for result in results], list(range(1000)))
        self.assertEqual({result.get()[0]["data"]["cardNo"] for result in results}, {f"M{number}" for number in range(1000)})
        self.assertEqual((run.effect, run.summary["items"]), ("read", 1000))

    def test_a_file_is_given_and_another_one_taken(self):
        service = Echo().start()
        self.addCleanup(service.stop)
        node = self.host.load(TARGET / "hostile/moves.wasm")
        content = bytes(range(256)) * 5_000
        given = [self.host.give_file(one) for one in (content, io.BytesIO(content), (content[:7], b"", content[7:]))]
        requests = [{"method": "PUT", "url": f"{service.url}/echo", "body": [{"file": 0}], "keep": True}]
        task = {"requests": requests, "give": [{"key": "out", "name": "a.bin", "type": "text/x-test", "kept": 0}]}
        items = [{"task": task, "file": "f", "$files": {"f": {"id": id}}} for id in given]
        credential = {"baseUrl": service.url, "secret": "0123456789abcdef"}
        for result in node.run("things", "read", items, credential=credential):
            file = result.files[0]["out"]
            self.assertEqual((file["fileName"], file["mediaType"], file["size"]), ("a.bin", "text/x-test", len(content)))
            self.assertEqual(b"".join(self.host.file(file["id"])), content)
            self.host.forget_file(file["id"])
            with self.assertRaises(RequestRefused):
                list(self.host.file(file["id"]))

    def test_results_as_they_come_are_told_apart_by_their_ids(self):
        items = ((f"card M{number}", {"cardNo": f"M{number}"}) for number in range(200))
        run = self.node.run("member", "getMember", items, credential=self.credential, order="completion")
        self.assertEqual(
            {result.item: result.get()[0]["data"]["cardNo"] for result in run}, {f"card M{n}": f"M{n}" for n in range(200)}
        )

    def test_raw_results_say_the_same(self):
        parsed = [{"item": result.item, "output": result.output} for result in self.run_members()]
        raw = [json.loads(line) for line in self.run_members(raw=True)]
        for one in (*parsed, *raw):
            del one["output"][0]["requestId"]
        self.assertEqual(raw, parsed)

    def test_a_failed_item_hides_no_other(self):
        items = [{"cardNo": "M1"}, {}, {"cardNo": "M2"}]
        results = list(self.node.run("member", "getMember", items, credential=self.credential))
        self.assertEqual([result.failure is None for result in results], [True, False, True])
        self.assertEqual(results[1].failure.kind, "invalid-parameters")
        self.assertEqual(results[1].failure.details["problems"][0]["pointer"], "/cardNo")

    def test_a_text_with_an_id_of_its_own_is_answered_under_no_other_name(self):
        texts = ['{"cardNo":"M1"},"id":99', '{"cardNo":"M1"}']
        results = list(self.node.run("member", "getMember", texts, credential=self.credential))
        self.assertEqual(
            [(result.item, result.failure and result.failure.kind) for result in results], [(0, "invalid-input"), (1, None)]
        )

    def test_stop_on_failure_starts_no_item_after_it(self):
        items = [{}, *members(100)]
        run = self.node.run("member", "getMember", items, credential=self.credential, on_failure="stop", concurrency=1)
        results = list(run)
        self.assertEqual(results[0].failure.kind, "invalid-parameters")
        self.assertEqual({result.failure and result.failure.kind for result in results[1:]} - {"not-run"}, set())

    def test_a_credential_is_checked(self):
        self.assertIsNone(self.node.check_credential(credential=self.credential))
        wrong = self.node.check_credential(credential=self.credential | {"appSecret": "wrong-secret-0123456789"})
        self.assertIsInstance(wrong, Failure)
        self.assertNotIn("wrong-secret", f"{wrong!r}{wrong.details}")

    def test_a_policy_is_kept(self):
        policy = 'base-url = "listed"\n'
        [result] = self.run_members(1, policy=policy)
        self.assertEqual(result.failure.kind, "denied")
        rule = {"origin": self.base_url, "private": True}
        [result] = self.run_members(1, policy=policy, allow=[rule])
        self.assertIsNone(result.failure)

    def test_a_plan_sends_nothing(self):
        before = self.ledger()
        planned = list(self.node.plan("points", "adjustPoints", [*adjustments(1, "plan"), {}], credential=self.credential))
        self.assertEqual([one["item"] for one in planned], [0, 1])
        self.assertEqual(self.ledger(), before)

    def test_a_journal_knows_what_was_done(self):
        journal = {"path": str(self.folder / "journal.sqlite")}
        for received in (1, 1):
            run = self.node.run("points", "adjustPoints", adjustments(5, "journal"), credential=self.credential, journal=journal)
            self.assertEqual([result.failure for result in run], [None] * 5)
            counts = {name: count for name, count in self.ledger().items() if name.startswith("journal-")}
            self.assertEqual([count["received"] for count in counts.values()], [received] * 5)

    def test_a_recording_answers_without_the_service(self):
        path = str(self.folder / "recording.har")
        live = [result.get() for result in self.run_members(record={"path": path, "against": "the simulator"})]
        replayed = self.node.run("member", "getMember", members(3), replay={"path": path})
        self.assertEqual([result.get() for result in replayed], live)

    def test_progress_is_told(self):
        told = []
        self.assertEqual(len(list(self.run_members(2000, on_progress=told.append, progress_ms=1))), 2000)
        self.assertTrue(told)
        self.assertIn("items", told[0])

    def test_what_the_host_does_not_know_is_refused_by_name(self):
        for group, operation, options in [
            ("nothing", "getMember", {}),
            ("member", "nothing", {}),
            ("member", "getMember", {"concurency": 1}),
        ]:
            with self.assertRaises(RequestRefused):
                self.node.run(group, operation, [], credential=self.credential, **options)

    def test_runs_of_many_threads_share_the_host(self):
        counts = []
        threads = [threading.Thread(target=lambda: counts.append(len(list(self.run_members(200))))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(counts, [200] * 8)

    def ledger(self):
        with urllib.request.urlopen(f"{self.base_url}/_simulator/ledger", timeout=10) as answer:
            return json.load(answer)["operations"]


class Ending(RealHost):
    # Long enough that a run is under way while something happens to it; nothing waits for it.
    latency_ms = 20

    def test_a_run_that_is_stopped_takes_no_more_items_and_loses_none(self):
        run = self.node.run("member", "getMember", members(100_000), credential=self.credential)
        results = [next(run)]
        run.stop()
        results += run
        self.assertEqual([result.item for result in results], list(range(len(results))))
        self.assertEqual({result.failure for result in results}, {None})
        self.assertLess(len(results), 100_000)
        self.assertEqual(run.summary["items"], len(results))

    def test_a_run_that_is_abandoned_says_what_is_known_of_each_item(self):
        run = self.node.run("member", "getMember", members(100_000), credential=self.credential)
        results = [next(run)]
        run.abandon()
        results += run
        self.assertLess(len(results), 100_000)
        self.assertIn("end", run._end)

    def test_a_closed_run_is_forgotten_and_the_next_one_works(self):
        with self.node.run("member", "getMember", members(100_000), credential=self.credential) as run:
            next(run)
            self.assertIn("items", run.progress())
        self.assertEqual(len(list(self.node.run("member", "getMember", members(3), credential=self.credential))), 3)

    def test_a_host_that_is_killed_cuts_the_run_short_and_says_so_afterwards(self):
        with self.started() as host:
            node = host.load(COMPONENT)
            run = node.run("member", "getMember", members(100_000), credential=self.credential)
            next(run)
            os.kill(host.pid, signal.SIGKILL)
            with self.assertRaises(CutShort):
                list(run)
            with self.assertRaisesRegex(HostUnavailable, "ended by signal 9"):
                node.describe()
