"""`make run`: the whole of VoiceOps on one machine, under one small supervisor.

It starts the broker, the simulator, the web server, the worker and beat, restarts what
dies and leaves nothing behind. What needs Django runs as a child.
"""
