# docker build -t weir . && docker run --rm -v "$PWD:/work" -w /work weir run query.toml
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++ make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --locked --profile dist --package weir-cli

# The program needs the C and C++ libraries and nothing else: no shell, no package manager, no root.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/dist/weir /usr/local/bin/weir
ENTRYPOINT ["/usr/local/bin/weir"]
