"""Which negatives? Train sequential recommenders with any negative-sampling method, and see what it costs whom."""

from importlib.metadata import version

import lazy_loader

__version__ = version("negsample")
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
