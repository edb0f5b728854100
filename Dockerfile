# Finds points, without a deep-learning framework:
#   docker build --tag lumbar .
#   docker run --rm --volume "$PWD:/work" lumbar predict SCAN.dcm
FROM python:3.13-slim
WORKDIR /source
COPY pyproject.toml setup.py README.md LICENSE ./
COPY lumbar lumbar
COPY notebooks notebooks
RUN pip install --no-cache-dir . && rm -r /source
RUN useradd --create-home --uid 1000 reader
USER reader
WORKDIR /work
ENTRYPOINT ["lumbar"]
CMD ["--help"]
