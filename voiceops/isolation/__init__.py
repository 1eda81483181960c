"""The operator's self-check: can one workspace see or change what is another's?

`manage.py check_isolation` and `/admin/isolation/` run it, the tests too. `walk` has
the rules, `routes` what is walked, `tenants` between whom, `visitors` how they ask,
`sealed` what keeps the check to itself.
"""
