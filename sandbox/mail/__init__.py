"""A mail server as RFC 5321 has it, with a log of what it took and with faults. Shares no code with the channel."""
