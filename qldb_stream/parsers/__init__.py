"""Bytes in every form a journal ever left QLDB in, read as events or blocks."""
