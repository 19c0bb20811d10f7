"""What can be set? Settings are frozen, checked at birth, and have a fingerprint that is their identity.

Legend used all over the project: ``U`` users, ``V`` items (ids ``1..V``; ``0`` is "nothing here"), ``B``
sequences in a batch, ``L`` maximum length, ``T`` real positions in a batch, ``K`` negatives, ``D`` embedding
width, ``E`` evaluated events, ``Q`` queries (histories that events are ranked for).
"""

from negsample.settings.base import Settings, canonical_json, checked, fingerprint
from negsample.settings.groups import (
    BY_SHARES,
    READING,
    EvaluationSettings,
    History,
    MachineSettings,
    PrepareSettings,
    Split,
    TrainingSettings,
)
from negsample.settings.model import (
    BACKBONES,
    ROWS_FROM,
    GRU4RecSettings,
    ModelSettings,
    SASRecSettings,
    TermsSettings,
    default_table,
)
from negsample.settings.run import ADVISED, AFTER_TRAINING, RunSettings, is_run_setting, run_settings, setting_fields
from negsample.settings.terms import TERMS, Laid, TermDefinition, laid_out, register_term

__all__ = [
    "ADVISED",
    "AFTER_TRAINING",
    "BACKBONES",
    "BY_SHARES",
    "READING",
    "ROWS_FROM",
    "TERMS",
    "EvaluationSettings",
    "GRU4RecSettings",
    "History",
    "Laid",
    "MachineSettings",
    "ModelSettings",
    "PrepareSettings",
    "RunSettings",
    "SASRecSettings",
    "Settings",
    "Split",
    "TermDefinition",
    "TermsSettings",
    "TrainingSettings",
    "canonical_json",
    "checked",
    "default_table",
    "fingerprint",
    "is_run_setting",
    "laid_out",
    "register_term",
    "run_settings",
    "setting_fields",
]
