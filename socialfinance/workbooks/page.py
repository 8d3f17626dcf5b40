"""One sheet of a workbook, written from the top down: lines, tables with live sums, checks, charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from datetime import date
from itertools import cycle
from typing import Any, NamedTuple

from openpyxl import Workbook
from openpyxl.chart import BarChart, LineChart, Reference
from openpyxl.drawing.text import CharacterProperties, ParagraphProperties
from openpyxl.formatting.rule import Rule
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.styles.differential import DifferentialStyle
from openpyxl.utils import get_column_letter

from socialfinance.workbooks.cells import DAY, PLAIN, heighten, put, put_text, set_up_print, widen

FACE = "Calibri"
HEAD, HEAD_FILL = Font(name=FACE, size=11, bold=True, color="FFFFFF"), PatternFill("solid", fgColor="1F3864")
BODY, BOLD = Font(name=FACE, size=11), Font(name=FACE, size=11, bold=True)
QUIET = Font(name=FACE, color="595959", size=9)
TITLE, PART = Font(name=FACE, bold=True, size=14), Font(name=FACE, bold=True, size=12)
SUM_LINE = Border(top=Side(style="thin"), bottom=Side(style="double"))
HEADING = Alignment(vertical="center", horizontal="left", wrap_text=True)
BESIDE_HEADING = Alignment(vertical="center", horizontal="left", wrap_text=True, indent=1)
NUMBER_HEADING = Alignment(vertical="center", horizontal="right", wrap_text=True)
FIRST = Alignment(vertical="top", horizontal="left", wrap_text=True)
BESIDE = Alignment(vertical="top", horizontal="left", wrap_text=True, indent=1)
OK_OR_NOT = '[=0]"ok";"differs"'
"""The format of a check: 0 where two amounts agree to half a penny, else 1."""
RED = PatternFill("solid", bgColor="F8CBAD")
COLOURS = ("0072B2", "000000", "D55E00")
"""Of three lines; told apart by colour-blind readers, and by their dashes."""
DASHES = ("dash", "solid", "sysDot")


class Formula(str):
    """A formula of ours: never made from a text of the input."""


class Column(NamedTuple):
    """A column of a table."""

    head: str
    style: str = PLAIN
    width: float = 14.0
    sums: bool = False
    """whether a live sum stands under it"""


class Block(NamedTuple):
    """Where a table stands."""

    head: int
    first: int
    last: int
    total: int
    """row of the sums; 0 where there are none"""

    def cells(self, column: int, sheet: str = "") -> str:
        """The entries of a column (from 1) as a range."""
        letter = get_column_letter(column)
        return f"{sheet}${letter}${self.first}:${letter}${self.last}"


class Sheets:
    """The workbook while it is written, and every check in it."""

    def __init__(self, symbol: str) -> None:
        self.book = Workbook()
        self.symbol = symbol
        self.checks: list[str] = []
        self.styles: dict[tuple[str, bool, bool, bool], Any] = {}
        """of cells that are alike: openpyxl takes longer to look one up than to write what stands there"""
        self.book.remove(self.book.worksheets[0])

    def page(self, name: str, title: str) -> Page:
        """A new sheet; its name is ours, never a text of the input."""
        return Page(self, self.book.create_sheet(name), title)


class Page:
    """A sheet; ``row`` is where the next thing goes."""

    def __init__(self, sheets: Sheets, sheet: Any, title: str) -> None:
        self.sheets, self.sheet = sheets, sheet
        self.row = 1
        self.widths: dict[int, float] = {}
        self.frozen = False
        self._text(title, TITLE)

    def say(self, text: str, quiet: bool = True) -> None:
        """A line of text."""
        self._text(text, QUIET if quiet else BODY)

    def part(self, text: str) -> None:
        """A heading over what follows."""
        self.row += 1
        self._text(text, PART)

    def _text(self, text: str, font: Font) -> None:
        cell = self.sheet.cell(row=self.row, column=1)
        put_text(cell, text)
        cell.font = font
        self.row += 1

    def table(
        self,
        columns: Sequence[Column],
        rows: Sequence[Sequence[Any]],
        freeze: int | None = None,
        total: str = "Total",
    ) -> Block:
        """Headings, rows, and live sums under the columns that ask for them.

        ``freeze``: how many columns stay in sight beside the headings; only for a sheet's main table.
        """
        head = self.row
        for at, column in enumerate(columns, start=1):
            cell = self.sheet.cell(row=head, column=at)
            put_text(cell, column.head)
            text = BESIDE_HEADING if at > 1 else HEADING
            cell.font, cell.fill = HEAD, HEAD_FILL
            cell.alignment = text if column.style in (PLAIN, DAY) else NUMBER_HEADING
            self.widths[at] = max(self.widths.get(at, 0.0), column.width)
        for n, row in enumerate(rows, start=head + 1):
            for at, (value, column) in enumerate(zip(row, columns, strict=True), start=1):
                self._value(n, at, value, column.style)
        first, last = head + 1, head + len(rows)
        self.row = last + 1
        at_total = self._totals(columns, first, last, total) if rows else 0
        if freeze is not None:
            self.sheet.freeze_panes = self.sheet.cell(row=first, column=freeze + 1)
            self.head, self.beside, self.frozen = head, max(freeze, 1), True
        return Block(head, first, last, at_total)

    def _value(self, row: int, column: int, value: Any, style: str) -> None:
        cell = self.sheet.cell(row=row, column=column)
        if isinstance(value, Formula):
            cell.value, cell.number_format = str(value), style
        else:
            put(cell, value, style)
        is_text = isinstance(value, str | date) and not isinstance(value, Formula)
        key = (cell.number_format, is_text, column > 1, bool(cell.quotePrefix))
        styles = self.sheets.styles
        if key not in styles:
            cell.font = BODY
            cell.alignment = (BESIDE if column > 1 else FIRST) if is_text else Alignment(vertical="top")
            styles[key] = cell._style
        cell._style = copy(styles[key])

    def _totals(self, columns: Sequence[Column], first: int, last: int, label: str) -> int:
        if not any(column.sums for column in columns):
            return 0
        for at, column in enumerate(columns, start=1):
            cell = self.sheet.cell(row=self.row, column=at)
            if column.sums:
                letter = get_column_letter(at)
                cell.value, cell.number_format = f"=SUM({letter}{first}:{letter}{last})", column.style
            elif at == 1:
                put_text(cell, label)
            cell.font, cell.border = BOLD, SUM_LINE
        self.row += 1
        return self.row - 1

    def check(self, block: Block, expected: Mapping[int, float], said: str = "from the result") -> None:
        """Under a table's live sums: what the result says, and whether the two agree to half a penny.

        ``expected`` is by column from 1.
        """
        if not block.total or not expected:
            return
        put_text(self.sheet.cell(row=self.row, column=1), said[:1].upper() + said[1:])
        put_text(self.sheet.cell(row=self.row + 1, column=1), "Agree to half a penny?")
        for at, value in expected.items():
            letter = get_column_letter(at)
            style = self.sheet.cell(row=block.total, column=at).number_format
            put(self.sheet.cell(row=self.row, column=at), value, style)
            cell = self.sheet.cell(row=self.row + 1, column=at)
            cell.value = f"=IF(ABS({letter}{block.total}-{letter}{self.row})<0.005,0,1)"
            cell.number_format, cell.alignment = OK_OR_NOT, Alignment(horizontal="right")
            self.sheet.conditional_formatting.add(
                cell.coordinate,
                Rule(type="cellIs", operator="notEqual", formula=["0"], dxf=DifferentialStyle(fill=RED)),
            )
            self.sheets.checks.append(f"'{self.sheet.title}'!{cell.coordinate}")
        for row in (self.row, self.row + 1):
            for at in (1, *expected):
                self.sheet.cell(row=row, column=at).font = QUIET
        self.row += 2

    def lines_chart(self, title: str, block: Block, columns: Sequence[int], symbol: str, at: str) -> None:
        """A line for each of some columns against the first, with their headings as names."""
        chart = LineChart()
        self._chart(chart, title, block, columns, symbol)
        for line, colour, dash in zip(chart.series, COLOURS, DASHES, strict=False):
            line.graphicalProperties.line.solidFill = colour
            line.graphicalProperties.line.dashStyle = dash
            line.graphicalProperties.line.width = 22_000
            line.smooth = False
        self.sheet.add_chart(chart, at)

    def bars_chart(self, title: str, block: Block, columns: Sequence[int], symbol: str, at: str) -> None:
        """Bars for some columns against the first."""
        chart = BarChart()
        chart.type = "col"
        self._chart(chart, title, block, columns, symbol)
        for bar, colour in zip(chart.series, cycle(COLOURS), strict=False):
            bar.graphicalProperties.solidFill = colour
        self.sheet.add_chart(chart, at)

    def _chart(self, chart: Any, title: str, block: Block, columns: Sequence[int], symbol: str) -> None:
        for column in columns:
            values = Reference(self.sheet, min_col=column, min_row=block.head, max_row=block.last)
            chart.add_data(values, titles_from_data=True)
        chart.set_categories(Reference(self.sheet, min_col=1, min_row=block.first, max_row=block.last))
        chart.title = title
        letters = CharacterProperties(sz=1100, b=True)
        chart.title.tx.rich.p[0].pPr = ParagraphProperties(defRPr=letters)
        for run in chart.title.tx.rich.p[0].r:
            run.rPr = letters
        chart.height, chart.width = 7.5, 15.5
        chart.legend.position = "b"
        chart.y_axis.number_format = f'"{symbol}"#,##0'
        chart.y_axis.delete = chart.x_axis.delete = False  # else openpyxl's charts hide both in new programs
        chart.x_axis.tickLblPos = "low"

    def finish(self, pages_wide: int = 1) -> None:
        """Column widths, row heights and print set-up."""
        widen(self.sheet, self.widths)
        heighten(self.sheet)
        set_up_print(self.sheet, self.head if self.frozen else 1, pages_wide)
        if self.frozen and pages_wide > 1:
            self.sheet.print_title_cols = f"A:{get_column_letter(self.beside)}"
        self.sheet.sheet_view.showGridLines = False
