//! The processes of servers. Each is the first of a process group, so that Ctrl-C at the terminal does not reach it, and so that what it starts itself
//! (`npx` starts `node`) ends with it.

use std::collections::VecDeque;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a server may take to end once its input is closed.
const END_MAX: Duration = Duration::from_secs(2);
/// How long it may then take to end when it is asked to (SIGTERM).
const TERMINATE_MAX: Duration = Duration::from_secs(1);
/// How many bytes of what a server writes to standard error are remembered.
const STDERR_BYTES_MAX: usize = 4 << 10;

/// The groups of every [`Groups`] that is alive.
static ALL: Mutex<Vec<Weak<Groups>>> = Mutex::new(Vec::new());

/// Kills every server, at once: for the moment before the program ends.
pub(super) fn kill_all() {
    let all = std::mem::take(&mut *ALL.lock().unwrap_or_else(PoisonError::into_inner));
    for groups in all.iter().filter_map(Weak::upgrade) {
        groups.kill();
    }
}

/// Process groups that end together.
#[derive(Default)]
pub(super) struct Groups(Mutex<Running>);

#[derive(Default)]
struct Running {
    groups: Vec<Pid>,
    is_over: bool,
}

impl Groups {
    pub(super) fn new() -> Arc<Groups> {
        let groups = Arc::new(Groups::default());
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| other.strong_count() > 0);
        all.push(Arc::downgrade(&groups));
        groups
    }

    /// Kills all of them, and each that is added from now on.
    pub(super) fn kill(&self) {
        let mut running = self.running();
        running.is_over = true;
        for group in running.groups.drain(..) {
            send(group, Signal::SIGKILL);
        }
    }

    fn add(&self, group: Pid) {
        let mut running = self.running();
        match running.is_over {
            true => send(group, Signal::SIGKILL),
            false => running.groups.push(group),
        }
    }

    /// Kills what is left of a group. Its number may belong to others afterwards, so it is forgotten.
    fn end(&self, group: Pid) {
        let mut running = self.running();
        if let Some(index) = running.groups.iter().position(|running| *running == group) {
            running.groups.swap_remove(index);
            send(group, Signal::SIGKILL);
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A group that has no process any more gets no signal.
fn send(group: Pid, signal: Signal) {
    let _ = killpg(group, signal);
}

/// A server's process. It is killed when this is dropped.
pub(super) struct Process {
    child: Child,
    group: Pid,
    groups: Arc<Groups>,
    stderr: Option<Stderr>,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts a program; returns its standard input and output, too.
    pub(super) fn start(
        words: &[String],
        shows_stderr: bool,
        groups: &Arc<Groups>,
    ) -> io::Result<(Process, ChildStdin, ChildStdout)> {
        let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(if shows_stderr { Stdio::inherit() } else { Stdio::piped() })
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let group = Pid::from_raw(id.expect("a process that was just started has an id"));
        groups.add(group);
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let stderr = child.stderr.take().map(Stderr::read);
        let process = Process {
            child,
            group,
            groups: groups.clone(),
            stderr,
            status: None,
        };
        Ok((process, stdin.expect("it is a pipe"), stdout.expect("it is a pipe")))
    }

    /// How it ended, once it has; `None` if it still runs after this time.
    pub(super) async fn ended_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = timeout(limit, self.child.wait()).await.ok().and_then(Result::ok);
            if self.status.is_some() {
                self.groups.end(self.group);
            }
        }
        self.status
    }

    /// Ends it, now that its input is closed.
    pub(super) async fn stop(&mut self) {
        if self.ended_within(END_MAX).await.is_some() {
            return;
        }
        send(self.group, Signal::SIGTERM);
        if self.ended_within(TERMINATE_MAX).await.is_none() {
            self.kill().await;
        }
    }

    /// Kills it, whatever it does.
    pub(super) async fn kill(&mut self) {
        if self.status.is_none() {
            send(self.group, Signal::SIGKILL);
            self.ended_within(END_MAX).await;
        }
    }

    /// The last lines that it wrote to standard error. Ends the reading.
    pub(super) async fn stderr(&mut self) -> String {
        match self.stderr.take() {
            Some(stderr) => stderr.last().await,
            None => String::new(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.groups.end(self.group);
    }
}

/// What a server writes to standard error. It is read to the end, or the server would block.
struct Stderr {
    last: Arc<Mutex<VecDeque<u8>>>,
    reading: JoinHandle<()>,
}

impl Stderr {
    fn read(mut from: ChildStderr) -> Stderr {
        let last = Arc::new(Mutex::new(VecDeque::new()));
        let kept = last.clone();
        let reading = tokio::spawn(async move {
            let mut buffer = vec![0; 4 << 10];
            while let Ok(read @ 1..) = from.read(&mut buffer).await {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend(&buffer[..read]);
                let surplus = kept.len().saturating_sub(STDERR_BYTES_MAX);
                kept.drain(..surplus);
            }
        });
        Stderr { last, reading }
    }

    async fn last(self) -> String {
        /// How long to wait for the end: a process that the server left behind may hold it open.
        const REST_MAX: Duration = Duration::from_millis(200);
        let _ = timeout(REST_MAX, self.reading).await;
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = last.iter().copied().collect();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }
}
