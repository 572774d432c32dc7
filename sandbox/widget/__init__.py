"""A shop whose page has the chat, and the network between its visitors and the chat's server."""
