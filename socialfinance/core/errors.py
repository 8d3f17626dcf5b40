"""What can go wrong, in one line: bad input (where, which field, what is allowed), a run that broke off."""

from __future__ import annotations

from collections.abc import Sequence

from socialfinance.core.text import visible


class RunError(Exception):
    """A run that could not be finished, through no fault of the input. The command line exits with 1."""


class InputError(Exception):
    """Bad input. Printed as one line; the command line exits with 2.

    ``file``, ``line`` and ``field`` say where; ``given`` and ``allowed`` are shown when known.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str | None = None,
        line: int | None = None,
        field: str | None = None,
        given: object = None,
        allowed: str | None = None,
    ) -> None:
        self.problem = problem
        self.file = file
        self.line = line or None  # 0: it stands on no line
        self.field = field
        self.given = given
        self.allowed = allowed
        super().__init__(str(self))

    def at(self, file: str | None, line: int | None, field: str | None = None) -> InputError:
        """The same problem with its place filled in where it was still unknown."""
        return InputError(
            self.problem,
            file=self.file or file,
            line=self.line or line,
            field=self.field or field,
            given=self.given,
            allowed=self.allowed,
        )

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        head = ": ".join(part for part in (place, self.field) if part)
        details = [f"given {_brief(self.given)}"] if self.given is not None else []
        details += [f"allowed: {self.allowed}"] if self.allowed else []
        text = f"{head}: {self.problem}" if head else self.problem
        return visible(text + (f" ({'; '.join(details)})" if details else ""))


def _brief(given: object, longest: int = 60) -> str:
    text = repr(given) if isinstance(given, str) else str(given)
    if isinstance(given, list | tuple):
        text = f"[{', '.join(map(str, given))}]"
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def field_path(parts: Sequence[str | int]) -> str:
    """``("deals", "mst", "layers", 0, "cover")`` as ``deals.mst.layers[0].cover``."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text
