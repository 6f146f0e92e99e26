"""Rules over the table."""

from core.diagnosis.case import Case, Finding, finding, rule

RARE = 0.1  # rows of the rarest class over those of the most frequent
LARGE_INPUT = 10.0  # root mean square of an input; scaled ones have 1
FEW_ROWS = 30


@rule
def class_imbalance(case: Case) -> Finding | None:
    """One class is far rarer than another."""
    counts = case.profile.classes
    if len(counts) < 2 or min(counts) >= RARE * max(counts):
        return None
    return finding(
        case,
        "class_imbalance",
        "warning",
        "One class is so rare that always answering another is almost right. Accuracy hides how "
        "badly the rare class is found; read its recall.",
        None,
        "None by a change of the job: bring more rows of the rare class, and judge by its recall.",
        rarest_over_most_frequent=min(counts) / max(counts),
        rows_by_class=list(counts),
    )


@rule
def leaking_column(case: Case) -> Finding | None:
    """A column that alone gives the target away."""
    if not case.profile.leaking:
        return None
    names = list(case.profile.leaking)
    kept = [name for name in case.spec["features"] if name not in case.profile.leaking]
    return finding(
        case,
        "leaking_column",
        "error",
        "This column alone tells the target almost perfectly, far better than any other. If it is "
        "known only after the target, the model will fail on new rows.",
        {"features": kept} if kept else None,
        "An honest figure, which is worse here and right on new rows.",
        columns=names,
        explained_alone=[case.profile.leaking[name] for name in names],
    )


@rule
def constant_or_id_like_column(case: Case) -> Finding | None:
    """A column with one value, or with another one in every row."""
    useless = [*case.profile.constant, *case.profile.identifying]
    if not useless:
        return None
    kept = [name for name in case.spec["features"] if name not in useless]
    return finding(
        case,
        "constant_or_id_like_column",
        "info",
        "These columns hold one value only, or number the rows. Neither says anything of new "
        "rows, and a number of rows invites learning by heart.",
        {"features": kept} if kept else None,
        "The same or a lower validation loss with fewer inputs.",
        constant=list(case.profile.constant),
        identifying=list(case.profile.identifying),
    )


@rule
def unscaled_input(case: Case) -> Finding | None:
    """Inputs so large that they saturate the first layer or make steps unequal."""
    if case.profile.largest_input <= LARGE_INPUT:
        return None
    return finding(
        case,
        "unscaled_input",
        "warning",
        "An input is many times larger than the weights are made for. It drowns the others and "
        "saturates the first layer.",
        {"preprocessing": {"scaling": "standardize"}},
        "Every column counts alike, and learning is faster (LeCun et al. 1998, section 4.3).",
        layer=0,
        largest_root_mean_square=case.profile.largest_input,
    )


@rule
def target_outside_output_range(case: Case) -> Finding | None:
    """Targets that the last layer cannot reach."""
    low, high = case.profile.target_range
    if case.network.link == "identity" or (low >= 0.0 and high <= 1.0):
        return None
    if case.network.link == "softmax":
        return None  # its targets are positions of classes
    return finding(
        case,
        "target_outside_output_range",
        "error",
        "The targets lie outside (0, 1), which is all that a sigmoid output can give. Such numbers "
        "need a linear output.",
        {"task": "regression", "training": {"loss": "auto"}},
        "The network can reach every target.",
        layer=len(case.network.layers),
        lowest=low,
        highest=high,
    )


@rule
def too_few_rows(case: Case) -> Finding | None:
    """So few rows that chance decides."""
    if case.profile.rows >= FEW_ROWS:
        return None
    return finding(
        case,
        "too_few_rows",
        "warning",
        f"{case.profile.rows} rows to learn from are so few that chance decides what is learnt, "
        "and every figure is uncertain. No setting makes up for rows; bring more.",
        None,
        "None by a change of the job: with more rows both losses come close to each other.",
        rows=case.profile.rows,
        parameters=case.network.parameter_count,
    )
