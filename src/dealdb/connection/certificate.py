"""Whether a client's certificate and key can be used, reported before anything is sent."""

from __future__ import annotations

import ssl
from pathlib import Path

from dealdb.errors import ConfigError


class _WantsPassword(Exception):
    """The key is encrypted."""


def check_pair(certificate: Path, key: Path | None) -> None:
    """
    See that a certificate and its private key fit together.

    Parameters
    ----------
    certificate
        File of the certificate, in PEM.
    key
        File of its private key; None where the certificate's file has it too.

    Raises
    ------
    ConfigError
        If a file can't be read, or is not a PEM file; if the key belongs to another certificate, or is encrypted.
    """
    names = f"tls_cert {str(certificate)!r}" + (f" and tls_key {str(key)!r}" if key else "")
    try:
        # without a callback OpenSSL would ask at the terminal
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, _refuse)
    except _WantsPassword:
        raise ConfigError(
            f"{names}: the key is encrypted, and dealdb does not ask for a password: "
            "give one without (openssl pkey -in key -out plain-key), readable by its user only"
        ) from None
    except ssl.SSLError as error:
        raise ConfigError(f"{names}: {_reason(error, key)}") from None
    except OSError as error:
        raise ConfigError(f"{names}: {error.strerror}") from None


def _refuse() -> str:
    raise _WantsPassword


def _reason(error: ssl.SSLError, key: Path | None) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return "the key belongs to another certificate"
    # OpenSSL says the same of a file without a certificate and of one without a key
    missing = "" if key else "; a certificate's file that has no key needs tls_key= as well"
    return f"not a certificate and its private key in PEM ({error.args[-1]}){missing}"
