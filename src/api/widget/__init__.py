"""The chat on a site's pages: the script, and what it calls at ``/api/widget/{site}``."""
