"""Ground: errors, values that travel, settings, BIO and spans; `wire` and `files` build on them.

Everything here is a value or a function of values, but for the schema registry and the bundle
store. The other rooms import this one, and it imports none of them.
"""
