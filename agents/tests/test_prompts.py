from hypothesis import given
from hypothesis import strategies as st

from agents.prompts import (
    MAX_PROMPT_CHARACTERS,
    PREAMBLE,
    Part,
    parts,
    placeholders,
    render,
    with_preamble,
)


def test_placeholders_are_unique_and_in_order():
    text = "Hi {{ name }}, {{order.id}} for {{ name }} on {{\tday_2 }}"

    assert placeholders(text) == ("name", "order.id", "day_2")


def test_placeholders_are_only_names_in_double_braces():
    text = "{{ }} {name} {{ a b }} {{ x|safe }} {{ f() }} {% if y %} {{ n-1 }} {{ é }}"

    assert placeholders(text) == ()


def test_render_fills_in_what_it_has_and_names_the_rest():
    text = "Hello {{name}}, your table for {{ guests }} at {{time}}."

    rendered = render(text, {"name": "Ada", "time": "8 pm", "unused": "x"})

    assert rendered == ("Hello Ada, your table for {{ guests }} at 8 pm.", ("guests",))


def test_render_never_renders_a_value_again():
    rendered = render("{{ a }}{{ b }}", {"a": "{{ b }}", "b": r"\1 {{ a }} {% x %}"})

    assert rendered == (r"{{ b }}\1 {{ a }} {% x %}", ())


def test_render_takes_an_empty_value_for_a_value():
    assert render("[{{ note }}]", {"note": ""}) == ("[]", ())


def test_render_looks_a_dotted_name_up_as_it_is():
    assert render("{{ a.b }}", {"a": "no", "a.b": "yes"}) == ("yes", ())


@given(st.text(alphabet="ab{} .", max_size=40))
def test_render_without_variables_keeps_every_name(text):
    rendered, missing = render(text, {})

    assert placeholders(rendered) == placeholders(text) == missing


@given(st.text(), st.text())
def test_render_inserts_any_value_verbatim(before, value):
    before = before.replace("{", "")

    assert render(before + "{{ v }}", {"v": value}) == (before + value, ())


def test_parts_tell_values_from_text_and_from_gaps():
    found = list(parts("Hi {{ name }}, {{ day }}!", {"name": "Ada"}))

    assert found == [
        Part("Hi "),
        Part("Ada", "name"),
        Part(", "),
        Part("{{ day }}", "day", is_missing=True),
        Part("!"),
    ]


def test_preamble_comes_before_the_instructions_and_has_no_gaps():
    assert with_preamble("Be kind.") == f"{PREAMBLE}\n\nBe kind."
    assert with_preamble("") == PREAMBLE
    assert placeholders(PREAMBLE) == ()
    assert len(PREAMBLE) < MAX_PROMPT_CHARACTERS // 50
