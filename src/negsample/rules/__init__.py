"""What would a simple rule recommend? Rules that a trained method must beat, and that nothing random is in."""

from negsample.rules.ease import EASE
from negsample.rules.item_knn import ItemKNN
from negsample.rules.recent_pop import RecentPop
from negsample.rules.repeat import Repeat, RepeatRecent
from negsample.rules.rule import Asked, Rule, Scorer, is_rule

__all__ = ["EASE", "Asked", "ItemKNN", "RecentPop", "Repeat", "RepeatRecent", "Rule", "Scorer", "is_rule"]
