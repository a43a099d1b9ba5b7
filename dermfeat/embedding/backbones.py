"""The table of backbones: which networks of keras.applications there are, their input, where they are cut."""

from dataclasses import dataclass

from dermfeat.networks import LAST, NetworkSpec


@dataclass(frozen=True)
class Preprocessing:
    """``(pixel - mean) / scale`` for pixels in [0, 255], per channel in the order `order`."""

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    order: str = "RGB"


INSIDE = Preprocessing()  # the network rescales by itself: pixels enter as they are
SIGNED = Preprocessing(mean=(127.5,) * 3, scale=(127.5,) * 3)  # to [-1, 1]; "tf" in Keras
CAFFE = Preprocessing(mean=(103.939, 116.779, 123.68), order="BGR")  # centred on ImageNet's mean
TORCH = Preprocessing(  # standardised by ImageNet's mean and deviation
    mean=(0.485 * 255, 0.456 * 255, 0.406 * 255), scale=(0.229 * 255, 0.224 * 255, 0.225 * 255)
)
PREPROCESSINGS = {"inside": INSIDE, "signed": SIGNED, "caffe": CAFFE, "torch": TORCH}


@dataclass(frozen=True)
class Backbone:
    """A network of keras.applications.

    Attributes
    ----------
    name : str
        Its name in dermfeat.
    factory : str
        The function of ``keras.applications`` that builds it.
    size : int
        Height and width of the input in pixels that the ImageNet weights were trained with.
    preprocessing : Preprocessing
        How pixels enter it.
    stages : tuple of str
        Layers it is cut at by default, from fine to coarse; the last feature layer comes last.
    alpha : float or None
        Width multiplier, where the architecture has one.
    """

    name: str
    factory: str
    size: int
    preprocessing: Preprocessing
    stages: tuple[str, ...]
    alpha: float | None = None

    def spec(self, *, weights="imagenet", size=None, stages=None, pooling="avg", alpha=None):
        """Return the `NetworkSpec` of this backbone; None stands for the backbone's own value."""
        if alpha is not None and self.alpha is None:
            raise ValueError(f"alpha={alpha}: {self.name} has no width multiplier; leave alpha out")
        return NetworkSpec(
            source=self.factory,
            size=size or self.size,
            stages=stages or self.stages,
            pooling=pooling,
            weights=weights,
            alpha=alpha or self.alpha,
            mean=self.preprocessing.mean,
            scale=self.preprocessing.scale,
            order=self.preprocessing.order,
        )


_MOBILENET = ("conv_pw_3_relu", "conv_pw_5_relu", "conv_pw_11_relu", "conv_pw_13_relu")
_MOBILENET_V2 = ("block_3_expand_relu", "block_6_expand_relu", "block_13_expand_relu", "out_relu")
_MOBILENET_V3_SMALL = ("expanded_conv_2_add", "expanded_conv_7_add", "expanded_conv_10_add", LAST)
_MOBILENET_V3_LARGE = ("expanded_conv_5_add", "expanded_conv_11_add", "expanded_conv_14_add", LAST)
_EFFICIENT = ("block3a_expand_activation", "block4a_expand_activation", "block6a_expand_activation", "top_activation")
_EFFICIENT_V2 = ("block4a_expand_activation", "block6a_expand_activation", "top_activation")
_RESNET = ("conv2_block3_out", "conv3_block4_out", "conv4_block6_out", "conv5_block3_out")
_RESNET_V2 = ("conv3_block1_preact_relu", "conv4_block1_preact_relu", "conv5_block1_preact_relu", "post_relu")
_DENSENET = ("pool2_relu", "pool3_relu", "pool4_relu", "relu")
_VGG = ("block2_pool", "block3_pool", "block4_pool", "block5_pool")
_CONVNEXT = (*(f"convnext_tiny_downsampling_block_{block}" for block in range(3)), LAST)
_INCEPTION = ("mixed2", "mixed7", "mixed10")

BACKBONES = {
    backbone.name: backbone
    for backbone in (
        Backbone("mobilenet", "MobileNet", 224, SIGNED, _MOBILENET, 1.0),
        Backbone("mobilenet_v2", "MobileNetV2", 224, SIGNED, _MOBILENET_V2, 1.0),
        Backbone("mobilenet_v3_small", "MobileNetV3Small", 224, INSIDE, _MOBILENET_V3_SMALL, 1.0),
        Backbone("mobilenet_v3_large", "MobileNetV3Large", 224, INSIDE, _MOBILENET_V3_LARGE, 1.0),
        Backbone("efficientnet_b0", "EfficientNetB0", 224, INSIDE, _EFFICIENT),
        Backbone("efficientnet_b1", "EfficientNetB1", 240, INSIDE, _EFFICIENT),
        Backbone("efficientnet_b2", "EfficientNetB2", 260, INSIDE, _EFFICIENT),
        Backbone("efficientnet_b3", "EfficientNetB3", 300, INSIDE, _EFFICIENT),
        Backbone("efficientnet_v2_b0", "EfficientNetV2B0", 224, INSIDE, _EFFICIENT_V2),
        Backbone("efficientnet_v2_s", "EfficientNetV2S", 384, INSIDE, _EFFICIENT_V2),
        Backbone("resnet50", "ResNet50", 224, CAFFE, _RESNET),
        Backbone("resnet50_v2", "ResNet50V2", 224, SIGNED, _RESNET_V2),
        Backbone("densenet121", "DenseNet121", 224, TORCH, _DENSENET),
        Backbone("vgg16", "VGG16", 224, CAFFE, _VGG),
        Backbone("convnext_tiny", "ConvNeXtTiny", 224, INSIDE, _CONVNEXT),
        Backbone("inception_v3", "InceptionV3", 299, SIGNED, _INCEPTION),
    )
}
_BY_FACTORY = {backbone.factory.lower(): backbone for backbone in BACKBONES.values()}


def find_backbone(name):
    """Return the backbone of that name, in dermfeat's spelling or Keras' (``"mobilenet_v2"``, ``"MobileNetV2"``).

    Raises
    ------
    ValueError
        Where there is none; the message lists the names.
    """
    backbone = BACKBONES.get(name) or _BY_FACTORY.get(str(name).lower())
    if backbone is None:
        raise ValueError(f"backbone {name!r} is unknown; there are {', '.join(BACKBONES)}, and paths of .keras files")
    return backbone
