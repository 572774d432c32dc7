"""NOUNS: tables, statuses with their allowed moves, and pure rules. No I/O."""
