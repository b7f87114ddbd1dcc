"""A seeded England of any size in the readers' shapes: the demo, the fixtures and the benchmarks are this.

Nobody in it exists. It has what makes real data awkward: cities that are young and deprived, an old coast,
patients registered far away, across the border or nowhere, a practice in no PCN, and posts that do not follow
need. Its codes pass every check and belong to nobody: areas from E01900001 (they read as 2021), practices
Z00001, PCNs U90001, ICBs QZZ and on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array
from scipy.special import gammaincinv

from needsalloc.errors import InvalidValueError
from needsalloc.geography import is_english
from needsalloc.sources import NO_PCN, NO_PCN_NAME
from needsalloc.sources._published import write_published
from needsalloc.sources.lists import OLDEST

if TYPE_CHECKING:
    import geopandas as gpd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ON = date(2026, 1, 1)
VINTAGE = "lsoa21"
PUBLICATION = "SYNTHETIC"

_PEOPLE_PER_AREA = 1_700
_PRACTICES_PER_PCN = 5
_NEAREST_PRACTICES = 12
_METRES_PER_AREA = 2_500
_FIRST_AREA = 900_001
_ORIGIN = np.array([100_000.0, 50_000.0])
_AGES = np.arange(91)
_CURRENT_FTE_PER_AREA = 0.5
_HIGHEST_SCORE = 95.0

_ICB_SUFFIXES = "ZYXWVUTSRQPONMLKJIHGFEDCBA0123456789"
_TREES = (
    "Alder", "Ash", "Beech", "Birch", "Cedar", "Cherry", "Elder", "Elm", "Hawthorn", "Hazel", "Holly",
    "Hornbeam", "Juniper", "Larch", "Lime", "Maple", "Oak", "Pine", "Rowan", "Spruce", "Sycamore", "Willow",
    "Yew",
)  # fmt: skip
_OUTSIDE = {"W01900001": 40, "W01900002": 15, "S01900001": 3, "CLOSED": 25, "EMPTY": 60, "L99999999": 2}


class _Condition(NamedTuple):
    """A made-up register: its share of those covered; log growth per ten years of age, per SD of
    deprivation."""

    code: str
    list_type: str
    from_age: int
    share: float
    age: float
    deprivation: float


# Shares are of the order of England's, so that a demonstration looks familiar; no more is claimed for them.
_CONDITIONS = (
    _Condition("AF", "TOTAL", 0, 0.021, 0.90, 0.00),
    _Condition("AST", "06OV", 6, 0.065, 0.05, 0.05),
    _Condition("CAN", "TOTAL", 0, 0.033, 0.60, -0.04),
    _Condition("CHD", "TOTAL", 0, 0.030, 0.75, 0.15),
    _Condition("CKD", "18OV", 18, 0.042, 0.90, 0.10),
    _Condition("COPD", "TOTAL", 0, 0.019, 0.70, 0.35),
    _Condition("DEM", "TOTAL", 0, 0.007, 1.30, 0.08),
    _Condition("DEP", "18OV", 18, 0.127, 0.00, 0.15),
    _Condition("DM", "17OV", 17, 0.073, 0.45, 0.20),
    _Condition("HF", "TOTAL", 0, 0.010, 0.95, 0.15),
    _Condition("HYP", "TOTAL", 0, 0.140, 0.55, 0.05),
    _Condition("LD", "TOTAL", 0, 0.005, 0.00, 0.25),
    _Condition("MH", "TOTAL", 0, 0.010, 0.10, 0.30),
    _Condition("PAD", "TOTAL", 0, 0.006, 0.80, 0.25),
    _Condition("PC", "TOTAL", 0, 0.005, 1.00, 0.05),
    _Condition("STIA", "TOTAL", 0, 0.019, 0.85, 0.10),
)


@dataclass(frozen=True, eq=False)
class SyntheticEngland:
    """The frames that the readers would return, and the places they are drawn from.

    `registrations`, `membership`, `population` (single years 0 to 90), `deprivation`, `conditions`, `lists`
    and `current` have the columns, dtypes and attrs of `read_registrations` and its sisters. `places` gives
    metres east and north (EPSG:27700) by area.
    """

    registrations: pd.DataFrame
    membership: pd.DataFrame
    population: pd.DataFrame
    deprivation: pd.DataFrame
    conditions: pd.DataFrame
    lists: pd.DataFrame
    current: pd.DataFrame
    places: pd.DataFrame

    @cached_property
    def boundaries(self) -> gpd.GeoDataFrame:
        """A polygon for each area: the land nearest to its place (Voronoi), EPSG:27700. Needs geopandas."""
        import geopandas as gpd
        import shapely

        points = shapely.MultiPoint(self.places.to_numpy())
        land = np.array(points.bounds) + _METRES_PER_AREA * np.array([-1, -1, 1, 1])
        cells = shapely.voronoi_polygons(points, extend_to=shapely.box(*land), ordered=True)
        polygons = shapely.clip_by_rect(shapely.get_parts(cells), *land)
        return gpd.GeoDataFrame(geometry=polygons, index=self.places.index, crs=27700)

    def write(self, folder: str | Path, *, boundaries: bool = False) -> dict[str, Path]:
        """Write the files in their published layouts, from which the readers return the same frames.

        Returns the path of each frame by its name. `boundaries=True` adds the polygons as GeoParquet, which
        needs geopandas.
        """
        folder = Path(folder)
        paths = write_published(folder, vars(self), PUBLICATION)
        if boundaries:
            paths["boundaries"] = folder / "boundaries.parquet"
            self.boundaries.rename_axis(f"{VINTAGE}_code").reset_index().to_parquet(paths["boundaries"])
        return paths


def england(areas: int = 300, pcns: int = 10, seed: int = 1, icbs: int = 1) -> SyntheticEngland:
    """An England of `areas` LSOAs, `pcns` PCNs of five practices each, and `icbs` ICBs; one for each `seed`.

    About 1,700 people live in an area. The size of the real one: areas=33_755, pcns=1_300, icbs=36.

    Raises InvalidValueError for a negative seed, or unless 1 <= icbs <= 36 and icbs <= pcns <= areas.
    """
    if seed < 0:
        raise InvalidValueError(f"The seed is {seed}: give a whole number from 0.")
    if not 1 <= icbs <= len(_ICB_SUFFIXES) or not icbs <= pcns <= areas:
        raise InvalidValueError(
            f"areas={areas}, pcns={pcns}, icbs={icbs} make no England: give 1 to {len(_ICB_SUFFIXES)} ICBs, "
            "at least one PCN for each, and no more PCNs than areas."
        )
    rng = np.random.default_rng(seed)
    icb = np.arange(areas) * icbs // areas
    land = _land(rng, icb)
    poverty = _poverty(rng, land)
    codes = pd.Index([f"E01{_FIRST_AREA + i}" for i in range(areas)], name=VINTAGE)
    population = _population(rng, land, poverty)
    membership, practice_places = _practices(rng, land, icb, pcns)
    patients = _patients(rng, population.sum(axis=1), land.places, practice_places)
    elsewhere = _elsewhere(rng, len(membership))
    lists = _lists(rng, patients, elsewhere, population)
    list_poverty = (patients.T @ poverty) / patients.sum(axis=0)
    frames = {
        "registrations": _registrations(patients, elsewhere, membership, codes),
        "membership": membership,
        "population": pd.DataFrame(population.astype(np.float64), index=codes, columns=_AGES),
        "deprivation": _deprivation(poverty, codes),
        "conditions": _conditions(rng, lists, list_poverty, membership),
        "lists": _lists_frame(lists, membership),
        "current": _current(rng, lists, list_poverty, membership, total=_CURRENT_FTE_PER_AREA * areas),
    }
    _describe(frames, f"synthetic England of {areas:,} areas, seed {seed}")
    places = pd.DataFrame(land.places, index=codes, columns=["east", "north"])
    return SyntheticEngland(**frames, places=places)


def is_synthetic(areas: pd.Index) -> bool:
    """Whether any of these area codes is made up, so that whatever is shown of it must say so."""
    return bool((areas[is_english(areas)] >= f"E01{_FIRST_AREA}").any())


def _describe(frames: dict[str, pd.DataFrame], made: str) -> None:
    """Set the attrs that the readers set; no file was read, so there is no checksum."""
    for name, frame in frames.items():
        frame.attrs = {"source": {"file": made, "sha256": "", "rows": len(frame)}}
        if name in ("registrations", "membership", "lists", "current"):
            frame.attrs["on"] = ON
    frames["deprivation"].attrs["edition"] = "synthetic"
    frames["population"].attrs["left_out"] = {}
    frames["current"].attrs["basis"] = "establishment"


class _Land(NamedTuple):
    """places: metres east and north (areas × 2); city and coast: 0 to 1, how much an area is of either."""

    places: Floats
    city: Floats
    coast: Floats


def _land(rng: np.random.Generator, icb: Ints) -> _Land:
    """Each ICB is a square with a city in its west half, where areas are small, and the sea in the east."""
    counts = np.bincount(icb)
    side = int(np.ceil(np.sqrt(counts.max())))
    rank = np.arange(len(icb)) - (np.cumsum(counts) - counts)[icb]
    grid = np.column_stack([rank % side, rank // side])
    within = (grid + 0.5 + rng.uniform(-0.35, 0.35, grid.shape)) / side
    centre = np.array([0.35, 0.5])
    distance = np.linalg.norm(within - centre, axis=1, keepdims=True)
    drawn_in = centre + (within - centre) * (0.4 + 0.6 * np.minimum(distance / 0.65, 1))
    across = int(np.ceil(np.sqrt(len(counts))))
    square = np.column_stack([icb % across, icb // across])
    places = _ORIGIN + (square + drawn_in) * side * _METRES_PER_AREA
    return _Land(places, np.exp(-4 * distance[:, 0]), np.clip(4 * within[:, 0] - 3, 0, 1))


def _poverty(rng: np.random.Generator, land: _Land) -> Floats:
    """A standard score by area: high in the city and in patches of the coast, alike among neighbours."""
    scatter = rng.normal(size=len(land.city))
    _, near = _nearest(land.places, land.places, 8)
    patches = scatter[near].mean(axis=1)
    raw = 1.5 * land.city + 0.4 * land.coast + 1.0 * patches + 0.25 * rng.normal(size=len(scatter))
    return np.asarray((raw - raw.mean()) / raw.std() if len(raw) > 1 else np.zeros(1))


def _population(rng: np.random.Generator, land: _Land, poverty: Floats) -> Ints:
    """Residents by area and single year of age (areas × 91): older at the coast, younger in the city."""
    pyramid = (0.85 + 0.15 * (_AGES > 20)) / (1 + np.exp((_AGES - 79) / 7))
    # The last column stands for everybody of 90 and over.
    pyramid[-1] *= 3
    tilt = 0.5 * land.coast - 0.5 * land.city - 0.12 * poverty
    students = np.exp(-(((_AGES - 22) / 4) ** 2))
    weights = pyramid * np.exp(np.outer(tilt, (_AGES - 40) / 40)) + np.outer(0.8 * land.city**2, students)
    people = np.clip(rng.normal(_PEOPLE_PER_AREA, 250, len(tilt)), 1_000, 3_000).astype(np.int64)
    return rng.multinomial(people, weights / weights.sum(axis=1, keepdims=True))


def _practices(rng: np.random.Generator, land: _Land, icb: Ints, pcns: int) -> tuple[pd.DataFrame, Floats]:
    """The membership frame and its practices' places: five around each PCN's centre, and one in no PCN."""
    icb_of_pcn = np.arange(pcns) * (icb[-1] + 1) // pcns
    centres = np.vstack(
        [_centres(rng, land.places[icb == k], n) for k, n in enumerate(np.bincount(icb_of_pcn))]
    )
    pcn = np.repeat(np.arange(pcns), _PRACTICES_PER_PCN)
    around = rng.normal(scale=1.5 * _METRES_PER_AREA, size=(len(pcn), 2))
    places = np.vstack([centres[pcn] + around, centres[0]])
    codes = np.append([f"U{90_001 + k}" for k in pcn], NO_PCN)
    names = np.append([_pcn_name(int(k)) for k in pcn], NO_PCN_NAME)
    k = np.append(icb_of_pcn[pcn], 0)
    frame = pd.DataFrame(
        {
            "practice": [f"Z{i + 1:05}" for i in range(len(codes))],
            "practice_name": [f"Synthetic Practice {i + 1}" for i in range(len(codes))],
            "pcn": codes,
            "pcn_name": names,
            "sub_icb": [f"Z{i:02}" for i in k],
            "sub_icb_name": [f"Synthetic Sub-ICB Location {i + 1}" for i in k],
            "icb": [f"QZ{_ICB_SUFFIXES[i]}" for i in k],
            "icb_name": [f"Synthetic ICB {i + 1}" for i in k],
        },
        dtype="str",
    )
    return frame, places


def _centres(rng: np.random.Generator, places: Floats, number: int) -> Floats:
    """Places spread so that each has about as many areas around it (k-means)."""
    from scipy.cluster.vq import kmeans2

    centres, _ = kmeans2(places, number, minit="++", seed=rng)
    return np.asarray(centres)


def _pcn_name(k: int) -> str:
    tree, turn = _TREES[k % len(_TREES)], k // len(_TREES)
    return f"{tree} PCN" if turn == 0 else f"{tree} {turn + 1} PCN"


def _patients(rng: np.random.Generator, residents: Ints, homes: Floats, practices: Floats) -> csr_array:
    """Registered patients (areas × practices, whole numbers): mostly near home, a few at the far end of the
    land.

    Lists run 6 % above residents, as England's do.
    """
    registered = np.rint(1.06 * residents).astype(np.int64)
    distance, nearest = _nearest(homes, practices, _NEAREST_PRACTICES)
    size = rng.lognormal(sigma=0.4, size=len(practices))
    # The practice in no PCN is small.
    size[-1] = 0.05
    pull = size[nearest] * np.exp(
        -distance / (2 * _METRES_PER_AREA) + distance.min(axis=1, keepdims=True) / 5_000
    )
    chosen = rng.multinomial(registered, pull / pull.sum(axis=1, keepdims=True))
    # Every practice has somebody from anywhere, so that none is empty.
    far = max(len(homes) // 2, len(practices))
    rows = np.concatenate(
        [np.repeat(np.arange(len(homes)), nearest.shape[1]), rng.integers(len(homes), size=far)]
    )
    columns = np.concatenate([nearest.ravel(), np.resize(np.arange(len(practices)), far)])
    counts = np.concatenate([chosen.ravel(), rng.integers(1, 4, size=far)])
    patients = csr_array((counts, (rows, columns)), shape=(len(homes), len(practices)))
    patients.sum_duplicates()
    patients.eliminate_zeros()
    return patients


def _nearest(places: Floats, among: Floats, number: int) -> tuple[Floats, Ints]:
    """Distances and positions of the nearest of `among`, nearest first (places × at most `number`)."""
    # Only who makes an England waits for this import.
    from scipy.spatial import KDTree

    distance, position = KDTree(among).query(places, k=range(1, min(number, len(among)) + 1))
    return distance, position


def _elsewhere(rng: np.random.Generator, practices: int) -> pd.DataFrame:
    """Patients with an address outside England or none: practice (position), area, patients."""
    rows = [
        (int(practice), code, patients)
        for code, patients in _OUTSIDE.items()
        for practice in np.unique(rng.integers(practices, size=2))
    ]
    return pd.DataFrame(rows, columns=["practice", "area", "patients"])


def _registrations(
    patients: csr_array, elsewhere: pd.DataFrame, membership: pd.DataFrame, codes: pd.Index
) -> pd.DataFrame:
    by_practice = patients.T.tocsr().tocoo()
    practice = np.concatenate([by_practice.row, elsewhere["practice"]])
    areas = pd.Index(codes.tolist() + list(_OUTSIDE))
    area = np.concatenate([by_practice.col, areas.get_indexer(pd.Index(elsewhere["area"]))])
    order = np.lexsort((area, practice))
    counts = np.concatenate([by_practice.data, elsewhere["patients"]]).astype(np.int64)
    return pd.DataFrame(
        {
            "practice": pd.Categorical.from_codes(practice[order], pd.Index(membership["practice"])),
            VINTAGE: pd.Categorical.from_codes(area[order], areas),
            "patients": counts[order],
        }
    )


def _lists(rng: np.random.Generator, patients: csr_array, elsewhere: pd.DataFrame, population: Ints) -> Ints:
    """Patients by practice, sex (women first) and age 0 to 95: practices × 2 × 96, as many as registered."""
    ages = patients.T @ (population / population.sum(axis=1, keepdims=True))
    oldest = 0.75 ** np.arange(OLDEST - 89)
    ages = np.hstack([ages[:, :-1], ages[:, -1:] * oldest / oldest.sum()])
    women = 0.49 + 0.17 / (1 + np.exp((82 - np.arange(OLDEST + 1)) / 5))
    cells = np.hstack([ages * women, ages * (1 - women)])
    totals = np.asarray(patients.sum(axis=0), dtype=np.int64)
    np.add.at(totals, elsewhere["practice"].to_numpy(), elsewhere["patients"].to_numpy())
    drawn = rng.multinomial(totals, cells / cells.sum(axis=1, keepdims=True))
    return drawn.reshape(len(totals), 2, OLDEST + 1)


def _lists_frame(lists: Ints, membership: pd.DataFrame) -> pd.DataFrame:
    rows = pd.MultiIndex.from_product([membership["practice"], ["female", "male"]], names=["practice", "sex"])
    frame = pd.DataFrame(lists.reshape(-1, OLDEST + 1).astype(np.float64), index=rows)
    return frame[frame.sum(axis=1) > 0]


def _deprivation(poverty: Floats, codes: pd.Index) -> pd.DataFrame:
    """Scores spread as the published ones are (a gamma with mean 21.7 and SD 15.3, below 100); deciles by
    rank, 1 the worst."""
    rank = pd.Series(poverty).rank(ascending=False, method="first").to_numpy()
    score = np.minimum(10.85 * gammaincinv(2, 1 - (rank - 0.5) / len(rank)), _HIGHEST_SCORE)
    decile = np.ceil(10 * rank / len(rank)).astype(np.int64)
    return pd.DataFrame({"imd_score": score.round(3), "deprivation_decile": decile}, index=codes)


def _conditions(
    rng: np.random.Generator, lists: Ints, list_poverty: Floats, membership: pd.DataFrame
) -> pd.DataFrame:
    by_age = lists.sum(axis=1)
    ages = np.arange(OLDEST + 1)
    registers = []
    for condition in _CONDITIONS:
        covered = np.where(ages >= condition.from_age, by_age, 0)
        risk = np.exp(condition.age * (ages - 75) / 10)
        risk *= condition.share * covered.sum() / (covered.sum(axis=0) @ risk)
        expected = (covered @ np.minimum(risk, 0.7)) * np.exp(condition.deprivation * list_poverty)
        size = covered.sum(axis=1)
        registers.append(
            pd.DataFrame(
                {
                    "practice": membership["practice"],
                    "condition": condition.code,
                    "register": np.minimum(rng.poisson(expected), size).astype(np.float64),
                    "list_size": size.astype(np.float64),
                    "list_type": condition.list_type,
                }
            )
        )
    frame = pd.concat(registers).sort_values(["practice", "condition"], ignore_index=True)
    return frame.astype({"condition": "str", "list_type": "str"})


def _current(
    rng: np.random.Generator, lists: Ints, list_poverty: Floats, membership: pd.DataFrame, *, total: float
) -> pd.DataFrame:
    """Posts as history left them: by heads of any age, fewer where people are poor, and by chance."""
    heads = pd.Series(lists.sum(axis=(1, 2)) * np.exp(-0.18 * list_poverty), index=membership["pcn"])
    by_pcn = heads[heads.index != NO_PCN].groupby(level=0).sum()
    weight = by_pcn.to_numpy() * rng.lognormal(sigma=0.12, size=len(by_pcn))
    tenths = np.rint(10 * total * weight / weight.sum()).astype(np.int64)
    tenths[tenths.argmax()] += round(10 * total) - tenths.sum()
    band_6, band_3 = tenths * 3 // 10, tenths // 5
    return pd.DataFrame(
        {
            "team": by_pcn.index.astype("str"),
            "current": tenths / 10,
            "fte_band_3": band_3 / 10,
            "fte_band_5": (tenths - band_3 - band_6) / 10,
            "fte_band_6": band_6 / 10,
            "vacancies": np.rint(tenths * rng.uniform(0, 0.15, len(tenths))) / 10,
            "basis": "establishment",
            "on": ON.isoformat(),
        }
    )
