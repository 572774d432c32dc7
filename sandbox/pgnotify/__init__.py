"""A made-up dating app with bots, on a real PostgreSQL: its tables, its triggers, and the people who write in it."""
