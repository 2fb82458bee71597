"""10,000 adjustments through two Celery workers, one of them killed half-way: every item is accounted for, and the host that the
killed worker had started ends too.

Redis, the simulator and the workers run on loopback, on free ports, and end with the test.
"""

import argparse
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
ITEMS, BATCH = 10_000, 50
# Short, so that what the killed worker held is soon given to the other one; a batch takes a fraction of it.
VISIBILITY_S = 5
PATIENCE_S = 240
# So that a batch takes long enough to be killed in the middle.
LATENCY_MS = "20"


def started(stack, command, **options):
    # A group of its own, so that the worker's children end with it.
    process = subprocess.Popen(command, start_new_session=True, **options)
    stack.callback(ended, process)
    return process


def ended(process):
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--target", type=Path, required=True)
    target = arguments.parse_args().target.resolve()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        simulator = started(stack, [target / "release/simulator", "--latency-ms", LATENCY_MS], stdout=subprocess.PIPE, text=True)
        base = simulator.stdout.readline().strip()
        port = unused_port()
        settings = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", folder, "--loglevel", "warning"]
        started(stack, ["redis-server", *settings], stdout=subprocess.DEVNULL)
        credential = folder / "credential.json"
        credential.write_text(json.dumps({"baseUrl": base, "appId": "demo", "appSecret": "demo-secret-0123456789"}))
        os.environ |= {
            "NODE_BROKER": f"redis://127.0.0.1:{port}/0",
            "NODE_COMPONENT": str(target / "socialhub.wasm"),
            "NODE_CREDENTIAL": str(credential),
            "NODE_VISIBILITY_S": str(VISIBILITY_S),
            "NODULE_BINARY": str(target / "release/nodule"),
        }
        return check(stack, base)


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def worker(stack, name):
    command = [sys.executable, "-m", "celery", "--app", "tasks", "worker", "--concurrency", "1", "--hostname", f"{name}@localhost"]
    command += ["--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
    return started(stack, command, cwd=HERE)


def ledger(base):
    with urllib.request.urlopen(f"{base}/_simulator/ledger", timeout=10) as answer:
        return json.load(answer)["operations"]


def hosts(worker):
    """The host processes of a worker: they have sessions of their own, so that a signal to its group does not reach them."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, fields = stat.read_text().rpartition(")")
            parents[int(stat.parent.name)] = (int(fields.split()[1]), name.partition("(")[2])
        except (FileNotFoundError, ProcessLookupError):
            pass  # It has ended meanwhile.
    return [pid for pid, (parent, name) in parents.items() if name == "nodule" and parents.get(parent, (0, ""))[0] == worker.pid]


def signalled(worker, number, of_worker):
    """Sends a signal to all processes of a worker and to its hosts."""
    os.killpg(worker.pid, number)
    for pid in of_worker:
        os.kill(pid, number)


def hold(workers, sent, redis, base):
    """Stop both workers at a moment when each has done a part of its batch, so that the one which is killed leaves a batch
    half done behind. Gives the hosts of each."""
    began = time.monotonic()
    of_worker = [hosts(process) for process in workers]
    if [len(pids) for pids in of_worker] != [1] * len(workers):
        sys.exit(f"expected one host for each worker, found {of_worker}")
    while time.monotonic() - began < PATIENCE_S:
        for process, pids in zip(workers, of_worker):
            signalled(process, signal.SIGSTOP, pids)
        if redis.hlen("unacked") == len(workers):
            counts = ledger(base)
            asked = (sum(f"celery-{n}" in counts for n in range(at * BATCH, (at + 1) * BATCH)) for at, one in enumerate(sent) if not one.ready())
            if sum(0 < count < BATCH for count in asked) == len(workers):
                return of_worker
        for process, pids in zip(workers, of_worker):
            signalled(process, signal.SIGCONT, pids)
        time.sleep(0.02)
    sys.exit("the workers are never in the middle of a batch each")


def check(stack, base):
    sys.path.insert(0, str(HERE))
    import tasks

    first, second = worker(stack, "first"), worker(stack, "second")
    items = [
        json.dumps({"accountCode": f"M{n}", "operationId": f"celery-{n}", "pointValue": 1, "effectiveEndTime": "2030-12-31"})
        for n in range(ITEMS)
    ]
    began = time.monotonic()
    sent = [tasks.run.delay("points", "adjustPoints", items[at : at + BATCH]) for at in range(0, ITEMS, BATCH)]
    done = lambda: sum(one.ready() for one in sent)
    while done() < len(sent) // 2:
        if time.monotonic() - began > PATIENCE_S:
            sys.exit(f"{done()} of {len(sent)} batches after {PATIENCE_S} s: the workers do not work")
        time.sleep(0.1)
    [orphan], others = hold((first, second), sent, tasks.app.backend.client, base)
    watched = os.pidfd_open(orphan)
    stack.callback(os.close, watched)
    ended(first)
    # It was stopped as well, and sees only now that its worker is gone.
    os.kill(orphan, signal.SIGCONT)
    signalled(second, signal.SIGCONT, others)
    print(f"killed one of two workers after {done()} of {len(sent)} batches, {len(ledger(base))} items", flush=True)
    results = [result for one in sent for result in one.get(timeout=PATIENCE_S)]
    took = time.monotonic() - began

    counts = ledger(base)
    answers = [answer for result in results for answer in json.loads(result).get("output", [])]
    repeated = sum(answer["data"]["repeated"] for answer in answers)
    missing = [n for n in range(ITEMS) if f"celery-{n}" not in counts]
    twice = [name for name, count in counts.items() if count["applied"] != 1]
    asked = sum(count["received"] for count in counts.values())
    print(f"{len(results)} results, {len(answers)} of them outputs\n{len(counts)} operations in the ledger, asked for {asked} times")
    print(f"{repeated} answers say that it had been done before: the killed worker had done it; {took:.0f} s")
    is_left = not select.select([watched], [], [], PATIENCE_S)[0]
    print(f"the killed worker's host {'is left behind' if is_left else 'has ended'}")
    good = not is_left and second.poll() is None and repeated > 0 and len(answers) == ITEMS and not missing and not twice and len(counts) == ITEMS
    print(f"{int(good)} passed, {int(not good)} failed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
