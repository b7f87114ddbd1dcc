"""Published need measures beside the district-nursing formula, and weights of the user's own."""

from needsalloc.formulas.base import Base
from needsalloc.formulas.presets import PRESETS, Measured, Preset, available
from needsalloc.formulas.social import (
    care_need_index,
    care_need_mean_of_sweden,
    care_need_sum,
    care_need_weights,
    steel_score,
    z_score_sum,
)
from needsalloc.formulas.weights import Weights, with_equal_ages, with_estimated_sex

__all__ = [
    "PRESETS",
    "Base",
    "Measured",
    "Preset",
    "Weights",
    "available",
    "care_need_index",
    "care_need_mean_of_sweden",
    "care_need_sum",
    "care_need_weights",
    "steel_score",
    "with_equal_ages",
    "with_estimated_sex",
    "z_score_sum",
]
