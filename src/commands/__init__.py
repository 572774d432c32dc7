"""What stands behind each command of ``src/cli.py``."""
