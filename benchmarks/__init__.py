"""What Nightporter costs, beside the bare equivalents and beside a naive design; in turn, in one run.

    sh scripts/bench.sh [--quick | --full]

=====================  =====================================================================================
``__main__.py``        the command line: which groups, in which order, the progress bar, where the results go
``sizes.py``           how often everything is measured, quick and full
``results.py``         what is measured (series), what is expected of it (goals), the page, the plot
``remote_site.py``     the simulated site in a process of its own, so that its work is not counted as ours
``processes.py``       CPU time and memory of a process and its children
``inbox.py``           SYNC and SEND against the raw floor and the naive design (``floor.py``, ``naive.py``)
``reactions.py``       guest writes → AI → verified reply, with the real ``syncsend`` as a process; idle workers
``queues.py``          the queue of replies against plain SQLAlchemy Core and four other queues (``peers.py``)
``claims.py``          callback → claim, in one process and across two, on SQLite and PostgreSQL
``callbacks.py``       the callback API against bare Starlette and FastAPI (``bare_apis.py``)
``memory.py``          memory over cycles and sends; a further account in the same browser
``starts.py``          how long the commands take to start
=====================  =====================================================================================
"""
