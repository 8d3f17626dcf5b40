"""A paper as a Word document (Office Open XML), written by python-docx."""

from __future__ import annotations

import io
from importlib.util import find_spec
from math import ceil
from typing import TYPE_CHECKING, Any

from socialfinance.core.errors import InputError
from socialfinance.papers.parts import Fields, Paper, Part, Points, Table, cut

if TYPE_CHECKING:
    from docx.document import Document as Written

FONT, SIZE, SMALL = "Arial", 8.0, 7.5
"""Points of text and of tables: two pages of A4 hold what a typical paper says."""
HEADINGS = {"Title": 14.0, "Heading 1": 9.5}
INK, TINT, WARN = "000000", "E8ECF1", "7A2E00"
MARGINS = (1.3, 1.5)
"""Centimetres above and below, and beside."""
LETTER, MOST_LETTERS, MOST_OF_A_FIGURE = 0.152, 44, 24
"""Centimetres that a letter of a table takes, bold ones too; letters beyond which a column wraps."""
LONGEST_PROPERTY = 200
"""Characters of a document property; the format allows 255."""


def check_docx() -> None:
    """InputError where the package that documents need is not installed."""
    if find_spec("docx") is None:
        raise InputError(
            "a Word document needs python-docx", field="--to", allowed="pip install 'socialfinance[paper]'"
        )


def docx_paper(paper: Paper) -> bytes:
    """The document's content. No field, link or macro is in it: text stays text, whatever it begins with."""
    check_docx()
    from docx import Document

    document = Document()
    _set_up(document, paper)
    document.add_paragraph(f"{paper.title}: draft paper for cabinet", style="Title")
    _status(document, paper.status)
    _part(document, paper.opening)
    for number, section in enumerate(paper.sections, start=1):
        document.add_paragraph(f"{number}. {section.heading}", style="Heading 1")
        for part in section.parts:
            _part(document, part)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _set_up(document: Written, paper: Paper) -> None:
    """A4, margins, fonts, language, properties, and the foot of each page."""
    from docx.shared import Cm, Pt

    page = document.sections[0]
    page.page_width, page.page_height = Cm(21.0), Cm(29.7)
    page.top_margin = page.bottom_margin = Cm(MARGINS[0])
    page.left_margin = page.right_margin = Cm(MARGINS[1])
    page.footer_distance = page.header_distance = Cm(0.6)
    _style(document, "Normal", SIZE, after=2.0)
    _style(document, "List Bullet", SIZE, after=1.0)
    _style(document, "Title", HEADINGS["Title"], after=3.0, bold=True)
    _style(document, "Heading 1", HEADINGS["Heading 1"], before=5.0, after=1.5, bold=True)
    foot = page.footer.paragraphs[0]
    foot.add_run(paper.about).font.size = Pt(6.5)
    known = document.core_properties
    known.title = cut(f"{paper.title}: draft paper", LONGEST_PROPERTY)
    known.author, known.comments, known.language = "socialfinance (draft)", "", "en-GB"


def _style(
    document: Written, name: str, size: float, before: float = 0.0, after: float = 0.0, bold: bool = False
) -> None:
    from docx.oxml.ns import qn
    from docx.shared import Pt, RGBColor

    style: Any = document.styles[name]
    style.font.name, style.font.size, style.font.bold = FONT, Pt(size), bold
    style.font.color.rgb = RGBColor.from_string(INK)
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    for attribute in list(fonts.attrib):
        if "Theme" in attribute:  # a theme's font would win over the one that is named
            del fonts.attrib[attribute]
    _complex_size(style.element.rPr, size)
    for kind in ("w:ascii", "w:hAnsi", "w:cs", "w:eastAsia"):
        fonts.set(qn(kind), FONT)
    form = style.paragraph_format
    form.space_before, form.space_after, form.line_spacing = Pt(before), Pt(after), 1.0
    form.keep_with_next = name == "Heading 1"
    for border in style.element.findall(f".//{qn('w:pBdr')}"):
        border.getparent().remove(border)


def _complex_size(properties: Any, size: float) -> None:
    """The same size for text that runs from right to left, which has one of its own."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    for old in properties.findall(qn("w:szCs")):
        properties.remove(old)
    mark = OxmlElement("w:szCs")
    mark.set(qn("w:val"), str(round(2 * size)))  # half-points
    properties.find(qn("w:sz")).addnext(mark)


def _status(document: Written, words: str) -> None:
    from docx.shared import RGBColor

    run = document.add_paragraph().add_run(words)
    run.bold = True
    run.font.color.rgb = RGBColor.from_string(WARN)


def _part(document: Written, part: Part) -> None:
    if isinstance(part, Table):
        _table(document, part)
    elif isinstance(part, Points):
        for point in part.points:
            document.add_paragraph(point, style="List Bullet")
    elif isinstance(part, Fields):
        for name, value in part.rows:
            line = document.add_paragraph()
            line.add_run(f"{name}: ").bold = True
            line.add_run(value)
    else:
        document.add_paragraph(part)


def _table(document: Written, table: Table) -> None:
    """Title, then a grid whose head is repeated on a new page; figures to the right."""
    from docx.shared import Cm

    title = document.add_paragraph()
    title.add_run(table.title).bold = True
    title.paragraph_format.keep_with_next = True
    lines = [table.head, *table.rows, *((table.foot,) if table.foot else ())]
    grid = document.add_table(rows=len(lines), cols=len(table.head), style="Table Grid")
    grid.autofit = False
    widths = _widths(table)
    for column, width in zip(grid.columns, widths, strict=True):
        column.width = Cm(width)
    for i, (row, line) in enumerate(zip(grid.rows, lines, strict=True)):
        _keep_whole(row, head=i == 0)
        strong = i == 0 or (bool(table.foot) and i == len(lines) - 1)
        for j, (cell, words) in enumerate(zip(row.cells, line, strict=True)):
            _fill(cell, words, right=j >= table.words, strong=strong, tinted=i == 0, width=widths[j])
    _gap(document)


def _gap(document: Written) -> None:
    """A little space under a table, which has none of its own."""
    from docx.shared import Pt

    form = document.add_paragraph().paragraph_format
    form.line_spacing, form.space_after = Pt(3.0), Pt(0.0)


def _widths(table: Table) -> list[float]:
    """Centimetres by column: figures have what their longest needs, words share the rest of the page.

    A head takes two lines where it is longer than what stands under it.
    """
    lines = [*table.rows, *((table.foot,) if table.foot else ())]
    longest = [
        max([len(line[j]) + line[j].count("%") for line in lines], default=0) for j in range(len(table.head))
    ]
    needed = [
        max(some, max(map(len, name.split()), default=0) + 1, ceil(len(name) / 2), 5) + 2
        for some, name in zip(longest, table.head, strict=True)
    ]
    most = [MOST_LETTERS if j < table.words else MOST_OF_A_FIGURE for j in range(len(needed))]
    wanted = [min(pair) for pair in zip(needed, most, strict=True)]
    whole = 21.0 - 2 * MARGINS[1]
    spare = whole - LETTER * sum(wanted)
    if spare > 0.0:  # to the first column
        return [LETTER * width + (spare if j == 0 else 0.0) for j, width in enumerate(wanted)]
    words = sum(wanted[: table.words])
    return [
        LETTER * width + (spare * width / words if j < table.words else 0.0) for j, width in enumerate(wanted)
    ]


def _keep_whole(row: Any, head: bool) -> None:
    """No line of a table is broken over two pages; the head stands on each."""
    from docx.oxml import OxmlElement

    properties = row._tr.get_or_add_trPr()
    properties.append(OxmlElement("w:cantSplit"))
    if head:
        properties.append(OxmlElement("w:tblHeader"))


def _fill(cell: Any, words: str, right: bool, strong: bool, tinted: bool, width: float) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn
    from docx.shared import Cm, Pt

    cell.width = Cm(width)
    line = cell.paragraphs[0]
    line.paragraph_format.space_after = Pt(0)
    if right:
        line.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    run = line.add_run(words)
    run.font.size, run.bold = Pt(SMALL), strong
    if tinted:
        shade = OxmlElement("w:shd")
        shade.set(qn("w:val"), "clear")
        shade.set(qn("w:fill"), TINT)
        cell._tc.get_or_add_tcPr().append(shade)
