//! Messages as lines on a server's standard input and output: JSON in UTF-8, each at most [`MESSAGE_BYTES_MAX`]. A server whose output cannot be used
//! is disconnected at once, so that nobody waits for an answer that cannot come.

use std::io;
use std::sync::{Arc, OnceLock};

use rmcp::RoleClient;
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::Mutex;

/// Maximum length of a message from a server.
pub(super) const MESSAGE_BYTES_MAX: u64 = 16 << 20;
/// How much a server may print between two messages that is not a message, such as lines of a log.
const NOISE_BYTES_MAX: u64 = 1 << 20;

/// Why a server was disconnected.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// A line longer than [`MESSAGE_BYTES_MAX`].
    LongMessage,
    /// A message that is not the protocol's.
    Malformed,
    /// Output that is not messages.
    Noise,
}

/// Where the transport says why it disconnected the server.
pub(super) type FaultCell = Arc<OnceLock<Fault>>;

/// The client's end of both pipes.
pub(super) struct Lines {
    read: BufReader<ChildStdout>,
    /// The bytes of the line that is being read: a read may be cancelled and resumed.
    line: Vec<u8>,
    /// `None` once closed.
    write: Arc<Mutex<Option<ChildStdin>>>,
    noise_bytes: u64,
    fault: FaultCell,
}

/// What a line is.
enum Line {
    Message(Box<RxJsonRpcMessage<RoleClient>>),
    /// A notification that this version of the protocol does not have.
    Foreign,
    Noise,
    Malformed,
}

impl Lines {
    pub(super) fn new(read: ChildStdout, write: ChildStdin, fault: FaultCell) -> Lines {
        Lines {
            read: BufReader::with_capacity(64 << 10, read),
            line: Vec::new(),
            write: Arc::new(Mutex::new(Some(write))),
            noise_bytes: 0,
            fault,
        }
    }

    /// Reads until `line` holds a whole line. A cancelled call loses nothing: bytes are taken from the reader and added to the line in one step.
    async fn read_line(&mut self) -> Result<(), Option<Fault>> {
        loop {
            let available = self.read.fill_buf().await.map_err(|_| None)?;
            if available.is_empty() {
                return Err(None);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(available.len(), |end| end + 1);
            if (self.line.len() + taken) as u64 > MESSAGE_BYTES_MAX {
                return Err(Some(Fault::LongMessage));
            }
            self.line.extend_from_slice(&available[..taken]);
            self.read.consume(taken);
            if end.is_some() {
                return Ok(());
            }
        }
    }

    async fn message(&mut self) -> Result<RxJsonRpcMessage<RoleClient>, Option<Fault>> {
        loop {
            self.read_line().await?;
            let line = std::mem::take(&mut self.line);
            match classified(&line) {
                Line::Message(message) => {
                    self.noise_bytes = 0;
                    return Ok(*message);
                }
                Line::Foreign => self.noise_bytes = 0,
                Line::Malformed => return Err(Some(Fault::Malformed)),
                Line::Noise => {
                    self.noise_bytes += line.len() as u64;
                    if self.noise_bytes > NOISE_BYTES_MAX {
                        return Err(Some(Fault::Noise));
                    }
                }
            }
        }
    }
}

/// Some servers print lines of a log, in JSON too. Only lines that name JSON-RPC are meant as messages.
fn classified(line: &[u8]) -> Line {
    const MARK: &[u8] = b"\"jsonrpc\"";
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii();
    if !line.starts_with(b"{") || !line.windows(MARK.len()).any(|part| part == MARK) {
        return Line::Noise;
    }
    match serde_json::from_slice(line) {
        Ok(message) => Line::Message(Box::new(message)),
        Err(error) if error.is_data() => match serde_json::from_slice::<Value>(line) {
            Ok(value) if value.get("method").is_some() && value.get("id").is_none() => Line::Foreign,
            _ => Line::Malformed,
        },
        // Nested too deeply, or not JSON.
        Err(_) => Line::Malformed,
    }
}

impl Transport<RoleClient> for Lines {
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        let write = self.write.clone();
        async move {
            let mut line = serde_json::to_vec(&message)?;
            line.push(b'\n');
            match &mut *write.lock().await {
                Some(stdin) => {
                    stdin.write_all(&line).await?;
                    stdin.flush().await
                }
                None => Err(io::ErrorKind::NotConnected.into()),
            }
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        match self.message().await {
            Ok(message) => Some(message),
            Err(fault) => {
                if let Some(fault) = fault {
                    // The first one counts.
                    let _ = self.fault.set(fault);
                }
                None
            }
        }
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        self.write.lock().await.take();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_messages_or_noise() {
        let check = |line: &str, expected: &str| {
            let found = match classified(line.as_bytes()) {
                Line::Message(_) => "message",
                Line::Foreign => "foreign",
                Line::Noise => "noise",
                Line::Malformed => "malformed",
            };
            assert_eq!(found, expected, "{line:.80}");
        };
        check(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, "message");
        check("\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\r\n", "message");
        check(
            r#"{"jsonrpc":"2.0","method":"notifications/x","params":{"a":1}}"#,
            "message",
        );
        check("", "noise");
        check("Listening on standard input", "noise");
        check(r#"{"level":"info","msg":"started"}"#, "noise");
        check(r#"{"jsonrpc":"2.0","id":1,"#, "malformed");
        check(r#"{"jsonrpc":"2.0","id":1}"#, "malformed");
        let deep = format!(
            r#"{{"jsonrpc":"2.0","id":1,"result":{}{}}}"#,
            "[".repeat(10_000),
            "]".repeat(10_000)
        );
        check(&deep, "malformed");
    }
}
