"""The knobs of a scoring policy, each with the values found among OKR systems."""

from enum import StrEnum


class Clamp(StrEnum):
    """What becomes of an attainment below 0 or above 1."""

    UNIT = "UNIT"
    NONE = "NONE"
    FLOOR_ONLY = "FLOOR_ONLY"


class Formula(StrEnum):
    """How a moving number is measured: on the way from its baseline, or as a share of target."""

    BASELINE = "BASELINE"
    RATIO = "RATIO"


class Maintain(StrEnum):
    """How a number that must stay within bounds is graded."""

    LATEST = "LATEST"
    SHARE_OF_PERIODS = "SHARE_OF_PERIODS"
    DISTANCE = "DISTANCE"


class Boundary(StrEnum):
    """Whether a value equal to its bound keeps it."""

    INCLUSIVE = "INCLUSIVE"
    STRICT = "STRICT"


class Ungraded(StrEnum):
    """How something without a score counts in a roll-up: as 0, or not at all."""

    ZERO = "ZERO"
    EXCLUDE = "EXCLUDE"


class Rollup(StrEnum):
    """How key results make an objective's score."""

    MEAN_OF_SCORES = "MEAN_OF_SCORES"
    SUM_OF_VALUES = "SUM_OF_VALUES"


class Weights(StrEnum):
    """Where the weights of a roll-up come from."""

    GIVEN = "GIVEN"
    EQUAL = "EQUAL"
    BY_TARGET = "BY_TARGET"


class ChildRollup(StrEnum):
    """How contributing objectives stand beside an objective's own key results."""

    EACH_IS_ONE_UNIT = "EACH_IS_ONE_UNIT"
    KEY_RESULTS_ARE_ONE_UNIT = "KEY_RESULTS_ARE_ONE_UNIT"
    NONE = "NONE"


class CycleRollup(StrEnum):
    """What a cycle's score is the mean of."""

    MEAN_OF_OBJECTIVES = "MEAN_OF_OBJECTIVES"
    MEAN_OF_KEY_RESULTS = "MEAN_OF_KEY_RESULTS"


class StatusRule(StrEnum):
    """How actual progress is held against the expected."""

    DIFFERENCE = "DIFFERENCE"
    RATIO = "RATIO"


class StatusRollup(StrEnum):
    """How several statuses make one."""

    WORST = "WORST"
    ROUNDED_MEAN = "ROUNDED_MEAN"


class DayCount(StrEnum):
    """Whether a cycle's first day is day 0 of it, or already counts as a day passed."""

    FIRST_DAY_ZERO = "FIRST_DAY_ZERO"
    DAY_COUNTED = "DAY_COUNTED"


class BandRule(StrEnum):
    """Whether a score is rounded to a tenth before its colour is looked up."""

    EXACT = "EXACT"
    TENTHS = "TENTHS"
