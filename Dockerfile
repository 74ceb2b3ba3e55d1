# mnist-trainer from its pinned versions, as an ordinary user.
#   docker build --tag mnist-trainer .
#   docker run --rm --volume "$PWD/outputs:/runs/outputs" mnist-trainer model=cnn
# A small image for machines without a GPU: --build-arg TORCH_INDEX=ADDRESS, the index of PyTorch's CPU wheels.
FROM python:3.12-slim AS build
ARG TORCH_INDEX=
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
COPY configs configs
RUN python -m venv /opt/mnist \
 && if [ -n "$TORCH_INDEX" ]; then \
      /opt/mnist/bin/pip install --no-cache-dir --index-url "$TORCH_INDEX" $(grep -E '^(torch|torchvision)==' constraints.txt); \
    fi \
 && /opt/mnist/bin/pip install --no-cache-dir --constraint constraints.txt .

FROM python:3.12-slim
COPY --from=build /opt/mnist /opt/mnist
RUN useradd --create-home trainer && mkdir /runs && chown trainer /runs
ENV PATH=/opt/mnist/bin:$PATH
# Also for `docker run --user` with a number that the image does not know.
ENV HOME=/tmp XDG_CACHE_HOME=/tmp/cache
USER trainer
WORKDIR /runs
ENTRYPOINT ["mnist-train"]
