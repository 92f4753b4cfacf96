//! The certificate authorities that an endpoint trusts, and errors in its authorities and pins.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;

use crate::http::settings::{EndpointSettings, PINS_MAX, PINS_MIN};

/// Maximum number of certificate authorities that an endpoint may add.
pub const AUTHORITIES_MAX: u32 = 32;
/// Maximum bytes of certificates that an endpoint may add.
pub const AUTHORITY_BYTES_MAX: u32 = 256 * 1024;

/// What is wrong with the authorities or pins of an endpoint.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum TrustError {
    /// There are none: no public ones and no others.
    #[error("no certificate authority is trusted")]
    NoAuthority,
    /// More than [`AUTHORITIES_MAX`], or [`AUTHORITY_BYTES_MAX`] bytes of them.
    #[error("authorities must have at most {AUTHORITIES_MAX} entries of at most {AUTHORITY_BYTES_MAX} bytes each")]
    TooManyAuthorities,
    /// Text that should be PEM is not, or holds no certificate.
    #[error("authorities_pem must contain certificates in PEM")]
    Pem,
    /// A certificate cannot be read.
    #[error("the authority at index {index} is not an X.509 certificate")]
    Authority {
        /// Its index, from 0, those in PEM first.
        index: u32,
    },
    /// Fewer than [`PINS_MIN`] pins or more than [`PINS_MAX`].
    #[error("pins must have {PINS_MIN} to {PINS_MAX} entries")]
    PinCount,
    /// A pin is not 64 hexadecimal digits, or is listed twice.
    #[error("the pin at index {index} is not 64 hexadecimal digits, or appears twice")]
    Pin {
        /// Its index, from 0.
        index: u32,
    },
}

/// The authorities that an endpoint's settings trust.
pub(crate) fn of(settings: &EndpointSettings) -> Result<RootCertStore, TrustError> {
    authorities(
        settings.public_authorities,
        &settings.authorities_pem,
        &settings.authorities_der,
    )
}

/// The public authorities if they are wanted, and those in PEM and in DER.
pub(crate) fn authorities(is_public: bool, pem: &str, der: &[Vec<u8>]) -> Result<RootCertStore, TrustError> {
    let der_bytes: usize = der.iter().map(Vec::len).sum();
    if pem.len() + der_bytes > AUTHORITY_BYTES_MAX as usize {
        return Err(TrustError::TooManyAuthorities);
    }
    let mut given = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        given.push(certificate.map_err(|_| TrustError::Pem)?);
    }
    if given.is_empty() && !pem.trim().is_empty() {
        return Err(TrustError::Pem);
    }
    given.extend(der.iter().cloned().map(CertificateDer::from));
    if given.len() > AUTHORITIES_MAX as usize {
        return Err(TrustError::TooManyAuthorities);
    }
    let mut store = RootCertStore::empty();
    if is_public {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for (index, certificate) in (0..).zip(given) {
        store.add(certificate).map_err(|_| TrustError::Authority { index })?;
    }
    if store.is_empty() {
        return Err(TrustError::NoAuthority);
    }
    Ok(store)
}
