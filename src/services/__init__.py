"""VERBS: one file for each step of a message's way."""
