"""The Airbnb web inbox as a channel. All knowledge of the site is in this folder.

``CHANNEL`` and ``SETTINGS`` are what the loader in ``src/channels/registry.py`` looks for.
"""
