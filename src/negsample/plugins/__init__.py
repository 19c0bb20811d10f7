"""How does a part of my own (a method, a backbone, a metric) get in?"""

from negsample.plugins.load import Plugin, load_plugins, loaded
from negsample.plugins.registry import Registry, check_sources, sources_of

__all__ = ["Plugin", "Registry", "check_sources", "load_plugins", "loaded", "sources_of"]
