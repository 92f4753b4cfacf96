//! One connection: requests are read from it, and the steps of their scripts are carried out.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::server::TlsStream;

use crate::Step;
use crate::server::{Log, Received, ScriptOf};

/// A stream whose socket can be broken.
pub(crate) trait Connection: AsyncRead + AsyncWrite + Unpin + Send {
    fn socket(&self) -> &TcpStream;
}

impl Connection for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Connection for TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Serves requests until the client or a script ends the connection.
pub(crate) async fn serve(
    mut stream: impl Connection,
    script_of: &ScriptOf,
    log: &Log,
    went: &mpsc::UnboundedSender<()>,
) {
    while let Some(request) = read_request(&mut stream).await {
        let number = log.add(request.clone());
        for step in script_of(number, &request) {
            if !carry_out(&mut stream, step, went).await {
                return;
            }
        }
    }
}

/// False when the connection is at its end.
async fn carry_out(stream: &mut impl Connection, step: Step, went: &mpsc::UnboundedSender<()>) -> bool {
    match step {
        Step::Send(bytes) => send(stream, &bytes).await,
        Step::EachByte(bytes) => {
            for byte in bytes {
                if !send(stream, &[byte]).await {
                    return false;
                }
                tokio::task::yield_now().await;
            }
            true
        }
        Step::EverySecond(bytes) => {
            while send(stream, &bytes).await {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            false
        }
        Step::Stall => {
            let mut bytes = [0; 256];
            while stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
            let _ = went.send(());
            false
        }
        Step::Reset => {
            stream.socket().set_zero_linger().unwrap();
            false
        }
        Step::Close => {
            let _ = stream.shutdown().await;
            false
        }
        Step::Vanish => false,
    }
}

async fn send(stream: &mut impl Connection, bytes: &[u8]) -> bool {
    stream.write_all(bytes).await.is_ok() && stream.flush().await.is_ok()
}

async fn read_request(stream: &mut impl Connection) -> Option<Received> {
    let mut bytes = Vec::new();
    let end = loop {
        let found = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = found {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let mut body = bytes.split_off(end);
    let mut request = Received {
        head: String::from_utf8(bytes).unwrap(),
        ..Received::default()
    };
    let length: usize = request
        .header("content-length")
        .map_or(0, |value| value.parse().unwrap());
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    request.body = String::from_utf8_lossy(&body).into_owned();
    request.bytes = body;
    Some(request)
}
