"""How the host process is started, and what it is told. A program of the test's stands in its place."""

import json
import os
import select
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path
from unittest import mock

from nodule_client import Host, HostUnavailable, ProtocolError

from .support import NODULE, PATIENCE_S, ROOT

READY = 'print(json.dumps({"ready": {"socket": sys.argv[sys.argv.index("--socket") + 1]}}), flush=True); sys.stdin.read()'


class Start(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()

    def program(self, body):
        """A program that takes its settings and does what `body` says."""
        path = self.folder / "nodule"
        # Isolated, since it has no variables: the interpreter would look for its modules in vain.
        path.write_text(
            f"#!{sys.executable} -I\nimport json, os, sys\nsettings = sys.stdin.readline()\nfolder = {str(self.folder)!r}\n"
            + textwrap.dedent(body)
        )
        path.chmod(0o700)
        return path

    def test_it_has_a_folder_of_its_own_no_variables_and_its_settings_by_standard_input(self):
        binary = self.program(
            """
            socket = sys.argv[sys.argv.index("--socket") + 1]
            told = {"arguments": sys.argv[1:], "environment": dict(os.environ), "settings": json.loads(settings), "cwd": os.getcwd()}
            told |= {"mode": os.stat(os.path.dirname(socket)).st_mode, "socket": socket, "session": os.getsid(0) == os.getpid()}
            told["descriptors"] = sorted(int(name) for name in os.listdir("/dev/fd"))[:-1]
            open(folder + "/told", "w").write(json.dumps(told))
            """
            + READY
        )
        with mock.patch.dict(os.environ, {"SECRET": "x", "NODULE_CACHE_DIR": "/var/cache/nodule"}):
            host = Host.start(binary=binary, read=["a"], write=[self.folder / "w"], memory_mb=64, settings={"policy": "p"})
        self.addCleanup(host.close)
        told = json.loads((self.folder / "told").read_text())
        # Python sets these two by itself where no locale is given.
        self.assertEqual(set(told["environment"]) - {"LC_CTYPE", "__CF_USER_TEXT_ENCODING"}, set())
        self.assertEqual((told["cwd"], told["session"], told["descriptors"]), ("/", True, [0, 1, 2]))
        self.assertEqual(stat.S_IMODE(told["mode"]), 0o700)
        self.assertEqual(told["settings"], {"policy": "p", "token": host.token})
        self.assertEqual(len(host.token), 64)
        flags = [
            "--cache",
            "/var/cache/nodule",
            "--read",
            os.path.abspath("a"),
            "--write",
            str(self.folder / "w"),
            "--memory-mb",
            "64",
        ]
        base = ["serve", "--socket", told["socket"], "--stdio-lifetime", "--settings", "-"]
        self.assertEqual(told["arguments"], base + flags)
        host.close()
        self.assertFalse(os.path.exists(os.path.dirname(told["socket"])))

    def test_two_hosts_have_two_tokens(self):
        binary = self.program(READY)
        tokens = set()
        for _ in range(2):
            with Host.start(binary=binary) as host:
                tokens.add(str(host.token))
        self.assertEqual(len(tokens), 2)

    def test_a_host_that_ends_at_once_says_why(self):
        binary = self.program("print('error: no such folder', file=sys.stderr); sys.exit(2)")
        ended = self.assertRaisesRegex(HostUnavailable, "ended with status 2: error: no such folder")
        with self.assertLogs("nodule_client", "WARNING") as logged, ended:
            Host.start(binary=binary)
        self.assertEqual([record.message for record in logged.records], ["error: no such folder"])

    def test_a_program_that_is_no_host_is_told_from_one(self):
        for said in ("hello", "[]", '{"ready":{"socket":"/elsewhere"}}'):
            binary = self.program(f"print({said!r}, flush=True); sys.stdin.read()")
            with self.assertRaises(ProtocolError):
                Host.start(binary=binary)

    def test_a_program_that_is_not_there_is_named_with_the_remedy(self):
        missing = str(self.folder / "missing")
        for options, variables in (({"binary": missing}, {}), ({}, {"NODULE_BINARY": missing})):
            with mock.patch.dict(os.environ, variables), self.assertRaisesRegex(HostUnavailable, "(?s)missing.*NODULE_BINARY"):
                Host.start(**options)
        with (
            mock.patch.dict(os.environ, {"PATH": str(self.folder)}),
            self.assertRaisesRegex(HostUnavailable, "no `nodule` in PATH"),
        ):
            os.environ.pop("NODULE_BINARY", None)
            Host.start()

    def test_the_variable_names_the_program(self):
        with mock.patch.dict(os.environ, {"NODULE_BINARY": str(self.program(READY))}), Host.start() as host:
            self.assertIsNotNone(host.pid)

    def test_a_folder_whose_path_is_too_long_for_a_socket_is_not_used(self):
        deep = self.folder / ("x" * 90)
        deep.mkdir()
        with mock.patch.object(tempfile, "tempdir", str(deep)), Host.start(binary=self.program(READY)) as host:
            self.assertLess(len(host.socket), 104)
        self.assertEqual(list(deep.iterdir()), [])

    def test_a_connection_reads_the_token_beside_the_socket(self):
        (self.folder / "s.token").write_text("u" * 40 + "\n")
        self.assertEqual(Host.connect(self.folder / "s").token, "u" * 40)
        with self.assertRaisesRegex(HostUnavailable, "No such file"):
            Host.connect(self.folder / "t")


@unittest.skipUnless(hasattr(os, "pidfd_open"), "Linux alone tells when a process ends that is no child")
class End(unittest.TestCase):
    def started_by_another(self, body):
        """A program that starts a host, prints its process, and goes on with `body`."""
        program = f"import os, sys, time\nfrom nodule_client import Host\nhost = Host.start(binary={str(NODULE)!r})\nprint(host.pid, flush=True)\n"
        parent = subprocess.Popen(
            [sys.executable, "-c", program + textwrap.dedent(body)],
            env=os.environ | {"PYTHONPATH": str(ROOT / "clients/python/src")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(parent.stdin.close)
        self.addCleanup(parent.stdout.close)
        self.addCleanup(parent.wait)
        self.addCleanup(parent.kill)
        host = os.pidfd_open(int(parent.stdout.readline()))
        self.addCleanup(os.close, host)
        return parent, host

    def ended(self, host):
        return bool(select.select([host], [], [], PATIENCE_S)[0])

    def test_it_ends_with_a_program_that_is_killed(self):
        parent, host = self.started_by_another("sys.stdin.read()")
        parent.send_signal(signal.SIGKILL)
        self.assertTrue(self.ended(host))

    def test_it_ends_with_a_program_that_ends_without_closing_it(self):
        parent, host = self.started_by_another("sys.stdin.readline()")
        parent.stdin.write("end\n")
        parent.stdin.flush()
        self.assertTrue(self.ended(host))
        self.assertEqual(parent.wait(PATIENCE_S), 0)

    def test_a_fork_may_use_it_and_does_not_keep_it_alive(self):
        parent, host = self.started_by_another(
            """
            if os.fork() == 0:
                host.status()
                print("used", flush=True)
                sys.stdin.read()
                os._exit(0)
            os.wait3(os.WNOHANG)
            print(sys.stdin.readline(), flush=True)
            os._exit(0)
            """
        )
        self.assertEqual(parent.stdout.readline(), "used\n")
        self.assertEqual(select.select([host], [], [], 0)[0], [])
        parent.send_signal(signal.SIGKILL)
        # The fork goes on, waiting for its input.
        self.assertTrue(self.ended(host))

    def test_closing_in_a_fork_leaves_the_parents_host_alone(self):
        parent, _ = self.started_by_another(
            """
            child = os.fork()
            if child == 0:
                host.close()
                sys.exit(0)
            assert os.waitpid(child, 0)[1] == 0
            host.status()
            print("still there", flush=True)
            sys.stdin.read()
            """
        )
        self.assertEqual(parent.stdout.readline(), "still there\n")
