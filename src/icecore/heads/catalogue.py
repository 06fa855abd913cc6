"""The built-in heads by name, as the entry points of pyproject.toml know them."""

from __future__ import annotations

from icecore.heads.centroid import CentroidHead
from icecore.heads.knn import KnnHead
from icecore.heads.lda import LdaHead
from icecore.heads.logistic import LogisticHead
from icecore.heads.mlp import MlpHead
from icecore.heads.ridge import RidgeHead
from icecore.heads.svm import SvmHead
from icecore.heads.svm_rbf import SvmRbfHead

centroid = CentroidHead
knn = KnnHead
lda = LdaHead
logistic = LogisticHead
mlp = MlpHead
ridge = RidgeHead
svm = SvmHead
svm_rbf = SvmRbfHead
