"""A node component in Celery: the way out of one machine for Python shops. `celery --app tasks worker`, in this folder.

The component is loaded once per worker process; a task is one batch of items, run by the class `Service` of the Python host.
Settings are variables: NODE_COMPONENT and NODE_CREDENTIAL are files, NODE_BROKER is Redis, `redis://127.0.0.1:6379/0`.
"""

import json
import os
import sys
from pathlib import Path

from celery import Celery
from celery.signals import worker_process_init

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))
import host  # noqa: E402

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

service, base_url = None, None
effects = {}


@worker_process_init.connect
def load(**_):
    """Once per process: compiled code is neither shared between processes nor kept across a fork."""
    global service, base_url
    node = host.Node(os.environ["NODE_COMPONENT"])
    described = host.plain(node.call("description", "describe"))
    effects.update({(one["group"], one["name"]): one["effect"]["tag"] for one in described["operations"]})
    credential = Path(os.environ["NODE_CREDENTIAL"]).read_text(encoding="utf-8")
    service, base_url = host.Service(node, credential), json.loads(credential)["baseUrl"]


@app.task(bind=True, max_retries=5)
def run(self, group, operation, items):
    """One batch: a list of outputs or a failure for each item, in order."""
    # What may be given to another worker is run twice at times; `write` is the effect that does not bear it.
    if effects.get((group, operation), "write") == "write":
        raise ValueError(f"{group}.{operation} cannot be run twice, so it needs a queue that never repeats")
    call = {"group": group, "operation": operation, "items": items, "on-failure": "continue", "in-flight": 16, "base-url": base_url}
    answer = host.plain(service.run(host.record(call)))
    if isinstance(answer, dict):
        # The whole batch failed, for want of a session most likely: later.
        raise self.retry(countdown=5, exc=RuntimeError(answer["tag"]))
    return answer
