"""The finished folder: page, workbook, tables, log and where everything came from."""

from needsalloc.assumptions import Assumption
from needsalloc.report.bundle import Bundle, Check, Source
from needsalloc.report.write import write

__all__ = ["Assumption", "Bundle", "Check", "Source", "write"]
