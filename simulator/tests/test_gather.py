"""Gather: what is said and pressed reaches the action."""

from simulator.tests.test_calls import said, types


def gather(text, after="", **attributes):
    given = {"input": "dtmf speech", "action": "turn", "timeout": "3"} | attributes
    written = " ".join(f"{name}='{value}'" for name, value in given.items())
    prompt = f"<Say>{text}</Say>" if text else ""
    return f"<Response><Gather {written}>{prompt}</Gather>{after}</Response>"


def test_gather_hands_on_speech_turn_by_turn(carrier, app, account):
    app.answers["/voice"] = gather("How can I help?")
    app.answers["/turn"] = lambda form: gather(f"You said {form['SpeechResult']}")
    script = [
        {"say": "one"},
        {"say": "two"},
        {"wait_for": "agent_done"},
        {"hang_up": True},
    ]

    state = carrier.ended(carrier.call(account["number"], script)["sid"])

    turns = [form["SpeechResult"] for form in app.forms("/turn")]
    assert turns == ["one", "two"]
    assert 0 < float(app.forms("/turn")[0]["Confidence"]) <= 1
    assert said(state) == ["How can I help?", "You said one", "You said two"]
    assert state["end_reason"] == "caller_hung_up"


def test_gather_collects_digits_to_their_number_or_key(carrier, app, account):
    app.answers["/voice"] = gather("Digits?", numDigits="2")
    app.answers["/turn"] = lambda form: gather(
        "And more?", finishOnKey="*", action="more"
    )

    script = [{"press": "12"}, {"press": "34"}, {"press": "5*"}]
    carrier.ended(carrier.call(account["number"], script)["sid"])

    assert app.forms("/turn")[0]["Digits"] == "12"
    form = app.forms("/more")[0]
    assert (form["Digits"], form["FinishedOnKey"]) == ("345", "*")


def test_gather_of_silence_falls_through(carrier, app, account):
    app.answers["/voice"] = gather("Anyone?", after="<Say>Goodbye.</Say>")

    state = carrier.ended(carrier.call(account["number"], [{"silence_s": 9}])["sid"])

    assert app.forms("/turn") == []
    assert said(state) == ["Anyone?", "Goodbye."]


def test_gather_of_silence_asks_the_action_if_told_to(carrier, app, account):
    app.answers["/voice"] = gather("Anyone?", actionOnEmptyResult="true")

    carrier.ended(carrier.call(account["number"])["sid"])

    assert app.forms("/turn")[0]["SpeechResult"] == ""


def test_gather_is_cut_short_by_a_caller_who_barges_in(carrier, app, account):
    app.answers["/voice"] = gather("This is a very long greeting indeed.")
    script = [{"interrupt": "Stop it", "after_chars": 9}]

    state = carrier.ended(carrier.call(account["number"], script)["sid"])

    assert types(state, "agent_cleared")[0]["heard"] == "This is a"
    assert app.forms("/turn")[0]["SpeechResult"] == "Stop it"


def test_gather_without_barge_in_does_not_hear_over_its_prompt(carrier, app, account):
    app.answers["/voice"] = gather("This is a long greeting.", bargeIn="false")
    script = [{"interrupt": "Stop it", "after_chars": 4}]

    state = carrier.ended(carrier.call(account["number"], script)["sid"])

    assert types(state, "agent_cleared") == []
    assert app.forms("/turn") == []


def test_gather_without_action_asks_its_own_document_again(carrier, app, account):
    answers = iter(["<Response><Gather input='speech'/></Response>", "<Response/>"])
    app.answers["/voice"] = lambda form: next(answers)

    carrier.ended(carrier.call(account["number"], [{"say": "Hello"}])["sid"])

    assert app.forms("/voice")[1]["SpeechResult"] == "Hello"
