"""Workbooks of Excel, written out by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from benchmarks.reliability.generated.text import zipped

_DAY_ONE = 25_569  # 1970-01-01, in days of a spreadsheet
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_THERE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_RELATED = "application/vnd.openxmlformats-package.relationships+xml"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_STYLES = (  # of numbers, and of dates
    '<fonts count="1"><font/></fonts><fills count="1"><fill/></fills><borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="2"><xf/>'
    '<xf numFmtId="22" applyNumberFormat="1"/></cellXfs>'
)


def workbook(sheets: dict[str, list[list[Any]]]) -> bytes:
    """A workbook of these sheets."""
    numbers = range(1, len(sheets) + 1)
    parts = {"workbook": f"{_KIND}.sheet.main+xml", "styles": f"{_KIND}.styles+xml"}
    parts |= {f"worksheets/sheet{number}": f"{_KIND}.worksheet+xml" for number in numbers}
    types = "".join(f'<Override PartName="/xl/{name}.xml" ContentType="{kind}"/>' for name, kind in parts.items())
    named = "".join(
        f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}"/>'
        for number, name in zip(numbers, sheets, strict=True)
    )
    links = "".join(_link(f"rId{number}", "worksheet", f"worksheets/sheet{number}.xml") for number in numbers)
    usual = (
        f'<Default Extension="rels" ContentType="{_RELATED}"/><Default Extension="xml" ContentType="application/xml"/>'
    )
    files = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">{usual}{types}</Types>',
        "_rels/.rels": _links(_link("rId1", "officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_THERE}"><sheets>{named}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": _links(links + _link("rId99", "styles", "styles.xml")),
        "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}">{_STYLES}</styleSheet>',
    }
    for number, rows in zip(numbers, sheets.values(), strict=True):
        body = "".join(f'<row r="{at}">{_cells(at, row)}</row>' for at, row in enumerate(rows, 1))
        sheet = f'<worksheet xmlns="{_MAIN}"><sheetData>{body}</sheetData></worksheet>'
        files[f"xl/worksheets/sheet{number}.xml"] = sheet
    return zipped({name: text.encode() for name, text in files.items()})


def _links(links: str) -> str:
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{links}</Relationships>'


def _link(name: str, kind: str, target: str) -> str:
    return f'<Relationship Id="{name}" Type="{_THERE}/{kind}" Target="{target}"/>'


def _cells(at: int, row: list[Any]) -> str:
    return "".join(_cell(f"{chr(65 + place)}{at}", value) for place, value in enumerate(row))


def _cell(at: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        days = (value - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() / 86_400 + _DAY_ONE
        return f'<c r="{at}" s="1"><v>{days!r}</v></c>'
    if isinstance(value, int | float):
        return f'<c r="{at}"><v>{value!r}</v></c>'
    text = str(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f'<c r="{at}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
