"""CLOCKS: when the services run, and how the process lives and ends."""
