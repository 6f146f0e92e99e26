"""Numbers, durations and names as people read them."""

import math
from datetime import UTC, datetime
from html import escape as _escape

MINUS = "−"
NARROW = "\u00a0"  # between a number and its sign, never at the end of a line
WORDS = {
    "log_loss": "Log loss",
    "roc_auc": "ROC AUC",
    "f1_macro": "F1, macro",
    "precision_macro": "Precision, macro",
    "recall_macro": "Recall, macro",
    "pr_auc": "PR AUC",
    "brier": "Brier score",
    "mcc": "Matthews correlation",
    "top_3_accuracy": "Top 3 accuracy",
    "top_5_accuracy": "Top 5 accuracy",
    "mape": "Mean absolute percentage error",
    "rmse": "RMSE",
    "mae": "Mean absolute error",
    "r2": "R²",
    "leaky_relu": "leaky ReLU",
    "relu": "ReLU",
    "sgd": "SGD",
    "adam": "Adam",
    "mse": "squared error",
    "early_stopping": "it stopped getting better",
    "epochs": "all epochs were done",
    "time_budget": "the time was up",
}
SHARES = frozenset({"accuracy", "balanced_accuracy"})


def escape(text: object) -> str:
    """Text inside HTML, in elements and in quoted attributes."""
    return _escape(str(text), quote=True)


def word(name: str) -> str:
    """A name of ours as a person writes it."""
    known = WORDS.get(name)
    return known if known is not None else name.replace("_", " ").capitalize()


def number(value: float, digits: int = 4) -> str:
    """Significant digits, without exponents where a person would not write one."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e7 or size < 1e-4:
        mantissa, _, exponent = f"{value:.2e}".partition("e")
        return f"{mantissa.replace('-', MINUS)} × 10{_raised(int(exponent))}"
    if size >= 10 ** (digits - 1):
        return (f"{value:,.0f}" if size >= 1e4 else f"{value:.0f}").replace("-", MINUS)
    shown = f"{value:.{digits}g}"
    return shown.replace("-", MINUS)


def _raised(exponent: int) -> str:
    return str(exponent).translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))


def percent(share: float) -> str:
    """A share in percent; only what is all is called 100 %."""
    if float(100 * share).is_integer():
        return f"{100 * share:.0f}{NARROW}%"
    if share > 0.9995:
        return f"99.9{NARROW}%"
    return f"{100 * share:.1f}{NARROW}%".replace("-", MINUS)


def figure(name: str, value: float) -> str:
    """A metric's value in its own way."""
    return percent(value) if name in SHARES else number(value)


def power(value: float) -> str:
    """A power of ten: 0.001 to 1000 in full, others as 10ⁿ."""
    if 1e-3 <= value <= 1e3:
        return f"{value:g}"
    return f"10{_raised(round(math.log10(value)))}"


def count(value: int, one: str, many: str | None = None) -> str:
    """How many of what."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """A span of time."""
    if seconds < 1:
        return f"{max(1, round(seconds * 1000))} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, left = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {left} s"
    return f"{minutes // 60} h {minutes % 60} min"


def size(amount: int) -> str:
    """Bytes."""
    if amount < 1000:
        return f"{amount} bytes"
    return f"{amount / 1000:,.1f} kB" if amount < 1e6 else f"{amount / 1e6:,.1f} MB"


def date(moment: datetime) -> str:
    """A day and a time, in UTC."""
    return moment.astimezone(UTC).strftime("%-d %B %Y, %H:%M UTC")
