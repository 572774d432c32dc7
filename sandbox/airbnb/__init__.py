"""A simulated Airbnb host inbox, for the demo, the tests and the benchmarks.

    SimulatedSite   site.py        starts everything; what a test holds in its hand
      inbox         inbox.py       the truth: threads, messages, who wrote what
      faults        faults.py      what shall go wrong, and when (walls.py: what a wall looks like)
      log           log.py         every request that reached the site

How the site looks and what it puts on the wire follows the field guide (docs: "field guide, section n").
"""
