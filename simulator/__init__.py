"""A pocket carrier: Twilio's side of the wire, for demos, tests and rehearsals.

It speaks to an application over HTTP and WebSocket only, as the carrier would: a
subset of the REST API, signed webhooks, TwiML, and ConversationRelay. Start it with
`python -m simulator`; the environment it reads is described in `simulator.settings`.
"""
