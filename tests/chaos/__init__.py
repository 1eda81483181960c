"""Due calls while everything around them breaks: is everybody rung, and nobody twice?

Real processes: the stack, further workers, the pocket carrier. `storm` breaks them by
chance, from one seed; `world` is what there is to do and what became of it; `verdict`
holds it against the carrier's own book.
"""
