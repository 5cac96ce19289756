"""Certificates of this run: an authority that is trusted, one that is not, and what they vouch for.

Made anew each time, with Python's `cryptography`, so that none can expire in the repository and no tool need be
installed. Servers have RSA and elliptic keys, and a chain with an authority in between, as real clusters have.
"""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HERE_NAMES = (x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1")))
OTHER_NAMES = (x509.DNSName("elsewhere.invalid"),)
VALID_DAYS = 30
NO_ISSUED_BY_IT = 0  # path length of an authority that may vouch for no other authority


@dataclass(frozen=True)
class ClientCertificate:
    certificate: Path
    key: Path


class Certificates:
    """The files, all PEM. A server's file holds its key (PKCS#8) and its chain, as Kafka and Python's ssl want it."""

    def __init__(self, home: Path):
        self._home = home.resolve()
        self._home.mkdir(parents=True)
        root = Authority("Root of this run", rsa_key())
        between = Authority("Authority in between", elliptic_key(), root)
        stranger = Authority("An authority that nobody knows", elliptic_key())
        self.ca = self._write("ca.pem", root.pem)
        self.stranger_ca = self._write("stranger-ca.pem", stranger.pem)
        self.server = self._server("server.pem", between, rsa_key(), HERE_NAMES)
        self.server_elliptic = self._server("server-elliptic.pem", between, elliptic_key(), HERE_NAMES)
        self.server_elsewhere = self._server("server-elsewhere.pem", between, elliptic_key(), OTHER_NAMES)
        self.server_expired = self._server("server-expired.pem", between, elliptic_key(), HERE_NAMES, expired=True)
        self.client = self._client("client", root, elliptic_key(), PrivateFormat.PKCS8)
        self.client_rsa = self._client("client-rsa", root, rsa_key(), PrivateFormat.TraditionalOpenSSL)
        self.client_stranger = self._client("client-stranger", stranger, elliptic_key(), PrivateFormat.PKCS8)

    def _server(self, file: str, authority: "Authority", key, names, *, expired: bool = False) -> Path:
        certificate = authority.vouch("server", key, names, ExtendedKeyUsageOID.SERVER_AUTH, expired=expired)
        return self._write(file, key_pem(key, PrivateFormat.PKCS8) + certificate + authority.pem)

    def _client(self, file: str, authority: "Authority", key, form: PrivateFormat) -> ClientCertificate:
        certificate = self._write(f"{file}.pem", authority.vouch(file, key, (), ExtendedKeyUsageOID.CLIENT_AUTH))
        return ClientCertificate(certificate, self._write(f"{file}.key", key_pem(key, form)))

    def _write(self, file: str, content: bytes) -> Path:
        path = self._home / file
        path.write_bytes(content)
        return path


class Authority:
    def __init__(self, name: str, key, above: "Authority | None" = None):
        self._name, self._key = name_of(name), key
        usage = x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
                              key_encipherment=False, data_encipherment=False, key_agreement=False,
                              encipher_only=False, decipher_only=False)
        constraints = x509.BasicConstraints(ca=True, path_length=NO_ISSUED_BY_IT if above else None)
        builder = begun(self._name, key, above or self).add_extension(constraints, critical=True)
        self.pem = finished(builder.add_extension(usage, critical=True), above or self)

    def vouch(self, name: str, key, names, use, *, expired: bool = False) -> bytes:
        builder = begun(name_of(name), key, self, expired=expired)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return finished(builder, self)


def begun(name: x509.Name, key, issuer: Authority, *, expired: bool = False) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    return (x509.CertificateBuilder()
            .subject_name(name).issuer_name(issuer._name).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 3 * day).not_valid_after(now - day if expired else now + VALID_DAYS * day)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer._key.public_key()),
                           critical=False))


def finished(builder: x509.CertificateBuilder, issuer: Authority) -> bytes:
    return builder.sign(issuer._key, hashes.SHA256()).public_bytes(Encoding.PEM)


def name_of(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def elliptic_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key, form: PrivateFormat) -> bytes:
    return key.private_bytes(Encoding.PEM, form, NoEncryption())
