"""``MnistClassifier``: the trainer as an estimator of scikit-learn, on arrays that it is given.

scikit-learn is no dependency: without it the estimator fits and predicts as well, and lacks what
``sklearn.base`` gives: ``clone``, searches, pipelines, checks of feature names.
"""
