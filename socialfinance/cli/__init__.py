"""The command line: ``socialfinance run | explain | replay | solve | validate | schema | list | pwlb``.

Ends with 0 when all is well, 1 where there is no answer, 2 for bad input (one line on stderr), 130 when
interrupted, 143 when told to end. A file is written whole or not at all.
"""

from __future__ import annotations

from socialfinance.cli.files import catalogue
from socialfinance.cli.front_door import main, parser

__all__ = ["main", "parser", "catalogue"]
