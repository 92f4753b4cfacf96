//! The TLS settings for a server, and the verifier that looks for pinned keys. No sockets.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

use crate::http::pins::PinSet;
use crate::http::trust::TrustError;

/// The TLS settings for a server: 1.2 or 1.3, HTTP/2 or 1.1. `id` names it in the log, `pin_misses` counts the chains that held no pinned key.
pub(crate) fn client_config(
    roots: RootCertStore,
    id: &str,
    pins: Option<&PinSet>,
    pin_misses: Arc<AtomicU64>,
) -> Result<ClientConfig, TrustError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new(roots, &provider, (id, pins), pin_misses)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .expect("ring has cipher suites for both versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Ordinary validation by the Web PKI's rules, and then, where keys are pinned, a search for a valid path that holds one.
struct Verifier {
    web_pki: Arc<WebPkiServerVerifier>,
    provider: Arc<CryptoProvider>,
    anchors: Vec<TrustAnchor<'static>>,
    endpoint_id: String,
    pins: Option<PinSet>,
    pin_misses: Arc<AtomicU64>,
}

impl Verifier {
    fn new(
        roots: RootCertStore,
        provider: &Arc<CryptoProvider>,
        (id, pins): (&str, Option<&PinSet>),
        pin_misses: Arc<AtomicU64>,
    ) -> Result<Verifier, TrustError> {
        let anchors = roots.roots.clone();
        let web_pki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .build()
            .map_err(|_| TrustError::NoAuthority)?;
        Ok(Verifier {
            web_pki,
            provider: Arc::clone(provider),
            anchors,
            endpoint_id: id.to_owned(),
            pins: pins.cloned(),
            pin_misses,
        })
    }

    /// Whether there is a valid path from the server's certificate to an authority on which a pinned key lies. Certificates that the
    /// server merely sent along do not count: anyone can copy the pinned one.
    fn has_pinned_path(
        &self,
        pins: &PinSet,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> bool {
        let Ok(end_entity) = EndEntityCert::try_from(end_entity) else {
            return false;
        };
        let on_path = |path: &VerifiedPath<'_>| {
            let held = pins.holds(&path.end_entity().subject_public_key_info())
                || path
                    .intermediate_certificates()
                    .any(|certificate| pins.holds(&certificate.subject_public_key_info()))
                || pins.holds(&anchor_key_info(path.anchor()));
            // A refusal makes the search go on with the next path.
            if held {
                Ok(())
            } else {
                Err(webpki::Error::UnknownIssuer)
            }
        };
        end_entity
            .verify_for_usage(
                self.provider.signature_verification_algorithms.all,
                &self.anchors,
                intermediates,
                now,
                KeyUsage::server_auth(),
                None,
                Some(&on_path),
            )
            .is_ok()
    }
}

/// The `SubjectPublicKeyInfo` of an authority, which is kept without the header of its outermost sequence (X.690, section 8.1).
fn anchor_key_info(anchor: &TrustAnchor<'_>) -> Vec<u8> {
    let content: &[u8] = &anchor.subject_public_key_info;
    let length = content.len().to_be_bytes();
    let length = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let mut whole = vec![0x30];
    if content.len() >= 0x80 {
        whole.push(0x80 | length.len() as u8);
    }
    whole.extend_from_slice(length);
    whole.extend_from_slice(content);
    whole
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self
            .web_pki
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        let Some(pins) = self.pins.as_ref().filter(|pins| pins.is_active(now.as_secs())) else {
            return Ok(verified);
        };
        if self.has_pinned_path(pins, end_entity, intermediates, now) {
            return Ok(verified);
        }
        self.pin_misses.fetch_add(1, Ordering::Relaxed);
        let fate = if pins.reports_only() {
            "reported only"
        } else {
            "refused"
        };
        log::warn!(
            "endpoint {}: no pinned key in the certificate chain, {fate}",
            self.endpoint_id
        );
        if pins.reports_only() {
            return Ok(verified);
        }
        // The one of rustls's errors that means: valid, but this application does not want it.
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.web_pki.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.web_pki.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.web_pki.supported_verify_schemes()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Verifier")
            .field("pins", &self.pins)
            .finish_non_exhaustive()
    }
}
