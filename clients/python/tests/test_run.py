"""Runs against a host that says what the test wants."""

import decimal
import functools
import gc
import json
import pickle
import queue
import socket
import threading
import types

from nodule_client import CutShort, Failure, Host, HostUnavailable, InvalidItem, ProtocolError, RequestRefused, RunBroken
from nodule_client._items import AHEAD_BYTES, Writer, line

from .support import BEGUN, END, LOADED, PATIENCE_S, TOKEN, FakeHost


def echo(request, heads=None):
    """Answers each item as soon as it has come, by its parameters. Keeps what is said about the run."""
    lines = request.lines()
    head = json.loads(next(lines))
    if heads is not None:
        heads.append(head)
    request.begin()
    request.say(BEGUN)
    for text in lines:
        item = json.loads(text)
        request.say({"item": item["id"], "output": [item["parameters"]]})
    request.say(END)


class Results(FakeHost):
    def test_each_item_has_a_result_by_its_position_or_its_own_id(self):
        items = [{"a": 1}, ("x", {"a": 2}), (7, '{"a": 3}'), '{"a":\n4}', b'{"a": 5}', types.MappingProxyType({"a": 6})]
        results = list(self.node(echo).run("g", "o", items))
        self.assertEqual([result.item for result in results], [0, "x", 7, 3, 4, 5])
        self.assertEqual([result.get() for result in results], [[{"a": number}] for number in range(1, 7)])

    def test_a_failure_is_data_until_it_is_asked_for_the_output(self):
        said = {"kind": "unavailable", "message": "gone", "certainty": "unknown", "status": 503}

        def answer(request):
            request.accept()
            request.say({"item": 0, "error": said}, END)

        [result] = self.node(answer).run("g", "o", [{}])
        self.assertEqual((result.output, result.failure.kind, result.failure.details), (None, "unavailable", said))
        self.assertTrue(result.failure.may_have_been_done)
        with self.assertRaisesRegex(Failure, "gone"):
            result.get()

    def test_an_iterable_that_waits_for_results_has_its_items_sent_meanwhile(self):
        seen = threading.Semaphore(0)

        def items():
            for number in range(20):
                yield {"number": number}
                assert seen.acquire(timeout=PATIENCE_S), "the item before was not answered"

        for result in self.node(echo).run("g", "o", items()):
            seen.release()
        self.assertEqual(result.item, 19)

    def test_an_iterable_is_read_only_as_far_as_the_host_takes_items(self):
        ours, theirs = socket.socketpair()
        self.addCleanup(theirs.close)
        self.addCleanup(ours.close)
        pulled, text = 0, json.dumps({"text": "x" * 1000})

        def items():
            nonlocal pulled
            for pulled in range(1, 20_001):
                yield text

        for sock, option in ((ours, socket.SO_SNDBUF), (theirs, socket.SO_RCVBUF)):
            sock.setsockopt(socket.SOL_SOCKET, option, AHEAD_BYTES)
        writer = Writer(ours, items())
        most = 0
        with theirs.makefile("rb") as reader:
            for taken in range(20_000):
                while not (read := reader.readline()).startswith(b'{"id"'):
                    self.assertTrue(read)
                most = max(most, pulled - taken)
        # What is gathered, what is being written, the socket's own buffers (which Linux makes twice as large), the reader's.
        self.assertLess(most * len(text), 10 * AHEAD_BYTES)
        self.assertIsNone(writer.error)

    def test_raw_results_are_the_lines_as_they_came(self):
        wanted = [b'{"item":0,"output":[ 1.00,"\xc3\xa4" ]}', b'{"item":1,"error":{"kind":"rejected","message":"no"}}']

        def answer(request):
            request.accept()
            request.piece(wanted[0] + b'\n{"notice":{"kind":"throttled","message":"slow"}}\n' + wanted[1] + b"\n")
            request.say(END)

        notices = []
        run = self.node(answer).run("g", "o", [{}, {}], raw=True, on_notice=notices.append)
        self.assertEqual(list(run), wanted)
        self.assertEqual(notices, [{"kind": "throttled", "message": "slow"}])

    def test_numbers_are_parsed_as_the_caller_wants(self):
        def answer(request):
            request.accept()
            request.piece(b'{"item":0,"output":[{"price":1.10}]}\n')
            request.say(END)

        loads = functools.partial(json.loads, parse_float=decimal.Decimal)
        [result] = self.node(answer).run("g", "o", [{}], loads=loads)
        self.assertEqual(str(result.output[0]["price"]), "1.10")

    def test_lines_come_in_pieces_of_any_size(self):
        text = "ä" * 1_500_000

        def answer(request):
            request.accept()
            body = (
                json.dumps({"item": 0, "output": [text]}, ensure_ascii=False).encode() + b"\n" + json.dumps(END).encode() + b"\n"
            )
            for at in range(0, len(body), 9973):
                request.piece(body[at : at + 9973])

        [result] = self.node(answer).run("g", "o", [{}])
        self.assertEqual(result.output, [text])

    def test_rows_of_an_item_that_goes_on_say_so(self):
        def answer(request):
            request.accept()
            request.say({"item": "a", "rows": [1, 2]}, {"item": "a", "output": [3], "end": {"rows": 3}}, END)

        results = list(self.node(answer).run("g", "o", [("a", {})], stream_rows=True))
        self.assertEqual([(result.output, result.goes_on) for result in results], [([1, 2], True), ([3], False)])

    def test_options_have_the_names_of_the_interface(self):
        heads = []

        run = self.node(functools.partial(echo, heads=heads)).run(
            "g",
            "o",
            [],
            credential={"a": "b"},
            tenant="t",
            on_failure="stop",
            item_time_ms=5,
            allow=["https://x"],
            retries=0,
            policy=None,
        )
        self.assertEqual(list(run), [])
        self.assertEqual(
            heads,
            [
                {
                    "credential": {"a": "b"},
                    "tenant": "t",
                    "onFailure": "stop",
                    "itemTimeMs": 5,
                    "allow": ["https://x"],
                    "retries": 0,
                }
                | {"component": LOADED["digest"], "group": "g", "operation": "o"}
            ],
        )

    def test_what_the_host_says_about_the_run_is_called_back_and_unknown_lines_are_not(self):
        def answer(request):
            request.accept()
            request.say({"notice": {"kind": "a"}}, {"news": 1}, {"progress": {"items": 3}}, {"end": {"items": 9}})

        notices, progress = [], []
        run = self.node(answer).run("g", "o", [], on_notice=notices.append, on_progress=progress.append)
        self.assertEqual((run.id, run.effect, run.summary), ("r 1", "read", None))
        self.assertEqual(list(run), [])
        self.assertEqual((notices, progress, run.summary), ([{"kind": "a"}], [{"items": 3}], {"items": 9}))

    def test_a_run_that_needs_another_access_token_is_given_one(self):
        given, heads = queue.Queue(), []

        def answer(request):
            if request.target.endswith("/token"):
                given.put((request.target, json.loads(b"".join(request.pieces()))))
                request.answer(200, {})
                return
            lines = request.lines()
            heads.append(json.loads(next(lines)))
            request.begin()
            request.say(BEGUN, {"token": {"why": "refused"}})
            target, token = given.get(timeout=PATIENCE_S)
            request.say({"item": 0, "output": [target, token]}, END)
            list(lines)

        asked = []

        def on_token(why):
            asked.append(why)
            return {"accessToken": "two"}

        run = self.node(answer).run("g", "o", [], token={"accessToken": "one"}, on_token=on_token)
        [result] = list(run)
        self.assertEqual(result.output, ["/v1/runs/r%201/token", {"accessToken": "two"}])
        self.assertEqual((asked, heads[0]["token"]), (["refused"], {"accessToken": "one"}))

    def test_a_caller_without_another_access_token_ends_the_run(self):
        def answer(request):
            lines = request.lines()
            next(lines)
            request.begin()
            request.say(BEGUN, {"token": {"why": "ending"}})
            request.is_closed()

        def on_token(why):
            raise LookupError(why)

        run = self.node(answer).run("g", "o", [], token={"accessToken": "one"}, on_token=on_token)
        with self.assertRaisesRegex(LookupError, "ending"):
            next(run)

    def test_a_single_item_is_no_list_of_items(self):
        node = self.node(echo)
        for wrong in ({"a": 1}, '{"a":1}', b"{}"):
            with self.assertRaisesRegex(TypeError, "items: expected an iterable"):
                node.run("g", "o", wrong)
        with self.assertRaisesRegex(TypeError, "allow: expected a list"):
            node.run("g", "o", [], allow="https://x")


class Questions(FakeHost):
    def test_a_question_is_asked_in_the_interface_s_spelling(self):
        page = {"choices": [{"label": "Ann", "value": 7, "summary": ""}], "next": "2"}
        columns = [{"name": "Size", "kind": {"type": "number"}}]
        asked = []

        def answer(request):
            asked.append((request.target, json.loads(b"".join(request.pieces()))))
            request.answer(200, page if request.target == "/v1/choices" else {"fields": columns})

        node = self.node(answer)
        said = node.choices("g", "o", "g.o.p", filled_in={"a": 1}, search="an", cursor="1", keep=True, tenant="t")
        self.assertEqual(said, page)
        self.assertEqual(node.fields("g", "o", "g.o.c"), columns)
        operation = {"component": LOADED["digest"], "group": "g", "operation": "o"}
        first = operation | {"parameter": "g.o.p", "filledIn": {"a": 1}, "search": "an", "cursor": "1", "keep": True, "tenant": "t"}
        self.assertEqual(asked, [("/v1/choices", first), ("/v1/fields", operation | {"parameter": "g.o.c"})])

    def test_a_question_that_has_no_answer_is_refused_with_its_kind(self):
        problem = {"error": {"kind": "denied", "message": "a question of a form may send GET and HEAD"}}
        with self.assertRaises(RequestRefused) as raised:
            self.node(lambda request: (list(request.pieces()), request.answer(422, problem))).choices("g", "o", "p")
        self.assertIn("GET and HEAD", str(raised.exception))


class Errors(FakeHost):
    def test_an_answer_without_an_end_says_that_items_may_have_been_done(self):
        for cut in (b"", b'{"item":1,"outp'):
            for is_whole in (True, False):

                def answer(request, cut=cut, is_whole=is_whole):
                    request.accept()
                    request.say({"item": 0, "output": []})
                    if cut:
                        request.piece(cut)
                    if is_whole:
                        request.sock.sendall(b"0\r\n\r\n")

                run = self.node(answer).run("g", "o", [{}, {}])
                self.assertEqual(next(run).item, 0)
                with self.assertRaisesRegex(CutShort, "items without a result may have been done"):
                    next(run)

    def test_a_run_that_broke_raises_after_its_results(self):
        def answer(request):
            said = {"kind": "journal", "message": "the disk is full", "hint": "make room"}
            request.accept()
            request.say({"item": 0, "output": []}, {"end": {"items": 1, "error": said}})

        run = self.node(answer).run("g", "o", [{}, {}])
        self.assertEqual(next(run).item, 0)
        with self.assertRaises(RunBroken) as raised:
            next(run)
        self.assertEqual((raised.exception.kind, raised.exception.summary["items"]), ("journal", 1))
        self.assertEqual(str(raised.exception), "the disk is full\nhint: make room")

    def test_a_refused_run_leaves_the_iterable_untouched(self):
        def answer(request):
            next(request.lines())
            request.answer(404, {"error": {"kind": "unknown-operation", "message": "no `o`", "hint": "did you mean `p`?"}})

        touched = []
        node = self.node(answer)
        with self.assertRaises(RequestRefused) as raised:
            node.run("g", "o", (touched.append(1) or {} for _ in range(3)))
        self.assertEqual((raised.exception.kind, raised.exception.status), ("unknown-operation", 404))
        self.assertEqual(str(raised.exception), "no `o`\nhint: did you mean `p`?")
        self.assertEqual(touched, [])

    def test_a_body_that_is_refused_before_it_is_read_has_its_answer_all_the_same(self):
        def answer(request):
            request.answer(413, {"error": {"kind": "too-large", "message": "too large"}})

        host = self.serve(answer)
        with self.assertRaisesRegex(RequestRefused, "too large"):
            host.load(b"x" * 16_000_000, digest=None)._address.request("POST", "/v1/other", b"x" * 16_000_000)

    def test_a_status_without_words_is_an_error_all_the_same(self):
        node = self.node(lambda request: request.answer(500, "oops"))
        with self.assertRaisesRegex(RequestRefused, "status 500"):
            node.describe()

    def test_what_is_no_host_is_told_from_one(self):
        def answer(request):
            next(request.lines())
            request.begin()
            request.piece(b'"hello"\n')

        with self.assertRaisesRegex(ProtocolError, "no JSON object"):
            self.node(answer).run("g", "o", [])

    def test_what_the_iterable_raises_comes_after_the_results_of_the_items_before(self):
        def items():
            yield {"a": 1}
            raise LookupError("no more")

        run = self.node(echo).run("g", "o", items())
        self.assertEqual(next(run).output, [{"a": 1}])
        with self.assertRaisesRegex(LookupError, "no more"):
            next(run)

    def test_an_item_that_cannot_be_sent_is_named(self):
        for wrong, problem in [
            ({"at": object()}, "item 1: Object of type object is not JSON serializable"),
            ({"at": float("nan")}, "item 1: Out of range"),
            ({"at": "\ud800"}, "item 1: .*surrogates"),
            (None, "item 1: expected a dictionary or a JSON text, found NoneType"),
            (("x", 5), "item x: expected a dictionary"),
            ((True, {}), "item 1: expected parameters, or a pair"),
            (("x", {}, 1), "item 1: expected parameters, or a pair"),
        ]:
            run = self.node(echo).run("g", "o", [{}, wrong, {}])
            self.assertEqual(next(run).item, 0)
            with self.assertRaisesRegex(InvalidItem, problem):
                next(run)

    def test_a_text_of_several_lines_is_one_item(self):
        written = line(0, '{"a":1}\r\n{"parameters":{}}')
        self.assertEqual((written.count(b"\n"), written.count(b"\r")), (1, 0))

    def test_errors_survive_pickling(self):
        for error in [
            RequestRefused("k", "m", "h", 404),
            CutShort("x"),
            RunBroken("k", "m", None, {"items": 1}),
            InvalidItem(3, "x"),
            Failure({"kind": "rejected", "message": "no"}),
            ProtocolError("x"),
        ]:
            back = pickle.loads(pickle.dumps(error))
            self.assertEqual((type(back), str(back), vars(back)), (type(error), str(error), vars(error)))

    def test_a_token_is_shown_nowhere(self):
        for wrong in ("short-secret", f"{TOKEN}\n", "ä" * 40):
            with self.assertRaises(ValueError) as raised:
                Host.connect("/nowhere", wrong)
            self.assertNotIn(wrong.strip(), str(raised.exception))
        host = Host.connect("/nowhere", TOKEN)
        with self.assertRaises(HostUnavailable) as raised:
            host.status()
        for shown in (repr(host), repr(host._address.token), str(raised.exception), repr(raised.exception)):
            self.assertNotIn(TOKEN, shown)


class Ending(FakeHost):
    def closing(self):
        """A node whose runs never end by themselves, and an event that the host saw the connection close."""
        closed = threading.Event()

        def answer(request):
            if request.target.startswith("/v1/runs/"):
                return request.answer(200, {})
            lines = request.lines()
            next(lines)
            request.begin()
            request.say(BEGUN, {"item": 0, "output": []})
            if request.is_closed():
                closed.set()

        return self.node(answer), closed

    def test_leaving_the_loop_ends_the_run(self):
        node, closed = self.closing()
        for _ in node.run("g", "o", [{}]):
            break
        del _
        gc.collect()
        self.assertTrue(closed.wait(PATIENCE_S))

    def test_leaving_the_block_ends_the_run(self):
        node, closed = self.closing()
        with node.run("g", "o", [{}]) as run:
            next(run)
        self.assertTrue(closed.wait(PATIENCE_S))
        self.assertEqual(list(run), [])

    def test_a_run_that_nobody_reads_ends_when_it_is_dropped(self):
        node, closed = self.closing()
        waiting = threading.Event()
        self.addCleanup(waiting.set)

        def items():
            yield {}
            waiting.wait(PATIENCE_S)

        node.run("g", "o", items())
        gc.collect()
        self.assertTrue(closed.wait(PATIENCE_S), "though its iterable still waits")

    def test_a_closed_run_gives_no_result_that_had_come_before(self):
        def answer(request):
            request.accept()
            request.say(*({"item": item, "output": []} for item in range(3)), END)

        run = self.node(answer).run("g", "o", [{}] * 3)
        self.assertEqual(next(run).item, 0)
        run.close()
        self.assertEqual(list(run), [])

    def test_another_thread_may_close(self):
        node, closed = self.closing()
        run = node.run("g", "o", [{}])
        next(run)
        closer = threading.Thread(target=run.close)
        closer.start()
        self.assertEqual(list(run), [])
        closer.join()
        self.assertTrue(closed.wait(PATIENCE_S))

    def test_an_error_of_a_callback_ends_the_run(self):
        closed = threading.Event()

        def answer(request):
            next(request.lines())
            request.begin()
            request.say(BEGUN, {"notice": {"kind": "a"}})
            if request.is_closed():
                closed.set()

        run = self.node(answer).run("g", "o", [], on_notice=lambda notice: notice["nothing"])
        with self.assertRaises(KeyError):
            next(run)
        self.assertTrue(closed.wait(PATIENCE_S))

    def test_orders_go_to_the_run_and_end_its_items(self):
        for order in ("stop", "abandon"):
            targets = []

            def answer(request, targets=targets):
                if request.target.startswith("/v1/runs/"):
                    targets.append((request.method, request.target))
                    return request.answer(200, {})
                echo(request)

            waiting = threading.Event()
            self.addCleanup(waiting.set)

            def items(waiting=waiting):
                yield {"a": 1}
                waiting.wait(PATIENCE_S)
                yield {"a": 2}

            run = self.node(answer).run("g", "o", items())
            self.assertEqual(next(run).item, 0)
            getattr(run, order)()
            # The iterable still waits: the end of the body does not wait for it.
            self.assertEqual(list(run), [])
            self.assertEqual(targets, [("POST", f"/v1/runs/r%201/{order}")])
            getattr(run, order)()
            self.assertEqual(len(targets), 1, "a run that is over takes no orders")

    def test_an_order_to_a_run_that_has_ended_meanwhile_is_no_error(self):
        def answer(request):
            if request.target.startswith("/v1/runs/"):
                return request.answer(404, {"error": {"kind": "unknown-run", "message": "no such run"}})
            echo(request)

        run = self.node(answer).run("g", "o", [])
        run.stop()
        self.assertEqual(list(run), [])
