"""A verdict on dependencies is given only where something is known of them."""

from scripts import audit
from scripts.audit import verdict, weak_ones

WEAK = [("jinja2", "2.10", ["PYSEC-2019-217", "PYSEC-2021-66"])]


def test_the_report_of_pip_audit_is_read():
    report = {
        "dependencies": [
            {
                "name": "jinja2",
                "version": "2.10",
                "vulns": [{"id": "PYSEC-2019-217"}, {"id": "PYSEC-2021-66"}],
            },
            {"name": "twilio", "version": "9.13.0", "vulns": []},
            {"name": "unknown", "skip_reason": "not found"},
        ]
    }

    assert list(weak_ones(report)) == WEAK


def test_what_advisories_name_is_told_and_fails():
    lines, status = verdict(True, WEAK)

    assert lines[1] == "jinja2 2.10: PYSEC-2019-217, PYSEC-2021-66"
    assert status == 1


def test_nothing_is_claimed_where_nothing_is_known():
    told, status = verdict(False, None)

    assert verdict(True, None) == (told, status)
    assert "nothing is claimed" in told[0]
    assert status == 0


def test_pins_that_no_advisory_names_pass():
    assert verdict(True, []) == (["No advisory names a version that is pinned."], 0)


def test_no_answer_is_no_finding(monkeypatch, tmp_path):
    monkeypatch.setattr(audit.sys, "executable", "/bin/echo")

    assert audit.ask(tmp_path / "requirements.txt") is None
