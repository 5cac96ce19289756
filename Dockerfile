# The image is the static binary, the licence texts of what is in it, and nothing else: no shell, no libc, no root.
#
# To be built in the folder that an archive of `make dist` unpacks to, for the processor that the archive is for:
#
#   docker build --platform linux/amd64 --tag continuous-producer:0.1.0 .
FROM scratch
LABEL org.opencontainers.image.title="continuous-producer" \
      org.opencontainers.image.description="Endlessly invents realistic shoes and produces them to Kafka as Protobuf" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY LICENSE-MIT LICENSE-APACHE /
COPY licences /licences
COPY continuous-producer /continuous-producer
# Nobody that exists: no name is looked up where there is no /etc/passwd. As in deploy/kubernetes.
USER 65532:65532
ENTRYPOINT ["/continuous-producer"]
