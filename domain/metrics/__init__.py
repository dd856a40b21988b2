"""How good a router, a confidence or a choice was on recorded outcomes: pure functions, exact over ties.

Every metric takes `counts`: how often each prompt is counted, for resampling; None counts each once. Costs are floats
here: statistics of money, not amounts that anybody pays.
"""
