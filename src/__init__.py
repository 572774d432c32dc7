"""Nightporter: answers a host's Airbnb inbox through the host's own AI.

The way of a message::

    guest ─▶ channels/airbnb ─▶ services/sync ─▶ queue_inbox ─▶ services/ai_webhook ─▶ (the AI)
                                 (stored + queued,                                        │
                                  one transaction)                                        ▼
    guest ◀─ channels/airbnb ◀─ services/send ◀─ queue_outbox ◀─ services/answers ◀─── POST /api/ai/webhook-simple
             (typed, pressed once,               (enqueued in the transaction
              read back)                          that closes the request)

Where is …

==========================================  ==========================================
a command (``syncsend``, ``doctor`` …)      ``src/cli.py``
a setting, its unit and its default         ``src/settings.py``
what a worker does about an error           ``src/errors.py`` (each class says it)
a table, a status, an allowed move          ``src/model/``
an SQL statement                            ``src/db/``
who may be answered                         ``src/model/gate.py``
one step of a message's way                 ``src/services/`` (one file a step)
what the built-in assistant says, and why   ``src/assistant/`` (``answer.py`` has the steps in order)
a name of a thing on the page               ``src/channels/airbnb/selectors.py``
what stops us (CAPTCHA, login, block)       ``src/channels/airbnb/walls.py``
an HTTP endpoint                            ``src/api/``
a page of the dashboard, its sentences      ``src/api/dashboard/``, ``src/locale/``
when something runs                         ``src/workers/``
the simulated Airbnb and its AI             ``sandbox/``
==========================================  ==========================================
"""
