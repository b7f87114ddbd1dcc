"""The finished folder: page, workbook, tables, log and where everything came from."""

from needsalloc.report.bundle import Assumption, Bundle, Check, Source

__all__ = ["Assumption", "Bundle", "Check", "Source"]
