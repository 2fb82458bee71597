"""A node component in Celery: the way out of one machine for Python shops. `celery --app tasks worker`, in this folder.

Each worker process starts a host, `nodule serve`, which loads the component and runs one batch of items per task: the component reaches its
service and nothing else, and never sees the credential outside of `authenticate`; limits, redaction, sessions and
retries are the host's. Settings are variables: NODE_COMPONENT and NODE_CREDENTIAL are files, and NODE_POLICY is one where more or less
is to be allowed than the credential's base URL; NODE_DIGEST pins the component; NODE_BROKER is Redis, `redis://127.0.0.1:6379/0`;
NODULE_BINARY is the program `nodule`, if it is not in PATH.
"""

import json
import os
import sys
from pathlib import Path

from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown

# Where the client is not installed, from the same repository.
sys.path.append(str(Path(__file__).resolve().parents[2] / "clients/python/src"))
from nodule_client import CutShort, Host, HostUnavailable  # noqa: E402

BROKER = os.environ["NODE_BROKER"]
app = Celery("tasks", broker=BROKER, backend=BROKER)
app.conf.update(
    # Acknowledged when it is done, not when it is taken: the batch of a worker that dies is run again by another one.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    # A worker takes what it works on and no more, so that little waits for one that died.
    worker_prefetch_multiplier=1,
    # A batch is given to another worker when it was not acknowledged for so long: longer than any takes. Looked for every
    # ten seconds; every hundred without the throttle.
    broker_transport_options={
        "visibility_timeout": int(os.environ.get("NODE_VISIBILITY_S", "600")),
        "unacked_restore_throttle": 1,
    },
    result_expires=3600,
)

host, node, effects = None, None, {}


@worker_process_init.connect
def start(**_):
    """Once per process, after the fork, so that the host ends with the process that uses it, however that ends."""
    global host, node
    stop()
    policy = os.environ.get("NODE_POLICY")
    host = Host.start(settings={"policy": Path(policy).read_text(encoding="utf-8")} if policy else None)
    node = host.load(os.environ["NODE_COMPONENT"], digest=os.environ.get("NODE_DIGEST"))
    effects.update({(one["group"], one["name"]): one["effect"]["type"] for one in node.describe()["operations"]})


@worker_process_shutdown.connect
def stop(**_):
    if host is not None:
        host.close()


@app.task(bind=True, max_retries=5)
def run(self, group, operation, items):
    """One batch: for each item, in order, the JSON text `{"item":…,"output":[…]}` or `{"item":…,"error":{…}}`."""
    # What may be given to another worker is run twice at times; `write` is the effect that does not bear it.
    if effects.get((group, operation), "write") == "write":
        raise ValueError(f"{group}.{operation} cannot be run twice, so it needs a queue that never repeats")
    credential = json.loads(Path(os.environ["NODE_CREDENTIAL"]).read_text(encoding="utf-8"))
    try:
        # As texts: what Celery does to JSON numbers is not what the service said.
        return [result.decode() for result in node.run(group, operation, items, credential=credential, retries=4, raw=True)]
    except (CutShort, HostUnavailable) as error:
        # The host has ended. The batch may be run again, since its effect allows it: with a new one.
        start()
        raise self.retry(countdown=5, exc=error)
