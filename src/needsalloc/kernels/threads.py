"""One BLAS thread for each of ours: the same digits on any number of processors, and no waiting.

A sum over several threads is added up in another order, so that its last digit depends on how many there are;
and threads upon threads can turn a third of a second into a minute.
"""

from __future__ import annotations

from contextlib import AbstractContextManager


def one_blas_thread() -> AbstractContextManager[object]:
    """Within it, BLAS starts no threads of its own."""
    import scipy.linalg  # noqa: F401 - a BLAS that is loaded later would not be limited
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, "blas")


__all__ = ["one_blas_thread"]
