"""Real channels in the stories of level A: their remotes in memory, without a socket, and every choice from the seed.

A remote is a ``FakeSite`` (the truth, for the invariants) whose messages go through the sandbox's own simulation of
the service: the channel under test speaks its protocol, and what reaches the service's log becomes a press.
"""
