"""The built-in assistant: a guest's message goes in as an AI webhook payload, a decision comes out.

It knows nothing of channels, queues, HTTP servers or when it runs. Everything that it needs stands in the payload,
in the host's knowledge folder and in its settings; everything that it wants is in the decision.
"""
