"""From PEM to dates, names and SHA-256 with cryptography; prints microseconds a certificate."""

import sys
import time

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

with open(sys.argv[1], "rb") as file:
    pem = file.read()
count = int(sys.argv[2])
before = time.perf_counter()
for _ in range(count):
    certificate = x509.load_pem_x509_certificate(pem)
    certificate.not_valid_before_utc, certificate.not_valid_after_utc
    certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    certificate.issuer.rfc4514_string()
    f"{certificate.serial_number:x}"
    certificate.fingerprint(SHA256()).hex()
    f"rsa-{certificate.public_key().key_size}"
print((time.perf_counter() - before) * 1e6 / count)
