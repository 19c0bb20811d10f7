"""Where experiments are tracked: a study's runs in MLflow, when somebody asks for it; nothing else needs this room."""

from negsample.tracking.tracker import track, tracked

__all__ = ["track", "tracked"]
