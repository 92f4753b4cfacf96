//! Whom the TLS layer believes: authorities, names, times, versions, and pins.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use tokio_rustls::TlsAcceptor;
use whimbrel_network::{
    AUTHORITIES_MAX, AUTHORITY_BYTES_MAX, CertificateProblem, Delivery, Endpoint, EndpointError, EndpointSettings,
    Failure, PinSettings, TrustError,
};

const HOST: &str = "127.0.0.1";
const HTTP: &[&[u8]] = &[b"http/1.1"];
const FAR: u64 = 4_000_000_000;

/// Asks a server with this certificate; gives how it failed and the pin misses that were counted.
async fn ask_with(acceptor: TlsAcceptor, change: impl FnOnce(&mut EndpointSettings)) -> (Option<Failure>, u64) {
    let server = Server::scripted(vec![good()], Some(acceptor)).await;
    let mut settings = server.settings();
    change(&mut settings);
    let client = client();
    let (text, end) = read(ask(&client, &Endpoint::new(settings).unwrap()).unwrap()).await;
    let misses = client.health(ID).unwrap().pin_misses;
    match end {
        Ok(finished) => {
            assert_eq!((text.as_str(), server.requests()), (TEXT, 1));
            assert_eq!(finished.traffic.attempts, 1);
            (None, misses)
        }
        Err(error) => {
            // Not believed is not asked, and not asked again.
            assert_eq!((error.delivery, error.traffic.bytes_out), (Delivery::NotSent, 0));
            assert_eq!(server.requests(), 0);
            if matches!(error.failure, Failure::Certificate { .. }) {
                assert_eq!(server.connections(), 1);
            }
            (Some(error.failure), misses)
        }
    }
}

fn not_believed(problem: CertificateProblem) -> Option<Failure> {
    Some(Failure::Certificate { problem })
}

#[tokio::test]
async fn authorities_names_and_times() {
    let root = Authority::new("Root");
    let ours = |settings: &mut EndpointSettings| settings.authorities_pem = root.pem();
    let check = async |leaf: Leaf, expected: Option<Failure>| {
        assert_eq!(ask_with(leaf.acceptor(&[], HTTP), ours).await.0, expected);
    };
    check(root.leaf(&[HOST], |_| {}), None).await;
    check(
        root.leaf(&["localhost", "127.0.0.2"], |_| {}),
        not_believed(CertificateProblem::Name),
    )
    .await;
    let past = |params: &mut rcgen::CertificateParams| params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    check(root.leaf(&[HOST], past), not_believed(CertificateProblem::Time)).await;
    let future = |params: &mut rcgen::CertificateParams| params.not_before = rcgen::date_time_ymd(2090, 1, 1);
    check(root.leaf(&[HOST], future), not_believed(CertificateProblem::Time)).await;
    let client = |params: &mut rcgen::CertificateParams| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    };
    check(root.leaf(&[HOST], client), not_believed(CertificateProblem::Other)).await;

    // The same name of an authority is not the same authority.
    let other = Authority::new("Root");
    let acceptor = other.leaf(&[HOST], |_| {}).acceptor(&[], HTTP);
    let (failure, _) = ask_with(acceptor, ours).await;
    assert!(matches!(failure, Some(Failure::Certificate { .. })), "{failure:?}");
    let acceptor = root.leaf(&[HOST], |_| {}).acceptor(&[], HTTP);
    let (failure, _) = ask_with(acceptor.clone(), |_| {}).await;
    assert_eq!(failure, not_believed(CertificateProblem::Authority));
    // In DER, and without the public ones.
    let der = |settings: &mut EndpointSettings| {
        settings.authorities_der = vec![root.der().to_vec()];
        settings.public_authorities = false;
    };
    assert_eq!(ask_with(acceptor, der).await.0, None);
}

#[tokio::test]
async fn both_versions_of_tls() {
    let root = Authority::new("Root");
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let acceptor = root.leaf(&[HOST], |_| {}).acceptor_of(&[], HTTP, &[version]);
        let (failure, _) = ask_with(acceptor, |settings| settings.authorities_pem = root.pem()).await;
        assert_eq!(failure, None, "{version:?}");
    }
    // No protocol in common is a failed handshake.
    let acceptor = root.leaf(&[HOST], |_| {}).acceptor(&[], &[b"smtp"]);
    let (failure, _) = ask_with(acceptor, |settings| settings.authorities_pem = root.pem()).await;
    assert_eq!(failure, Some(Failure::Handshake));
}

fn pins(sha256: &[String], expires_unix_s: u64, report_only: bool) -> Option<PinSettings> {
    Some(PinSettings {
        sha256: sha256.to_vec(),
        expires_unix_s,
        report_only,
    })
}

#[tokio::test]
async fn pins_on_every_place_of_the_chain() {
    let root = Authority::new("Root");
    let middle = root.intermediate("Middle");
    let leaf = middle.leaf(&[HOST], |_| {});
    let reserve = "0".repeat(64);
    for (pin, expected) in [
        (leaf.pin(), None),
        (middle.pin(), None),
        (root.pin(), None),
        (Authority::new("Root").pin(), not_believed(CertificateProblem::Pin)),
    ] {
        let acceptor = leaf.acceptor(&[middle.der()], HTTP);
        let (failure, misses) = ask_with(acceptor, |settings| {
            settings.authorities_pem = root.pem();
            settings.pins = pins(&[reserve.clone(), pin], FAR, false);
        })
        .await;
        assert_eq!((failure, misses), (expected, u64::from(expected.is_some())));
    }
}

#[tokio::test]
async fn a_pinned_certificate_that_was_only_sent_along_does_not_count() {
    let root = Authority::new("Root");
    let (pinned, other) = (root.intermediate("Pinned"), root.intermediate("Other"));
    let honest = pinned.leaf(&[HOST], |_| {});
    let believed = async |acceptor| {
        let change = |settings: &mut EndpointSettings| {
            settings.authorities_pem = root.pem();
            settings.pins = pins(&["0".repeat(64), pinned.pin()], FAR, false);
        };
        ask_with(acceptor, change).await.0
    };
    assert_eq!(believed(honest.acceptor(&[pinned.der()], HTTP)).await, None);
    let impostor = other.leaf(&[HOST], |_| {});
    let chain = [other.der(), pinned.der()];
    let refused = not_believed(CertificateProblem::Pin);
    assert_eq!(believed(impostor.acceptor(&chain, HTTP)).await, refused);
}

#[tokio::test]
async fn pins_come_after_validation_expire_and_can_only_report() {
    let root = Authority::new("Root");
    let leaf = root.leaf(&[HOST], |_| {});
    let wrong = ["0".repeat(64), "1".repeat(64)];
    let asked = async |pins: Option<PinSettings>, trusted: &Authority| {
        let change = |settings: &mut EndpointSettings| {
            settings.authorities_pem = trusted.pem();
            settings.pins = pins;
        };
        ask_with(leaf.acceptor(&[], HTTP), change).await
    };
    assert_eq!(asked(pins(&wrong, FAR, true), &root).await, (None, 1));
    assert_eq!(asked(pins(&wrong, 1_000_000_000, false), &root).await, (None, 0));
    // A pinned key does not make up for an authority that is not trusted.
    let right = [leaf.pin(), "1".repeat(64)];
    assert_eq!(asked(pins(&right, FAR, false), &root).await, (None, 0));
    let other = Authority::new("Other");
    let unknown = not_believed(CertificateProblem::Authority);
    assert_eq!(asked(pins(&right, FAR, false), &other).await, (unknown, 0));
    assert_eq!(asked(pins(&wrong, FAR, true), &other).await, (unknown, 0));
}

#[test]
fn settings_that_trust_wrongly() {
    let check = |change: &dyn Fn(&mut EndpointSettings), expected: Option<TrustError>| {
        let mut settings = EndpointSettings::new(ID, "https://a.example", "small");
        change(&mut settings);
        assert_eq!(Endpoint::new(settings).err(), expected.map(EndpointError::Trust));
    };
    let root = Authority::new("Root");
    let (pem, der) = (root.pem(), root.der().to_vec());
    check(
        &|settings| settings.public_authorities = false,
        Some(TrustError::NoAuthority),
    );
    check(&|settings| settings.authorities_pem = " \n".to_owned(), None);
    check(
        &|settings| settings.authorities_pem = "hello".to_owned(),
        Some(TrustError::Pem),
    );
    let cut = &pem[..pem.len() / 2];
    check(
        &|settings| settings.authorities_pem = cut.to_owned(),
        Some(TrustError::Pem),
    );
    check(&|settings| settings.authorities_pem = pem.repeat(2), None);
    let broken = |settings: &mut EndpointSettings| {
        settings.authorities_pem = pem.clone();
        settings.authorities_der = vec![vec![7; 40]];
    };
    check(&broken, Some(TrustError::Authority { index: 1 }));
    let most = AUTHORITIES_MAX as usize;
    check(&|settings| settings.authorities_der = vec![der.clone(); most], None);
    check(
        &|settings| settings.authorities_der = vec![der.clone(); most + 1],
        Some(TrustError::TooManyAuthorities),
    );
    let padded = |bytes: usize| format!("{pem}{}", " ".repeat(bytes - pem.len()));
    let most = AUTHORITY_BYTES_MAX as usize;
    check(&|settings| settings.authorities_pem = padded(most), None);
    check(
        &|settings| settings.authorities_pem = padded(most + 1),
        Some(TrustError::TooManyAuthorities),
    );
    check(
        &|settings| settings.pins = pins(&["0".repeat(64)], FAR, false),
        Some(TrustError::PinCount),
    );
}
