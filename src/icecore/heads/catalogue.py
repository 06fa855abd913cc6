"""The built-in heads by name, as the entry points of pyproject.toml know them."""

from __future__ import annotations

from icecore.heads.centroid import CentroidHead
from icecore.heads.head2toe import Head2ToeHead
from icecore.heads.knn import KnnHead
from icecore.heads.layer_sum import LayerSumHead
from icecore.heads.lda import LdaHead
from icecore.heads.logistic import LogisticHead
from icecore.heads.mlp import MlpHead
from icecore.heads.ridge import RidgeHead
from icecore.heads.svm import SvmHead
from icecore.heads.svm_rbf import SvmRbfHead

centroid = CentroidHead
head2toe = Head2ToeHead
knn = KnnHead
layer_sum = LayerSumHead
lda = LdaHead
logistic = LogisticHead
mlp = MlpHead
ridge = RidgeHead
svm = SvmHead
svm_rbf = SvmRbfHead
