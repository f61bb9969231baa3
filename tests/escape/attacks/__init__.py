"""What a hostile plugin would try, one module per group. Standard library only.

The same functions run behind the walls, as the plan's entry or out of a plugin's archive, and outside, as the control
that shows each attack working. They return what they got hold of, or raise.
"""
