"""What an id in a request may look like, before anybody looks for it."""

from __future__ import annotations

import re

OUR_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
SITE_ID = re.compile(r"[\w.:=+/-]{1,200}", re.ASCII)
