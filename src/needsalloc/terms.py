"""Model formulas on cells: what a formula asks of the data, and the design that it makes of distinct values.

The columns of a term depend on its variables alone, so that they are computed where these take another value,
and not for each cell. Transforms that look at other rows than their own, such as `scale` or `bs`, would look
at cells instead of people: they are refused, and `centre` standardises by the people's own mean and SD.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc.errors import FormulaError, MissingColumnError, UnknownCodeError, first_few
from needsalloc.kernels.designs import Block, Codes, Design, smallest
from needsalloc.kernels.families import COUNT, ZERO, Family

Floats = NDArray[np.float64]

# Each gives a row its value from that row alone.
ROW_BY_ROW = (
    "C", "I", "contr.treatment", "log", "log2", "log10", "exp", "np.abs", "np.log", "np.log1p", "np.exp",
    "np.sqrt", "np.minimum", "np.maximum", "np.clip", "np.where",
)  # fmt: skip
# A coefficient belongs to one level, so that a need formula can hold it.
OTHER_CONTRASTS = ("Sum", "Helmert", "Diff", "Poly")
# Combinations of values are tabled up to so many, and looked up by hashing beyond.
TABLED = 5_000_000


@dataclass(frozen=True, slots=True)
class ParsedFormula:
    """A formula taken apart: the column of counts, and the right-hand side of each part, by formulaic."""

    count: str
    parts: Mapping[str, Any]

    @property
    def variables(self) -> tuple[str, ...]:
        """Columns of the data that the right-hand sides are made of, in alphabetical order."""
        return tuple(sorted({str(name) for part in self.parts.values() for name in part.required_variables}))


@dataclass(frozen=True, slots=True)
class Variable:
    """A column of the keys: which of its distinct values each cell has (cells,), and those values."""

    codes: Codes
    levels: pd.Series

    def sums(self, values: Floats) -> Floats:
        """(levels,) sums of a value of each cell (cells,)."""
        return np.bincount(self.codes, values, len(self.levels)).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Terms:
    """The right-hand side of a part with its levels settled: formulaic's `spec`, and a label for each column.

    Labels are those of a need formula: "age:imd_score", "ethnicity=asian".
    """

    spec: Any
    labels: tuple[str, ...]
    variables_of: Mapping[str, tuple[str, ...]]

    @property
    def variables(self) -> tuple[str, ...]:
        """Columns of the data that it is made of."""
        return tuple(sorted({name for names in self.variables_of.values() for name in names}))

    def matrix(self, rows: pd.DataFrame) -> Floats:
        """(rows, columns) of rows that have been through `prepared`.

        Raises UnknownCodeError for a level that was not there at fitting, FormulaError where a term is not
        finite.
        """
        from formulaic.errors import DataMismatchWarning

        with warnings.catch_warnings():
            warnings.simplefilter("error", DataMismatchWarning)
            try:
                found = _computed(self.spec, rows)
            except DataMismatchWarning as fault:
                raise UnknownCodeError(
                    f"Some rows have a level that was not there at fitting ({_unseen(fault)}). "
                    "Give them one of the levels that were, or leave them out."
                ) from fault
        try:
            matrix = np.asarray(found, dtype=np.float64).reshape(len(rows), len(self.labels))
        except (TypeError, ValueError) as fault:
            raise FormulaError(
                f"A term of {first_few(self.labels)} cannot be computed: it is not one number for each row."
            ) from fault
        self.check_finite(matrix)
        return matrix

    def check_finite(self, matrix: Floats) -> None:
        """Refuse columns with values that are no numbers."""
        odd = ~np.isfinite(matrix).all(axis=0)
        if odd.any():
            raise FormulaError(
                f"{odd.sum():,} terms are infinite or no number for some values: "
                f"{first_few(np.array(self.labels)[odd])}. Transform only values that have a result."
            )


def parse(formula: str, zero: str | None, family: Family) -> ParsedFormula:
    """Read "contacts ~ age + imd_score", or R's "contacts ~ count part | zero part".

    zero: "~ …" for the zero part, if it is not in `formula`; the same as the count part by default.

    Raises FormulaError for a text that is no formula, a zero part that is given twice or that the family does
    not have, and for functions that are not applied row by row.
    """
    count, given = _sides(formula)
    if len(given) > 2:
        raise FormulaError(f"{formula!r} has {len(given)} parts: a count and a zero part are all there are.")
    if zero is not None:
        if len(given) == 2:
            raise FormulaError(f"The zero part is given twice, in {formula!r} and as {zero!r}: give it once.")
        given = [*given, *_sides(zero)[1]]
    if len(given) == 2 and ZERO not in family.parts:
        raise FormulaError(f"{family.name} has no zero part: leave it out, or choose zip, zinb or a hurdle.")
    if not count:
        raise FormulaError(f"{formula!r} does not name the counts: write 'contacts ~ …'.")
    parts = {COUNT: given[0]}
    if ZERO in family.parts:
        parts[ZERO] = given[-1]
    for part in parts.values():
        _check_functions(part)
    return ParsedFormula(count, parts)


def variables(keys: pd.DataFrame, names: Iterable[str]) -> dict[str, Variable]:
    """The distinct values of each of these columns.

    Raises MissingColumnError if a column is not in the keys.
    """
    wanted = list(names)
    lacking = [name for name in wanted if name not in keys]
    if lacking:
        raise MissingColumnError(
            f"{len(lacking):,} columns are not among the predictors of these cells: {first_few(lacking)}. "
            f"They have {first_few(keys.columns, 30)}."
        )
    found = {}
    for name in wanted:
        codes, levels = pd.factorize(keys[name], sort=True)
        flags = prepared(pd.DataFrame({name: levels}), {})
        found[name] = Variable(smallest(codes, len(levels)), flags[name])
    return found


def centred(
    known: Mapping[str, Variable], centring: Mapping[str, tuple[float, float]]
) -> dict[str, Variable]:
    """The same variables, standardised by (mean, SD) where there is one."""
    return {
        name: Variable(one.codes, prepared(one.levels.to_frame(name), centring)[name])
        for name, one in known.items()
    }


def prepared(rows: pd.DataFrame, centring: Mapping[str, tuple[float, float]]) -> pd.DataFrame:
    """Columns as formulas see them: flags are 0 and 1, and what is centred is in its own people's SDs."""
    found = {}
    for name, column in rows.items():
        if pd.api.types.is_bool_dtype(column.dtype):
            column = column.astype(np.int8)
        if str(name) in centring:
            mean, sd = centring[str(name)]
            column = (column.astype(np.float64) - mean) / sd
        found[name] = column
    return pd.DataFrame(found, index=rows.index)


def settle(part: Any, known: Mapping[str, Variable]) -> Terms:
    """Fix the levels of a right-hand side from the distinct values of its variables.

    Raises FormulaError for what formulaic cannot make of them.
    """
    names = sorted(str(name) for name in part.required_variables)
    length = max((len(known[name].levels) for name in names), default=1)
    # Every value of every variable is somewhere: what is seen here is all that there is.
    frame = pd.DataFrame(
        {name: known[name].levels.take(np.arange(length) % len(known[name].levels)).array for name in names},
        index=range(length),
    )
    spec = _computed(part, frame).model_spec
    labels, of = [], {}
    for row in spec.structure:
        uses = tuple(sorted(set(map(str, spec.term_variables[row.term])) & set(names)))
        for column in row.columns:
            label = _label(str(column), row.term)
            labels.append(label)
            of[label] = uses
    if not labels:
        raise FormulaError("A part of the formula has no term: leave at least the intercept.")
    return Terms(spec, tuple(labels), of)


def design(terms: Terms, known: Mapping[str, Variable], cells: int) -> Design:
    """The design of cells: each term computed where its variables take other values.

    Raises FormulaError where a term is not finite.
    """
    blocks = []
    combined: dict[tuple[str, ...], tuple[Codes, pd.DataFrame]] = {}
    for row in terms.spec.structure:
        if not row.columns:
            continue
        uses = terms.variables_of[_label(str(row.columns[0]), row.term)]
        if uses not in combined:
            combined[uses] = _combinations(uses, known, cells)
        codes, values = combined[uses]
        part = Terms(terms.spec.subset([row.term]), tuple(map(str, row.columns)), {})
        blocks.append(Block(codes, np.ascontiguousarray(part.matrix(values).T)))
    return Design(tuple(blocks))


def _computed(part: Any, rows: pd.DataFrame) -> Any:
    """formulaic's model matrix of a right-hand side, or of one whose levels are settled."""
    from formulaic.errors import FormulaicError

    try:
        with np.errstate(all="ignore"):
            return part.get_model_matrix(rows, context={}, na_action="ignore")
    except (FormulaicError, TypeError, ValueError) as fault:
        raise FormulaError(f"A part of the formula cannot be computed: {_plain(fault)}") from fault


def _combinations(
    names: Sequence[str], known: Mapping[str, Variable], cells: int
) -> tuple[Codes, pd.DataFrame]:
    """Which combination of values each cell has, and the combinations that there are."""
    if not names:
        return np.zeros(cells, dtype=np.uint8), pd.DataFrame(index=range(1))
    sizes = [len(known[name].levels) for name in names]
    if len(names) == 1:
        return known[names[0]].codes, known[names[0]].levels.to_frame()
    place = known[names[0]].codes.astype(np.int64)
    for name, size in zip(names[1:], sizes[1:], strict=True):
        place = place * size + known[name].codes
    if np.prod(sizes, dtype=np.float64) <= TABLED:
        there = np.zeros(int(np.prod(sizes)), dtype=np.bool_)
        there[place] = True
        found = np.flatnonzero(there)
        codes = (np.cumsum(there) - 1)[place]
    else:
        codes, found = pd.factorize(place)
    index = np.unravel_index(found, sizes)
    values = {name: known[name].levels.take(at).array for name, at in zip(names, index, strict=True)}
    return smallest(codes, len(found)), pd.DataFrame(values)


def _sides(formula: str) -> tuple[str, list[Any]]:
    """The count's column ("" if there is none) and the right-hand sides between bars."""
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    try:
        read = Formula(formula)
    except (FormulaicError, SyntaxError) as fault:
        raise FormulaError(f"{formula!r} is no formula: {_plain(fault)}") from fault
    left, right = getattr(read, "lhs", None), getattr(read, "rhs", read)
    sides = list(right) if isinstance(right, tuple) else [right]
    if left is None:
        return "", sides
    factors = [factor for term in left for factor in term.factors]
    if len(factors) != 1 or factors[0].eval_method.value != "lookup":
        raise FormulaError(f"The left of {formula!r} is not one column: make a column of the counts first.")
    return str(factors[0].expr), sides


def _check_functions(part: Any) -> None:
    used = {
        call
        for term in part
        for factor in term.factors
        if factor.eval_method.value == "python"
        for node in ast.walk(ast.parse(factor.expr, mode="eval"))
        if (call := _called(node))
    }
    if odd := sorted(used - set(ROW_BY_ROW)):
        raise FormulaError(
            f"{len(odd):,} functions of the formula are not known to act on each row by itself: "
            f"{first_few(odd)}. They would act on cells, not on people. Centre with centre=[…], make other "
            f"columns before collapsing, or use {', '.join(ROW_BY_ROW)}."
        )


def _called(node: ast.AST) -> str:
    """The function that an expression calls, or the contrasts that it names, at this place."""
    if isinstance(node, ast.Call):
        return ast.unparse(node.func)
    return node.id if isinstance(node, ast.Name) and node.id in OTHER_CONTRASTS else ""


def _label(column: str, term: Any) -> str:
    """A column's name in a need formula: "C(ethnicity)[T.asian]:age" is "ethnicity=asian:age"."""
    pieces = [rf"{re.escape(str(factor.expr))}(?:\[(?:T\.)?(.*)\])?" for factor in term.factors]
    match = re.fullmatch(":".join(pieces), column)
    if match is None:  # the intercept
        return column
    atoms = []
    for factor, level in zip(term.factors, match.groups(), strict=True):
        inside = re.fullmatch(r"C\((\w+)(?:,.*)?\)", str(factor.expr))
        name = inside[1] if inside else str(factor.expr)
        atoms.append(name if level is None else f"{name}={level}")
    return ":".join(atoms)


def _plain(fault: Exception) -> str:
    """A message without the marks that colour it in a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m|⧛\[[0-9;]*m\(?|\)?⧚", "", str(fault)).split("\n")[0].split(". ")[0]


def _unseen(fault: Warning) -> str:
    match = re.search(r"\{(.*?)\}", str(fault))
    return match[1] if match else str(fault)


__all__ = [
    "ParsedFormula",
    "Terms",
    "Variable",
    "centred",
    "design",
    "parse",
    "prepared",
    "settle",
    "variables",
]
