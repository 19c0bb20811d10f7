"""Which runs of a study are in MLflow, when somebody asks for it; no other package needs this one."""

from negsample.tracking.study import track, tracked

__all__ = ["track", "tracked"]
