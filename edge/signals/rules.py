"""Which recurrence rules may be expanded: the bound on what a file can cost. Pure."""

from collections.abc import Mapping

from icalendar.parser import Contentlines

RARE = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}
LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
LARGEST_POSITION = {"DAILY": 24, "WEEKLY": 168, "MONTHLY": 744, "YEARLY": 8784}
TIMES_A_DAY = 24
RULES_LIMIT = 200
OF_THE_YEAR = {"BYYEARDAY": 366, "BYWEEKNO": 53}
"""Part -> its largest number. Days that no year has are looked for through thousands of years."""


def refuse_rules(ics: str) -> str:
    """Return why a recurrence rule in `ics` must not be expanded, or "" when all may.

    Its lines are searched, as the library that expands them cuts them, and not the parsed calendar:
    parsing already expands the rules of time zones.
    """
    rules = 0
    for line in Contentlines.from_ical(ics):
        if "RULE" not in line.upper():
            continue
        try:
            name, _, value = line.parts()
        except ValueError:  # nor does the library read it
            continue
        if name.upper() in {"RRULE", "EXRULE"}:
            rules += 1
            reason = refuse_rule(str(value))
            if reason:
                return reason
            if rules > RULES_LIMIT:
                return f"has over {RULES_LIMIT} recurrence rules"
    return ""


def refuse_rule(rule: str) -> str:
    """Return why one rule, such as FREQ=DAILY;COUNT=3, must not be expanded, or ""."""
    parts = {}
    for part in rule.strip().upper().split(";"):
        key, _, value = part.partition("=")
        parts[key.strip()] = value.strip()
    frequency = parts.get("FREQ", "")
    if frequency not in RARE:
        return f"repeats {frequency[:20] or 'at no known frequency'}: daily or rarer is read"
    try:
        return _refuse_numbers(frequency, parts)
    except ValueError:
        return "has a recurrence rule with a number that is none"


def _refuse_numbers(frequency: str, parts: Mapping[str, str]) -> str:
    times = 1
    for key in ("BYHOUR", "BYMINUTE", "BYSECOND"):
        times *= max(1, len(_numbers(parts, key)))
    if times > TIMES_A_DAY:
        return f"repeats {times} times a day: at most {TIMES_A_DAY} are read"
    if int(parts.get("INTERVAL") or "1") < 1:
        return "repeats at an interval below 1"
    limit = LARGEST_POSITION[frequency]
    if any(not 0 < abs(position) <= limit for position in _numbers(parts, "BYSETPOS")):
        return "has a BYSETPOS that no set has"
    if frequency in {"DAILY", "WEEKLY"} and "BYSETPOS" in parts and times == 1:
        return "has a BYSETPOS on single days"
    return _refuse_days_of_the_year(frequency, parts) or _refuse_days(parts)


def _refuse_days_of_the_year(frequency: str, parts: Mapping[str, str]) -> str:
    if "BYEASTER" in parts:
        return "counts from Easter, which no calendar's standard knows"
    for key, largest in OF_THE_YEAR.items():
        numbers = _numbers(parts, key)
        if numbers and (frequency != "YEARLY" or {"BYMONTH", "BYMONTHDAY"} & set(parts)):
            return f"has {key} with something else than a year"
        if any(not 0 < abs(number) <= largest for number in numbers):
            return f"has a {key} that no year has"
    return ""


def _refuse_days(parts: Mapping[str, str]) -> str:
    months, days = _numbers(parts, "BYMONTH"), _numbers(parts, "BYMONTHDAY")
    longest = max((LONGEST_MONTH[m - 1] for m in months if 1 <= m <= 12), default=0)
    if months and not longest:
        return "repeats in a month that does not exist"
    if days and not any(0 < abs(day) <= (longest or 31) for day in days):
        return "repeats on a day that its months do not have"
    return ""


def _numbers(parts: Mapping[str, str], key: str) -> list[int]:
    return [int(number) for number in parts.get(key, "").split(",") if number]
