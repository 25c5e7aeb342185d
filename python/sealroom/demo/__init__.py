"""The demo: a whole encrypted call on this machine, measured and judged (`sealroom demo`)."""

from sealroom.demo.call import DemoOptions, DemoResult, Progress, run_call
from sealroom.demo.report import Report, failures
from sealroom.demo.runner import run_demo

__all__ = [
    "DemoOptions",
    "DemoResult",
    "Progress",
    "Report",
    "failures",
    "run_call",
    "run_demo",
]
