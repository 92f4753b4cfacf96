//! Certificates for the tests' servers, made anew in every run.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

/// A certificate authority of the test's own.
///
/// ```
/// let root = whimbrel_testing::Authority::new("Root");
/// let leaf = root.leaf(&["127.0.0.1"], |_| {});
/// let _acceptor = leaf.acceptor(&[], &[b"http/1.1"]);
/// assert!(root.pem().starts_with("-----BEGIN CERTIFICATE-----"));
/// ```
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// An authority of this name that signs itself.
    #[must_use]
    pub fn new(name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(authority_params(name), key).unwrap();
        Authority { issuer }
    }

    /// An authority below this one.
    #[must_use]
    pub fn intermediate(&self, name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::signed_by(authority_params(name), key, &self.issuer).unwrap();
        Authority { issuer }
    }

    /// Its certificate in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Its certificate in DER.
    #[must_use]
    pub fn der(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// SHA-256 of its public key, as pins are written: 64 hexadecimal digits.
    #[must_use]
    pub fn pin(&self) -> String {
        pin(self.issuer.key())
    }

    /// A server's certificate for these names, changed as wished before it is signed.
    #[must_use]
    pub fn leaf(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Leaf {
            certificate: certificate.der().clone(),
            key,
        }
    }
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn pin(key: &KeyPair) -> String {
    let hash = Sha256::digest(rcgen::PublicKeyData::subject_public_key_info(key));
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A server's certificate with its key.
pub struct Leaf {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Leaf {
    /// SHA-256 of its public key, as pins are written: 64 hexadecimal digits.
    #[must_use]
    pub fn pin(&self) -> String {
        pin(&self.key)
    }

    /// Takes TLS connections with this certificate and `others` sent along, for these application protocols (ALPN).
    #[must_use]
    pub fn acceptor(&self, others: &[CertificateDer<'static>], protocols: &[&[u8]]) -> TlsAcceptor {
        self.acceptor_of(others, protocols, &[&rustls::version::TLS13, &rustls::version::TLS12])
    }

    /// The same, for these versions of TLS.
    #[must_use]
    pub fn acceptor_of(
        &self,
        others: &[CertificateDer<'static>],
        protocols: &[&[u8]],
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> TlsAcceptor {
        let chain = [std::slice::from_ref(&self.certificate), others].concat();
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}
