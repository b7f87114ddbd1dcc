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
    """Add the columns of `flows` (areas x practices) that share a group: areas x groups, indices sorted."""
    flows = sparse.csr_array(flows)
    shape = (flows.shape[0], groups)
    renamed = sparse.csr_array((flows.data, group[flows.indices], flows.indptr), shape=shape)
    # By columns and back sorts the rows on the way, in a third of the time of a product with an indicator.
    by_group = renamed.tocsc()
    by_group.sum_duplicates()
    return by_group.tocsr()


def value_of_most(group: Ints, value: Ints, size: Floats) -> Ints:
    """(groups,) the value that has the largest sum of `size` (rows,) in each group, the least of equals.

    Every group from 0 to the largest has a row.
    """
    by_pair = np.lexsort((value, group))
    new = (np.diff(group[by_pair], prepend=-1) != 0) | (np.diff(value[by_pair], prepend=-1) != 0)
    start = np.flatnonzero(new)
    group, value = group[by_pair[start]], value[by_pair[start]]
    total = np.add.reduceat(size[by_pair], start)
    largest_first = np.lexsort((value, -total, group))
    first = np.diff(group[largest_first], prepend=-1) != 0
    return value[largest_first[first]]


def row_shares(flows: sparse.csr_array) -> sparse.csr_array:
    """Each row divided by its sum; a row without flows stays empty."""
    share = flows.data / np.repeat(total_by_row(flows), np.diff(flows.indptr))
    return sparse.csr_array((share, flows.indices, flows.indptr), shape=flows.shape)


def column_shares(flows: sparse.csr_array) -> sparse.csr_array:
    """Each column divided by its sum; a column without flows, or with those of nobody, is 0."""
    total = total_by_column(flows)[flows.indices]
    share = np.divide(flows.data, total, out=np.zeros_like(total), where=total > 0)
    return sparse.csr_array((share, flows.indices, flows.indptr), shape=flows.shape)


def total_by_row(flows: sparse.csr_array) -> Floats:
    """(rows,) the sum of each row."""
    return np.asarray(flows.sum(axis=1), dtype=np.float64).ravel()


def total_by_column(flows: sparse.csr_array | sparse.csc_array) -> Floats:
    """(columns,) the sum of each column."""
    return np.asarray(flows.sum(axis=0), dtype=np.float64).ravel()


def scale_rows(flows: sparse.csr_array, factor: Floats) -> sparse.csr_array:
    """Each row times its factor (rows,)."""
    scaled = flows.data * np.repeat(factor, np.diff(flows.indptr))
    return sparse.csr_array((scaled, flows.indices, flows.indptr), shape=flows.shape)


def whole_rows(flows: sparse.csr_array, chosen: NDArray[np.bool_], rest: int) -> sparse.csr_array:
    """1 at the chosen entries of `flows`, and in the column `rest` of each row without one."""
    so_far = np.concatenate([[0], np.cumsum(chosen)])[flows.indptr]
    count = np.diff(so_far)
    indptr = np.concatenate([[0], np.cumsum(np.maximum(count, 1))])
    is_rest = np.zeros(indptr[-1], dtype=np.bool_)
    is_rest[indptr[:-1][count == 0]] = True
    columns = np.full(len(is_rest), rest)
    columns[~is_rest] = flows.indices[chosen]
    return sparse.csr_array((np.ones(len(columns)), columns, indptr), shape=flows.shape)


def add_column(flows: sparse.csr_array, values: Floats, column: int) -> sparse.csr_array:
    """`flows` with `values` (rows,) added to a column, which may be one more than it has."""
    shape = (flows.shape[0], max(flows.shape[1], column + 1))
    old = sparse.csr_array((flows.data, flows.indices, flows.indptr), shape=shape)
    rows = np.flatnonzero(values)
    new = flow_matrix(rows, np.full(len(rows), column), values[rows], shape)
    return sparse.csr_array(old + new)
