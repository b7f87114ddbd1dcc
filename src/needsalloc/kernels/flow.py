"""Flows between areas and practices: sums, shares and groupings as sparse arrays."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def flow_matrix(area: Ints, practice: Ints, patients: Floats, shape: tuple[int, int]) -> sparse.csr_array:
    """Sum `patients` (rows,) into an areas x practices array; repeated pairs are added."""
    return sparse.csr_array(sparse.coo_array((patients, (area, practice)), shape=shape))


def group_columns(flows: sparse.csr_array, group: Ints, groups: int) -> sparse.csr_array:
    """Add the columns of `flows` (areas x practices) that share a group: areas x groups."""
    practices = flows.shape[1]
    indicator = sparse.csr_array(
        (np.ones(practices), (np.arange(practices), group)), shape=(practices, groups)
    )
    return sparse.csr_array(flows @ indicator)


def row_shares(flows: sparse.csr_array) -> sparse.csr_array:
    """Each row divided by its sum; a row without flows stays empty."""
    total = np.asarray(flows.sum(axis=1)).ravel()
    shares = flows.copy()
    shares.data = shares.data / np.repeat(total, np.diff(flows.indptr))
    return shares


def column_shares(flows: sparse.csr_array) -> sparse.csr_array:
    """Each column divided by its sum; a column without flows stays empty."""
    total = np.asarray(flows.sum(axis=0)).ravel()
    shares = flows.copy()
    shares.data = shares.data / total[shares.indices]
    return shares


def largest_column(flows: sparse.csr_array) -> Ints:
    """The column with the largest flow of each row (rows,), the first of equals; -1 where a row is empty.

    Columns are in the order of their codes, so a tie goes to the lower code.
    """
    largest = np.full(flows.shape[0], -1, dtype=np.int64)
    rows = np.repeat(np.arange(flows.shape[0]), np.diff(flows.indptr))
    order = np.lexsort((flows.indices, -flows.data, rows))
    first = np.unique(rows[order], return_index=True)
    largest[first[0]] = flows.indices[order][first[1]]
    return largest
