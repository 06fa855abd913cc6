"""scikit-learn's own checks."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from icecore import FeatureExtractor, TransferClassifier


@parametrize_with_checks([FeatureExtractor(), TransferClassifier()])
def test_the_estimators_pass_scikit_learns_own_checks(estimator, check):
    """Every check that scikit-learn has for such estimators passes; none is expected to fail."""
    check(estimator)
