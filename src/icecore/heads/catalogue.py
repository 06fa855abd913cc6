"""The built-in heads by name, as the entry points of pyproject.toml know them."""

from __future__ import annotations

from icecore.heads.centroid import CentroidHead as centroid
from icecore.heads.knn import KnnHead as knn
from icecore.heads.lda import LdaHead as lda
from icecore.heads.logistic import LogisticHead as logistic
from icecore.heads.mlp import MlpHead as mlp
from icecore.heads.ridge import RidgeHead as ridge
from icecore.heads.svm import SvmHead as svm
from icecore.heads.svm_rbf import SvmRbfHead as svm_rbf

__all__ = ["centroid", "knn", "lda", "logistic", "mlp", "ridge", "svm", "svm_rbf"]
