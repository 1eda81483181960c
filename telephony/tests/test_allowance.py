from telephony.allowance import Allowance


def test_allowance_is_used_up_and_comes_back():
    allowance = Allowance(at_once=2, per_second=0.5)

    spent = [allowance.spend(at) for at in (10, 10, 10, 11, 12, 12, 100, 100, 100)]

    assert spent == [True, True, False, False, True, False, True, True, False]
