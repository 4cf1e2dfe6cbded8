import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkling.privacy.redact import CARD, EMAIL, PHONE, is_card, luhn, redact


@pytest.mark.parametrize(
    "address", ["a@b.co", "first.last+tag@mail.example.com", "o'neil@example.org", "x_y%z@sub-domain.example.museum"]
)
def test_addresses(address):
    assert redact(f"write to {address}, please") == f"write to {EMAIL}, please"
    assert redact(f"邮箱{address}谢谢") == f"邮箱{EMAIL}谢谢"


@pytest.mark.parametrize(
    "number",
    [
        "13812345678", "138 1234 5678", "138-1234-5678", "+86 13812345678", "+8613812345678", "86-138-1234-5678",
        "010-62781234", "(010)62781234", "0755 26012345", "021-62781234-801", "+86 10 6278 1234", "0086 10 6278 1234",
        "+1 415 555 2671", "+14155552671", "(415) 555-2671", "415-555-2671", "1-415-555-2671", "415.555.2671",
        "+44 20 7946 0958", "+44 (0)20 7946 0958", "+49 30 901820", "+33 1 42 68 53 00", "+39 06 6982",
        "１３８１２３４５６７８",
    ],
)  # fmt: skip
def test_telephone_numbers(number):
    assert redact(f"call {number} now") == f"call {PHONE} now"
    assert redact(f"电话{number}。") == f"电话{PHONE}。"


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "5555555555554444", "2223003122003222",
        "378282246310005", "3782 822463 10005", "6011111111111117", "3530111333300000", "30569309025904",
        "6240008631401148", "6212345678900000003",
    ],
)  # fmt: skip
def test_cards(number):
    assert redact(f"card {number}, 12/27") == f"card {CARD}, 12/27"
    assert redact(f"卡号{number}。") == f"卡号{CARD}。"


@pytest.mark.parametrize(
    "text",
    [
        "1998 and 2024, 1914-1918", "£1,299.99 or $12345678 or ¥13812345678", "85123A, 10002, DCGS0058, B004756YJA",
        "ISBN 978-3-16-148410-0", "EAN 4006381333931", "2010-12-01 10:40:00", "2010-12-01T10:40:00.000Z", "12.05.2021",
        "1291191960000", "order 536365, 12 pieces", "4111111111111112", "10-12 / 24", "192.168.100.200", "5 000 000",
        "3.14159265358979", "1/2/3/4/5/6/7/8", "SKU13812345678", "@home with friends", "a @ b", "价格1299元，2024年",
        "part no. 4111-1111-1111", "v1.2.3456.7890", "100000000", "+5 or -3", "x" * 50, "1 2 3 4 5 6 7 8 9",
    ],
)  # fmt: skip
def test_what_is_no_secret_stays(text):
    assert redact(text) == text


def test_several_in_one_text():
    text = "Mail a@b.de or ring +49 30 901820; card 4111111111111111."
    assert redact(text) == f"Mail {EMAIL} or ring {PHONE}; card {CARD}."


def test_luhn_agrees_with_known_numbers():
    assert luhn("79927398713")
    assert not luhn("79927398710")
    assert not is_card("79927398713")


def with_check(body):
    return next(body + str(digit) for digit in range(10) if luhn(body + str(digit)))


@given(st.from_regex(r"4\d{14}", fullmatch=True), st.sampled_from(["", " ", "-"]))
def test_any_card_is_masked(body, mark):
    number = with_check("".join(filter(str.isascii, body)) if body.isascii() else "411111111111111")
    grouped = mark.join(number[place : place + 4] for place in range(0, 16, 4))
    assert redact(f"({grouped})") == f"({CARD})"


@given(st.integers(3, 9), st.integers(0, 10**9 - 1), st.text(alphabet="abc ，。", max_size=5))
def test_any_mainland_mobile_number_is_masked(second, rest, around):
    number = f"1{second}{rest:09d}"
    assert number not in redact(f"{around} {number} {around}")


@given(st.from_regex(r"[a-z][a-z0-9.]{0,8}[a-z0-9]@[a-z]{2,8}\.(com|cn|org)", fullmatch=True))
def test_any_address_is_masked(address):
    assert redact(f"<{address}>") == f"<{EMAIL}>"


@given(st.text(alphabet=st.characters(blacklist_categories=["Nd", "Cs"], blacklist_characters="@＠")))
def test_text_without_digits_and_at_stays(text):
    assert redact(text) == text


@given(st.text(alphabet="0123456789 -+()@.a１中", max_size=40))
def test_masking_twice_masks_nothing_new(text):
    once = redact(text)
    for mask in (EMAIL, CARD, PHONE):
        once = once.replace(mask, "|")
    assert set(once) <= set(text) | {"|"}


@given(st.decimals(0, 999999, places=2), st.sampled_from(["£", "$", "€", "¥", ""]))
def test_prices_stay(price, sign):
    assert redact(f"only {sign}{price} today") == f"only {sign}{price} today"


@given(st.integers(1800, 2100))
def test_years_stay(year):
    assert redact(f"{year}-{year + 1}, {year}年") == f"{year}-{year + 1}, {year}年"
