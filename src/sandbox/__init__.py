"""A simulated Airbnb host inbox and a sandbox AI, for the demo, the tests and the benchmarks.

    SimulatedSite   site.py        starts everything; what a test holds in its hand
      inbox         inbox.py       the truth: threads, messages, who wrote what
      faults        faults.py      what shall go wrong, and when (walls.py: what a wall looks like)
      log           log.py         every request that reached the site
    SandboxAI       ai.py          answers the product's webhook after a script (brain.py: what it says)

How the site looks and what it puts on the wire follows the field guide (docs: "field guide, section n");
nothing here may be imported by the product's channels, and nothing of the product is imported here: a
simulation that shares code with what it checks proves nothing.
"""
