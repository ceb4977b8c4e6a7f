"""One arithmetic, whatever the thread around it has set."""

from decimal import ROUND_UP, Context, Decimal, localcontext

import pytest

from ledger.scoring.exact import half_up, mean, ratio, rounded, text, total

D = Decimal


@pytest.mark.parametrize(
    ("number", "at_twelve"),
    [
        ("0.0000000000005", "0"),
        ("0.0000000000015", "0.000000000002"),
        ("0.0000000000025", "0.000000000002"),
        ("-0.0000000000005", "0"),
        ("123456789012345678.1234567890125", "123456789012345678.123456789012"),
        ("123456789012345678.1234567890135", "123456789012345678.123456789014"),
    ],
)
def test_rounding_is_half_even_at_twelve_places(number: str, at_twelve: str) -> None:
    assert text(rounded(D(number))) == at_twelve


def test_equal_rounded_numbers_are_the_same_digits() -> None:
    forms = [D("1"), D("1.0"), D("1E0"), D("1.00000000000000000000001")]
    assert {rounded(form).as_tuple() for form in forms} == {rounded(D(1)).as_tuple()}
    assert rounded(D("-0")).as_tuple() == rounded(D("0")).as_tuple()


def test_a_number_beyond_every_limit_is_still_answered() -> None:
    assert rounded(D("1E+400")) == D("1E+400")
    assert half_up(D("1E+400"), 2) == D("1E+400")


@pytest.mark.parametrize(
    ("number", "plain"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("0.000", "0"),
        ("-0.000", "0"),
        ("1E+3", "1000"),
        ("100", "100"),
        ("1.500", "1.5"),
        ("-0.10", "-0.1"),
        ("1E-12", "0.000000000001"),
        ("0E+5", "0"),
        ("-0E+5", "0"),
    ],
)
def test_text_is_plain_notation_in_one_form(number: str, plain: str) -> None:
    assert text(D(number)) == plain


def test_half_up_is_what_people_print() -> None:
    assert text(half_up(D("2.5"), 0)) == "3"
    assert str(half_up(D("88"), 1)) == "88.0"
    assert text(half_up(D("-0.25"), 1)) == "-0.3"


def test_nothing_is_divided_by_zero() -> None:
    assert ratio(D(5), D(0)) == 0
    assert mean([]) == 0
    assert total([]) == 0


def test_the_ambient_context_changes_nothing() -> None:
    def figures() -> list[str]:
        thirds = [ratio(D(1), D(3)), ratio(D(2), D(3))]
        return [text(rounded(mean(thirds))), text(total(thirds)), text(half_up(D("0.125"), 2))]

    with localcontext(Context(prec=2, rounding=ROUND_UP)):
        inside = figures()
    assert inside == figures()
