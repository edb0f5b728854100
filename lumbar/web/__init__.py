"""A page that answers in the browser: a picture is dropped on it, and the points are found there. Nothing is sent.

`building` makes one HTML file of what stands in this folder: the script `page.js` with the modules that it imports, the
template and its style. ONNX Runtime Web, a DICOM parser and a PNG decoder come from npm, in the versions of
``package-lock.json``; the network is the one-file graph of `lumbar.engines.pixels_to_points`, so that preparation and
decoding are written once. The page shows the editor of `lumbar.annotation`.
"""
