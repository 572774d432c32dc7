"""SQL: the engine, the queries (one function for each move of a state machine), the migrations.

There is none anywhere else. A query function takes an open ``Connection`` first (from ``Database.read()`` or
``Database.write()``), commits nothing itself, and takes ``now`` from its caller. Several of them in one
``write()`` are one transaction.
"""
