"""Writes every PromQL expression of a Grafana dashboard into a file of rules, which promtool can check.

    queries.py DASHBOARD RULES

Grafana's variables are put in as Grafana would. JSON is YAML enough for promtool.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

VARIABLES = {"$__rate_interval": "1m", "$__range": "1h", "$instance": "a|b"}


def expressions(node: object) -> Iterator[str]:
    """Every value of a key `expr`, wherever it is."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "expr" and isinstance(value, str):
                yield value
            else:
                yield from expressions(value)
    elif isinstance(node, list):
        for value in node:
            yield from expressions(value)


def filled_in(expression: str) -> str:
    """As Prometheus gets it."""
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    if "$" in expression:
        raise SystemExit(f"a variable that nobody knows: {expression}")
    return expression


def main() -> None:
    """Reads the dashboard, writes the rules."""
    dashboard, rules = Path(sys.argv[1]), Path(sys.argv[2])
    found = [filled_in(expression) for expression in expressions(json.loads(dashboard.read_text(encoding="utf-8")))]
    if len(found) < 20:
        raise SystemExit(f"only {len(found)} expressions were found")
    records = [{"record": f"dashboard:{number}", "expr": expression} for number, expression in enumerate(found)]
    rules.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": records}]}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
