"""The other side: simulated inboxes, a folder each, and a scripted AI that answers the product's webhook.

    SimulatedSite   airbnb/        an Airbnb host inbox that a real browser opens
    SandboxAI       ai.py          answers the webhook after a script (brain.py: what it says)

Nothing here may be imported by the product, but for its demo, and nothing of the product is imported here: a
simulation that shares code with what it checks proves nothing.
"""
