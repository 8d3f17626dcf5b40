"""The paper is two pages once an office program lays it out. Needs LibreOffice: ``pytest -m office``."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import socialfinance as sf
from socialfinance.papers.council_paper import council_paper
from socialfinance.papers.docx_paper import docx_paper

pytestmark = pytest.mark.office
CASES = ("collective-impact-fund", "demo-guaranteed-debt", "demo-income-strip", "edge-of-care-structures")


@pytest.mark.parametrize("name", CASES)
def test_a_document_is_two_pages(name: str, tmp_path: Path) -> None:
    office = shutil.which("soffice")
    if office is None:
        pytest.skip("LibreOffice is not installed")
    about = "socialfinance; file.yaml; council eastmere; 50 futures, seed 1."
    file = tmp_path / "paper.docx"
    file.write_bytes(docx_paper(council_paper(sf.council_view(name, "eastmere", paths=50, seed=1), about)))
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    subprocess.run(
        [office, profile, "--headless", "--convert-to", "pdf", "--outdir", str(tmp_path), str(file)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    pages = re.findall(rb"/Type\s*/Page\b", file.with_suffix(".pdf").read_bytes())
    assert len(pages) == 2
