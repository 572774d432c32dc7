"""The world of the channel `chat`: a program of a host's own that asks, hangs up, asks twice, and takes late replies."""
