"""The facade's rooms: the nouns, the verbs and the scikit-learn estimators. Thin: they join the other rooms."""

from icecore.api.catalogue import ProviderInfo, networks, providers
from icecore.api.comparing import Compared, compare
from icecore.api.demo import write_digits
from icecore.api.ensemble_reports import Ensembled
from icecore.api.ensembling import ensemble
from icecore.api.estimators import FeatureExtractor, TransferClassifier, TransferRegressor
from icecore.api.explaining import Explanations, explain, explanations_json
from icecore.api.inspecting import BackboneInfo, DataInfo, ModelInfo, inspect
from icecore.api.jsonable import as_json
from icecore.api.model import TransferModel
from icecore.api.options import open_store
from icecore.api.predictions import (
    predictions_bad_json,
    predictions_json,
    predictions_notes,
    require_format,
    write_predictions,
)
from icecore.api.pretrained import PretrainedModel
from icecore.api.ranking import rank
from icecore.api.ranking_plot import plot as plot_ranking
from icecore.api.ranking_plot import require_plot
from icecore.api.ranking_reports import RankedBackbone, Ranking
from icecore.api.reporting import Reported, report
from icecore.api.reports import Evaluation, Extraction, FitReport, TargetReport, TuningReport
from icecore.api.sources import inputs_of
from icecore.api.storing import table_line
from icecore.api.verbs import evaluate, extract, fine_tune, fit, predict

__all__ = [
    "BackboneInfo",
    "Compared",
    "DataInfo",
    "Ensembled",
    "Evaluation",
    "Explanations",
    "Extraction",
    "FeatureExtractor",
    "FitReport",
    "ModelInfo",
    "PretrainedModel",
    "ProviderInfo",
    "RankedBackbone",
    "Ranking",
    "Reported",
    "TargetReport",
    "TransferClassifier",
    "TransferModel",
    "TransferRegressor",
    "TuningReport",
    "as_json",
    "compare",
    "ensemble",
    "evaluate",
    "explain",
    "explanations_json",
    "extract",
    "fine_tune",
    "fit",
    "inputs_of",
    "inspect",
    "networks",
    "open_store",
    "plot_ranking",
    "predict",
    "predictions_bad_json",
    "predictions_json",
    "predictions_notes",
    "providers",
    "rank",
    "report",
    "require_format",
    "require_plot",
    "table_line",
    "write_digits",
    "write_predictions",
]
