"""One BLAS thread for each of ours: threads upon threads can turn a third of a second into a minute."""

from __future__ import annotations

from contextlib import AbstractContextManager


def one_blas_thread() -> AbstractContextManager[object]:
    """Within it, BLAS starts no threads of its own."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, "blas")


__all__ = ["one_blas_thread"]
