"""The rules and the page about metrics speak of what is really counted."""

import re

import yaml
from prometheus_client import REGISTRY

from tests.processes import PROJECT_DIR
from voiceops import gauges, metrics  # noqa: F401

RULES = PROJECT_DIR / "deploy" / "prometheus-alerts.yml"
PAGE = PROJECT_DIR / "docs" / "observability.md"
NAME = re.compile(r"\bvoiceops_[a-z_]+")
POOL = "voiceops_database_pool"


def counted():
    """What this process can tell, by the names that queries use."""
    families = [f for f in REGISTRY.collect() if f.name.startswith("voiceops_")]
    counters = {f"{f.name}_total" for f in families if f.type == "counter"}
    others = {f.name for f in families if f.type != "counter"}
    return counters | others | set(gauges.GAUGES) | {gauges.FAILED, POOL}


def without_suffix(name):
    return re.sub(r"_(bucket|count|sum)$", "", name)


def rules():
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return group["rules"]


def test_rules_ask_for_nothing_that_is_not_counted():
    named = {without_suffix(n) for rule in rules() for n in NAME.findall(rule["expr"])}

    assert named - counted() == set()
    assert {rule["labels"]["severity"] for rule in rules()} == {"page", "ticket"}


def test_page_explains_every_metric_and_every_alert():
    page = PAGE.read_text()
    explained = {without_suffix(name) for name in NAME.findall(page)}

    assert counted() - explained == set()
    assert explained - counted() == set()
    assert [rule["alert"] for rule in rules() if rule["alert"] not in page] == []
