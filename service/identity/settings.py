"""What operators set so that callers are known: TLS, tokens, certificates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from service.identity.fetching import is_address
from service.identity.key_set import ALGORITHMS

File = Annotated[Path | None, BeforeValidator(lambda given: given or None)]
Checked: Final = Field(validate_default=True)
"""Of a setting that may be missing only where others are: the rule is told at this one."""


class IdentitySettings(BaseSettings):
    """The settings of TLS and authentication. Lists are separated by commas."""

    tls_cert_file: File = None
    tls_key_file: Annotated[File, Checked] = None
    tls_client_ca_file: File = None
    tls_at_proxy: bool = False
    jwt_jwks: str = ""
    jwt_issuer: Annotated[str, Checked] = ""
    jwt_audience: Annotated[str, Checked] = ""
    jwt_algorithms: str = ",".join(ALGORITHMS)
    jwt_leeway_seconds: Annotated[float, Field(ge=0, le=300)] = 30.0
    jwt_jwks_max_age_seconds: Annotated[float, Field(ge=60, le=30 * 86_400)] = 86_400.0
    jwt_name_claim: Annotated[str, Field(min_length=1)] = "sub"
    jwt_kind_claim: Annotated[str, Field(min_length=1)] = "okr_kind"
    jwt_roles_claim: Annotated[str, Field(min_length=1)] = "roles"
    pseudonym_key_file: File = None
    certificate_names_file: File = None
    spiffe_trust_domains: Annotated[str, Checked] = ""

    @property
    def authenticates(self) -> bool:
        """Whether callers have to show who they are."""
        return bool(self.jwt_jwks or self.tls_client_ca_file)

    @property
    def algorithms(self) -> tuple[str, ...]:
        """What tokens may be signed with."""
        return tuple(_listed(self.jwt_algorithms))

    @property
    def trust_domains(self) -> frozenset[str]:
        """The trust domains whose SPIFFE ids name their bearers."""
        return frozenset(_listed(self.spiffe_trust_domains))

    @field_validator("tls_key_file")
    @classmethod
    def _a_certificate_has_its_key(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if (key is None) != (info.data.get("tls_cert_file") is None):
            raise ValueError("goes together with --tls-cert-file (OKR_TLS_CERT_FILE)")
        return key

    @field_validator("tls_client_ca_file")
    @classmethod
    def _clients_are_asked_over_tls(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        if file and not info.data.get("tls_cert_file"):
            raise ValueError(
                "clients show certificates over TLS only: set --tls-cert-file (OKR_TLS_CERT_FILE)"
            )
        return file

    @field_validator("tls_at_proxy")
    @classmethod
    def _tls_ends_in_one_place(cls, at_proxy: bool, info: ValidationInfo) -> bool:
        if at_proxy and info.data.get("tls_cert_file"):
            raise ValueError("TLS ends here or at a proxy: --tls-cert-file is set too")
        return at_proxy

    @field_validator("jwt_jwks")
    @classmethod
    def _keys_come_unchanged(cls, place: str) -> str:
        is_address(place)
        return place

    @field_validator("jwt_issuer", "jwt_audience")
    @classmethod
    def _tokens_are_of_one_issuer_for_us(cls, expected: str, info: ValidationInfo) -> str:
        if bool(expected) != bool(info.data.get("jwt_jwks", expected)):
            raise ValueError("goes together with --jwt-jwks (OKR_JWT_JWKS)")
        return expected

    @field_validator("jwt_algorithms")
    @classmethod
    def _only_the_issuer_can_sign(cls, algorithms: str) -> str:
        listed = _listed(algorithms)
        if not listed or not {*listed} <= {*ALGORITHMS}:
            raise ValueError(f"each has to be one of {', '.join(ALGORITHMS)}")
        return algorithms

    @field_validator("spiffe_trust_domains")
    @classmethod
    def _a_certificate_can_have_a_name(cls, domains: str, info: ValidationInfo) -> str:
        said = info.data
        nameless = not domains and not said.get("certificate_names_file")
        if said.get("tls_client_ca_file") and not said.get("jwt_jwks") and nameless:
            raise ValueError(
                "certificates would name nobody: set this, --certificate-names-file"
                " (OKR_CERTIFICATE_NAMES_FILE) or --jwt-jwks (OKR_JWT_JWKS)"
            )
        return domains


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
