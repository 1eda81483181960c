"""`make run`: the whole of VoiceOps on one machine, under one small supervisor.

It starts the broker, the simulator, the web server, the worker and beat, restarts what
dies and leaves nothing behind. Nothing here imports Django: what needs it is a child.
"""
