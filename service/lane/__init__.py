"""The write lane beside the event loop: `desk` hands calls over, `host` decides and appends them.

They speak over a pair of sockets (`link`), so the lane can be a process of its own, with an
interpreter lock of its own, or a thread (`places`).
"""
