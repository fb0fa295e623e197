"""What a scenario is made of: a class of `Fleet`, its chores marked by `every`.

A scenario's file lives twice. Locust imports it and sees a user class: one Locust user is one
fleet, some hundred clients. The processes that hold the sockets (`crew`) import it too, without
Locust and without gevent, and run its chores there. So `Fleet` is one of two classes of that name.
"""

from __future__ import annotations

import sys

from loadtest.fleet.chores import every

if "locust" in sys.modules:
    from loadtest.run.user import Fleet
else:
    from loadtest.fleet.fleet import Fleet

__all__ = ["Fleet", "every"]
