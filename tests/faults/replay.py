"""``python -m tests.faults.replay A --seed 7 --database sqlite``: one trial again, with the product's own log."""

from __future__ import annotations

import argparse
import sys

from loguru import logger

from tests.faults.levels import LEVELS
from tests.faults.plan import prepared


def main() -> int:
    """Play the trial; 1 if a promise was broken."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("level", choices=LEVELS)
    words.add_argument("--seed", type=int, required=True)
    words.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    given = words.parse_args()
    logger.remove()
    with prepared(1, given.seed, given.database) as plan:
        for tally in LEVELS[given.level].trials(plan):
            print(dict(tally.counts))
            print("\n".join(tally.broken) or "no promise was broken")
            return int(bool(tally.broken))
    return 2


if __name__ == "__main__":
    sys.exit(main())
