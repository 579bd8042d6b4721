"""The alert rules and the dashboard speak of metrics that there are."""

import json
import pathlib
import re

import yaml

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "prometheus"


def expressions():
    rules = yaml.safe_load((EXAMPLE / "arpflux.rules.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            assert rule["alert"] and rule["labels"]["severity"] in ("info", "warning", "critical")
            assert rule["annotations"]["summary"] and rule["annotations"]["description"]
            yield rule["expr"]
    dashboard = json.loads((EXAMPLE / "grafana-dashboard.json").read_text())
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for panel in dashboard["panels"]:
        assert panel["title"] and panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        yield from (target["expr"] for target in panel["targets"])
    yield dashboard["templating"]["list"][1]["query"]


def test_rules_and_dashboard_name_metrics_and_labels_that_are_written(stored):
    text = stored.diagnose(impact=False).metrics()
    written = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))
    all_named = list(expressions())
    assert len(all_named) > 10
    for expression in all_named:
        named = re.findall(r"\barpflux_\w+", expression)
        assert named and set(named) <= written, expression
        for label, value in re.findall(r'(\w+)="(\w+)"', expression):
            assert f'{label}="{value}"' in text, expression
