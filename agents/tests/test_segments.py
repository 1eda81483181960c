import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.segments import GSM_ALPHABET, GSM_EXTENSION, size_of


def figures(text):
    size = size_of(text)
    return size.encoding, size.units, size.segments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("GSM-7", 0, 0)),
        ("a" * 160, ("GSM-7", 160, 1)),
        ("a" * 161, ("GSM-7", 161, 2)),
        ("a" * 306, ("GSM-7", 306, 2)),
        ("a" * 307, ("GSM-7", 307, 3)),
        ("Grüße, 5 €", ("GSM-7", 11, 1)),
        ("€" * 80, ("GSM-7", 160, 1)),
        # A character of two places is not cut in two: the 153rd place stays empty.
        ("a" * 152 + "€" + "a" * 152, ("GSM-7", 306, 3)),
        ("ж" * 70, ("UCS-2", 70, 1)),
        ("ж" * 71, ("UCS-2", 71, 2)),
        ("ж" * 134, ("UCS-2", 134, 2)),
        ("ж" * 135, ("UCS-2", 135, 3)),
        ("😀" * 35, ("UCS-2", 70, 1)),
        ("ж" * 66 + "😀" + "ж" * 66, ("UCS-2", 134, 3)),
        ("It’s", ("UCS-2", 4, 1)),  # the curly apostrophe is none of the alphabet
        ("ç", ("UCS-2", 1, 1)),  # its capital is
    ],
)
def test_texts_take_these_segments(text, expected):
    assert figures(text) == expected


def test_alphabet_is_the_whole_of_gsm_03_38():
    assert len(GSM_ALPHABET) == 127  # and the escape
    assert len(GSM_EXTENSION) == 10
    assert not GSM_ALPHABET & GSM_EXTENSION


@given(st.text(st.sampled_from(sorted(GSM_ALPHABET | GSM_EXTENSION | {"ж", "😀"}))))
def test_more_text_never_takes_fewer_segments(text):
    sizes = [size_of(text[:end]) for end in range(len(text) + 1)]
    segments = [size.segments for size in sizes]

    assert segments == sorted(segments)
    assert [size.characters for size in sizes] == list(range(len(text) + 1))
