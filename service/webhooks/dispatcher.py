"""Delivers webhooks, in a thread beside the agent of jobs; any number of agents may do it.

It sleeps until a doorbell rings or a retry is due. An attempt is written down before it is made,
with a lease: when the process dies over it, another makes it again.
"""

import logging
import time
from concurrent.futures import ThreadPoolExecutor

from service.kit.attendant import Attendant
from service.kit.problems import Problem
from service.settings import Settings
from service.webhooks import sending, signing, store

_log = logging.getLogger("sigmoid.worker")
AT_ONCE = 8
SETTLE_SECONDS = 0.02  # after a ring, while the job that rang is still being answered
AGENT = "sigmoid-webhooks/1"


class Dispatcher(Attendant):
    """Fans events out and sends what is due; at its stop it ends the attempts under way."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, "webhooks", settle=SETTLE_SECONDS)
        self._pool = ThreadPoolExecutor(AT_ONCE, "webhook")

    def stop(self) -> None:
        """End after the attempts under way."""
        super().stop()
        self._pool.shutdown()

    def step(self) -> bool:
        """Whether there was something to do."""
        with self.database.read() as session:
            news = store.has_news(session)
            due = store.due(session, AT_ONCE)
        if news:
            with self.database.write() as session:
                store.fan_out(session)
        list(self._pool.map(self._deliver, due))
        return news or bool(due)

    def _deliver(self, delivery_id: str) -> None:
        settings = self.settings
        try:
            with self.database.write() as session:
                delivery = store.take(session, delivery_id, 2 * settings.webhook_timeout_seconds)
                hook = None if delivery is None else store.get(session, delivery.webhook_id)
            if delivery is None or hook is None:
                return
            status, error = self._attempt(hook.url, hook.secret, delivery.id, delivery.body)
            with self.database.write() as session:
                store.note(
                    session,
                    delivery,
                    status=status,
                    error=error,
                    most=settings.webhook_attempts,
                    base=settings.webhook_retry_seconds,
                )
        except Problem as problem:  # its lease ends, and then it is due again
            _log.warning("webhook: %s", problem.detail)

    def _attempt(
        self, url: str, secret: str, message_id: str, text: str
    ) -> tuple[int | None, str | None]:
        body = text.encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": AGENT,
            **signing.headers(secret, message_id, int(time.time()), body),
        }
        try:
            status = sending.post(
                url,
                body,
                headers,
                seconds=self.settings.webhook_timeout_seconds,
                allow_private=self.settings.webhook_allow_private,
            )
        except sending.Refused as refused:
            return None, f"Not delivered: {refused}."
        if 200 <= status < 300:
            return status, None
        what = "Redirects are not followed." if 300 <= status < 400 else "Expected 2xx."
        return status, f"The receiver answered {status}. {what}"
