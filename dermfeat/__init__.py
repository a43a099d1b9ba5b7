"""dermfeat: named clinical measures and CNN embeddings of dermoscopic images, for scikit-learn and XGBoost.

For research and education, not for diagnosis.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOMES = {
    "LesionPipeline": "pipeline",
    "default_steps": "pipeline",
    "LesionFeatures": "extraction",
    "LesionTransformer": "extraction",
    "LesionReader": "extraction",
    "FunctionFeatures": "extraction",
    "MaskFeatures": "extraction",
    "ColorFeatures": "extraction",
    "TextureFeatures": "extraction",
    "ABCDFeatures": "extraction",
    "CNNEmbedding": "extraction",
    "read_extracted": "extraction",
    "LesionClassifier": "learning",
    "LesionNovelty": "learning",
    "MetadataFeatures": "learning",
    "NoveltyScore": "learning",
    "PatientRelativeFeatures": "learning",
    "audit": "auditing",
    "Lesion": "lesion",
    "LesionImageError": "_errors",
    "get_config": "_config",
    "set_config": "_config",
    "config_context": "_config",
}
_MODULES = ("datasets", "embedding", "evaluation", "measures", "preparation", "reading")

__all__ = ["__version__", *_HOMES, *_MODULES]


def __getattr__(name):
    if name in _HOMES:
        return getattr(import_module(f"dermfeat.{_HOMES[name]}"), name)
    if name in _MODULES:
        return import_module(f"dermfeat.{name}")
    raise AttributeError(f"module 'dermfeat' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
