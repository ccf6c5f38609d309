"""Clients that ask a service without a pause, as locust runs them; `service_cost.py` does.

`LOAD_PICTURE` is the file to identify, `LOAD_KEY` the key. Answers that are 503 are counted by themselves, and who got
one waits for a moment.
"""

import os
import time
from pathlib import Path

from locust import HttpUser, task

_PICTURE = Path(os.environ["LOAD_PICTURE"]).read_bytes()
_HEADERS = {"Authorization": f"Bearer {os.environ['LOAD_KEY']}", "Content-Type": "image/jpeg"}


class Asking(HttpUser):
    """One client."""

    @task
    def identify(self) -> None:
        """One picture."""
        with self.client.post(
            "/v1/identify", data=_PICTURE, headers=_HEADERS, name="identified", catch_response=True
        ) as answer:
            busy = answer.status_code == 503
            if busy:
                answer.request_meta["name"] = "busy"
                answer.success()
        if busy:
            time.sleep(0.2)
