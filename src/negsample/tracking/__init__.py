"""Where experiments are tracked: a study's runs in MLflow, when somebody asks for it; nothing else needs this room."""

from negsample.tracking.tracker import check_tracking, tracked

__all__ = ["check_tracking", "tracked"]
