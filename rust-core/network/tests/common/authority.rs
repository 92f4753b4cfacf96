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
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(authority_params(name), key).unwrap();
        Authority { issuer }
    }

    /// An authority below this one.
    pub fn intermediate(&self, name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::signed_by(authority_params(name), key, &self.issuer).unwrap();
        Authority { issuer }
    }

    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub fn der(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// SHA-256 of its public key, as pins are written.
    pub fn pin(&self) -> String {
        pin(self.issuer.key())
    }

    /// A certificate for these names, changed as wished.
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
    pub fn pin(&self) -> String {
        pin(&self.key)
    }

    /// Takes TLS connections with this certificate and `others` sent along.
    pub fn acceptor(&self, others: &[CertificateDer<'static>], protocols: &[&[u8]]) -> TlsAcceptor {
        self.acceptor_of(others, protocols, &[&rustls::version::TLS13, &rustls::version::TLS12])
    }

    /// The same, for these versions of TLS.
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
