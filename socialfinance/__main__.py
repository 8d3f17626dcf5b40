"""``python -m socialfinance``."""

from __future__ import annotations

import sys

from socialfinance.cli import main

if __name__ == "__main__":
    sys.exit(main())
