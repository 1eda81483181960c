import json

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.forms import OwnedForm
from telephony.models import TestScript
from telephony.rehearsing.callers import MANNERS, Caller
from telephony.rehearsing.scripts import (
    MAX_AFTER_CHARS,
    MAX_ANSWER,
    MAX_ANSWERS,
    MAX_EXPECTATIONS,
    MAX_TURNS,
    MAX_WORDS,
    EndedBy,
    Kind,
    check_answers,
    check_expectations,
    check_turns,
)
from telephony.rehearsing.words import tool_in_words

EMPTY_ROWS = 2
ENDED_BY = f"{Kind.ENDED_BY}:"  # before the reason, in the choices of a row
SPOKEN = ("say", "interrupt", "break_off")
TURNS = [
    ("say", _("Says")),
    ("interrupt", _("Interrupts with")),
    ("press", _("Presses keys")),
    ("silence_s", _("Is silent for (seconds)")),
    ("break_off", _("Hangs up in the middle of")),
    ("hang_up", _("Hangs up")),
]
EXPECTED = [
    *((kind, kind.label) for kind in Kind if kind != Kind.ENDED_BY),
    (Kind.ENDED_BY.label, [(f"{ENDED_BY}{end}", end.label) for end in EndedBy]),
]


def _labelled(widget_class, label, **attrs):
    """A widget in a table: its column's head is no label that it can be tied to."""
    return widget_class(attrs={"aria-label": label, **attrs})


class TurnForm(forms.Form):
    """One thing that the caller does; without words or a number it is none."""

    kind = forms.ChoiceField(
        choices=TURNS, initial="say", widget=_labelled(forms.Select, _("Does"))
    )
    text = forms.CharField(
        required=False,
        max_length=MAX_WORDS,
        widget=_labelled(forms.TextInput, _("Words, keys or seconds")),
    )
    after_chars = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=MAX_AFTER_CHARS,
        widget=_labelled(forms.NumberInput, _("After so many characters")),
    )

    @property
    def turn(self):
        """What it says, as a script has it; None for an empty row."""
        given = self.cleaned_data
        kind, text = given.get("kind"), given.get("text", "")
        if kind == "hang_up":
            return {"hang_up": True}
        if not text:
            return None
        if kind == "silence_s":
            return {kind: int(text) if text.isdecimal() else text}
        if kind == "interrupt" and given.get("after_chars") is not None:
            return {kind: text, "after_chars": given["after_chars"]}
        return {kind: text}

    @staticmethod
    def row_of(turn):
        kind = next(iter(turn.keys() - {"after_chars"}))
        text = "" if kind == "hang_up" else str(turn[kind])
        return {"kind": kind, "text": text, "after_chars": turn.get("after_chars")}


class ExpectationForm(forms.Form):
    """One thing that is expected; without a text it is none."""

    kind = forms.ChoiceField(
        choices=EXPECTED,
        initial=Kind.CONTAINS,
        widget=_labelled(forms.Select, _("Expected")),
    )
    text = forms.CharField(
        required=False,
        max_length=2 * MAX_WORDS,
        widget=_labelled(forms.TextInput, _("What")),
    )
    turn = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=MAX_TURNS,
        widget=_labelled(forms.NumberInput, _("After the caller’s words no.")),
    )

    @property
    def expectation(self):
        """What it says, as a script has it; None for an empty row."""
        given = self.cleaned_data
        kind, text = given.get("kind", ""), given.get("text", "")
        if kind.startswith(ENDED_BY):
            return {
                "kind": Kind.ENDED_BY.value,
                "reason": kind.removeprefix(ENDED_BY),
            }
        if not text:
            return None
        if kind in (Kind.TOOL_CALLED, Kind.TOOL_NOT_CALLED):
            return {"kind": kind, **_tool(text)}
        if kind == Kind.REPLIES_WITHIN:
            return {"kind": kind, "ms": int(text) if text.isdecimal() else text}
        turn = given.get("turn")
        return {"kind": kind, "text": text} | ({} if turn is None else {"turn": turn})

    @staticmethod
    def row_of(expected):
        match expected["kind"]:
            case Kind.ENDED_BY:
                return {"kind": ENDED_BY + expected["reason"]}
            case Kind.TOOL_CALLED | Kind.TOOL_NOT_CALLED:
                return {"kind": expected["kind"], "text": tool_in_words(expected)}
            case Kind.REPLIES_WITHIN:
                return {"kind": expected["kind"], "text": str(expected["ms"])}
        return expected


def _tool(text):
    """`name` or `name {"argument": "value"}`."""
    name, _space, arguments = text.partition(" ")
    if not arguments.strip():
        return {"tool": name}
    try:
        return {"tool": name, "arguments": json.loads(arguments)}
    except (ValueError, RecursionError):
        words = _("Behind the tool’s name comes JSON: find_order {“number”: “4711”}.")
        raise ValidationError(words) from None


class AnswerForm(forms.Form):
    """What a tool answers; without a name it is none."""

    tool = forms.CharField(
        required=False,
        max_length=64,
        widget=_labelled(forms.TextInput, _("Tool"), spellcheck="false"),
    )
    text = forms.CharField(
        required=False,
        max_length=MAX_ANSWER,
        widget=_labelled(forms.TextInput, _("Answer")),
    )


class RowSet(forms.BaseFormSet):
    def get_form_kwargs(self, index):
        return {"use_required_attribute": False}


def rows_of(form, most):
    """A set of forms, a few more than are filled in."""
    return forms.formset_factory(
        form, RowSet, extra=EMPTY_ROWS, max_num=most, absolute_max=most
    )


def _rows(rows, data, stored, prefix):
    """What is posted counts alone: a row like a stored one is no row unchanged."""
    return rows(data, initial=None if data else stored, prefix=prefix)


TurnRows = rows_of(TurnForm, MAX_TURNS)
ExpectationRows = rows_of(ExpectationForm, MAX_EXPECTATIONS)
AnswerRows = rows_of(AnswerForm, MAX_ANSWERS)


class TestScriptForm(OwnedForm):
    """A test on its page. `add` in what is posted asks for more rows, not to save."""

    __test__ = False  # pytest: not a test class

    class Meta:
        model = TestScript
        fields = ["name", "caller"]

    def __init__(self, data=None, **kwargs):
        super().__init__(data, **kwargs)
        stored = self.instance
        turns = [TurnForm.row_of(turn) for turn in stored.turns]
        expected = [ExpectationForm.row_of(one) for one in stored.expectations]
        answers = [{"tool": n, "text": t} for n, t in stored.tool_answers.items()]
        self.turn_rows = _rows(TurnRows, data, turns, "turn")
        self.expectation_rows = _rows(ExpectationRows, data, expected, "expectation")
        self.answer_rows = _rows(AnswerRows, data, answers, "answer")

    @property
    def callers(self):
        """Every named caller with what it does."""
        return [(caller.label, MANNERS[caller].help) for caller in Caller]

    @property
    def wants_rows(self):
        return bool(self.is_bound and self.data.get("add"))

    def add_rows(self):
        """The same form, unsaved and unchecked, with more empty rows."""
        data = self.data.copy()
        name = f"{data['add']}-TOTAL_FORMS"
        count = data.get(name, "")
        if count.isdecimal() and len(count) < 4:
            data[name] = str(min(int(count) + EMPTY_ROWS, MAX_TURNS))
        return type(self)(data, instance=self.instance, owner=self.owner)

    def clean(self):
        cleaned = super().clean()
        for read in (self._read_turns, self._read_expectations, self._read_answers):
            try:
                read()
            except ValidationError as error:
                self.add_error(None, error)
        return cleaned

    def _read_turns(self):
        self._check(self.turn_rows)
        turns = [turn for form in self.turn_rows if (turn := form.turn)]
        check_turns(turns)
        self.instance.turns = turns

    def _read_expectations(self):
        self._check(self.expectation_rows)
        expected = [one for form in self.expectation_rows if (one := form.expectation)]
        check_expectations(expected)
        self.instance.expectations = expected

    def _read_answers(self):
        self._check(self.answer_rows)
        rows = [row for row in self.answer_rows.cleaned_data if row.get("tool")]
        answers = {row["tool"]: row["text"] for row in rows}
        if len(answers) < len(rows):
            raise ValidationError(_("A tool has two answers."))
        check_answers(answers)
        self.instance.tool_answers = answers

    def _check(self, rows):
        if not rows.is_valid():
            raise ValidationError(_("Look at the rows below: some cannot be saved."))
