"""The doctor: rules over what was measured, each with its evidence and the change that mends it.

Pure functions. A new rule is one function with `@rule` in one of the rooms here.
"""

from core.diagnosis import curves, data, flow
from core.diagnosis.case import RULES, Case, Finding, Profile
from core.diagnosis.profiling import profile

__all__ = ["RULES", "Case", "Finding", "Profile", "curves", "data", "diagnose", "flow", "profile"]


def diagnose(case: Case) -> list[Finding]:
    """Everything the rules find, the worst first."""
    found = [finding for rule in RULES.values() if (finding := rule(case)) is not None]
    weight = {"error": 0, "warning": 1, "info": 2}
    return sorted(found, key=lambda finding: weight[finding.severity])
