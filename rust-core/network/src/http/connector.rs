//! Connections: TCP to the endpoint, and TLS over it unless the endpoint is this machine.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use crate::http::endpoint::bare_host;
use crate::{CertificateProblem, Failure, TimeLimit};

/// Why there is no connection.
#[derive(Clone, Copy, Debug, Error)]
#[error(transparent)]
pub(crate) struct ConnectError(pub(crate) Failure);

/// Opens connections to one endpoint.
#[derive(Clone)]
pub(crate) struct Connector {
    tcp: HttpConnector,
    /// `None`: cleartext, to this machine only.
    tls: Option<TlsConnector>,
    limit: Duration,
}

impl Connector {
    /// Connections that stand within `limit`, with TLS if there are settings for it.
    pub(crate) fn new(tls: Option<ClientConfig>, limit: Duration) -> Connector {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Connector {
            tcp,
            tls: tls.map(|config| TlsConnector::from(Arc::new(config))),
            limit,
        }
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, ConnectError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        self.tcp
            .poll_ready(context)
            .map_err(|_| ConnectError(Failure::Unreachable))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let host = bare_host(uri.host().unwrap_or_default());
        let name = ServerName::try_from(host.to_owned());
        let tcp = self.tcp.call(uri);
        let tls = self.tls.clone();
        let limit = self.limit;
        Box::pin(async move {
            let open = async {
                let tcp = tcp.await.map_err(|_| Failure::Unreachable)?.into_inner();
                let Some(tls) = tls else {
                    return cleartext(tcp);
                };
                let name = name.map_err(|_| Failure::Unreachable)?;
                let stream = tls
                    .connect(name, tcp)
                    .await
                    .map_err(|error| handshake_failure(&error))?;
                Ok(Stream::Tls(Box::new(TokioIo::new(stream))))
            };
            let limit_reached = Failure::TimedOut {
                limit: TimeLimit::Connect,
            };
            let opened = tokio::time::timeout(limit, open).await;
            opened.unwrap_or(Err(limit_reached)).map_err(ConnectError)
        })
    }
}

/// `localhost` is a name, and names can lead anywhere: the address that it led to is looked at before a byte is written.
fn cleartext(tcp: TcpStream) -> Result<Stream, Failure> {
    let peer = tcp.peer_addr().map_err(|_| Failure::Unreachable)?;
    if !is_this_machine(peer.ip()) {
        return Err(Failure::NotLoopback);
    }
    Ok(Stream::Plain(TokioIo::new(tcp)))
}

fn is_this_machine(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn handshake_failure(error: &io::Error) -> Failure {
    use rustls::CertificateError as Reason;
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(reason)) = tls else {
        return Failure::Handshake;
    };
    let problem = match reason {
        Reason::Expired | Reason::ExpiredContext { .. } | Reason::NotValidYet | Reason::NotValidYetContext { .. } => {
            CertificateProblem::Time
        }
        Reason::UnknownIssuer => CertificateProblem::Authority,
        Reason::NotValidForName | Reason::NotValidForNameContext { .. } => CertificateProblem::Name,
        Reason::ApplicationVerificationFailure => CertificateProblem::Pin,
        _ => CertificateProblem::Other,
    };
    Failure::Certificate { problem }
}

/// A connection.
pub(crate) enum Stream {
    /// To this machine.
    Plain(TokioIo<TcpStream>),
    /// To any other.
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        match self {
            Stream::Plain(_) => Connected::new(),
            Stream::Tls(stream) => {
                let protocol = stream.inner().get_ref().1.alpn_protocol();
                if protocol == Some(b"h2".as_slice()) {
                    Connected::new().negotiated_h2()
                } else {
                    Connected::new()
                }
            }
        }
    }
}

impl Read for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_nothing_else() {
        let check = |address: &str, expected| {
            assert_eq!(is_this_machine(address.parse().unwrap()), expected, "{address}");
        };
        for address in ["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"] {
            check(address, true);
        }
        for address in [
            "0.0.0.0",
            "::",
            "10.0.0.1",
            "192.168.1.1",
            "169.254.0.1",
            "fe80::1",
            "::ffff:10.0.0.1",
            "2001:db8::1",
        ] {
            check(address, false);
        }
    }
}
