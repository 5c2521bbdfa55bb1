//! Moves the bytes of a session, and gives up a peer that takes too long.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::faults::{Fault, Plan};
use super::http::{Head, HeadError};
use super::session::{Phase, Session};

/// Bytes that are read at once. What they are answered with waits until it is
/// sent, and nothing more is read before.
const READ: usize = 16 << 10;

/// How long the head of a handshake may take.
const HEAD_DEADLINE: Duration = Duration::from_secs(5);

/// How long a frame may take, whatever its size.
const FRAME_DEADLINE: Duration = Duration::from_secs(30);

/// How long nothing may come between two frames.
const IDLE: Duration = Duration::from_mins(5);

/// How long a peer may leave unread what is sent.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);

/// How long a peer without deadlines waits.
const FOR_EVER: Duration = Duration::from_hours(1);

/// How long the end of the peer's side is waited for, after ours.
const LINGER: Duration = Duration::from_secs(2);

/// How long what comes after a Close frame is listened to where it should not be.
const AFTER_CLOSE: Duration = Duration::from_millis(100);

/// Why no head was read.
#[derive(Debug)]
pub(super) enum NoHead {
    /// The peer ended, or the network did.
    Ended,
    /// It took too long.
    Late,
    /// It is none.
    Invalid(HeadError),
}

/// Reads a head that begins with what has come already, and gives what came behind it
/// too.
pub(super) fn read_head(
    plan: Plan,
    stream: &mut TcpStream,
    mut bytes: Vec<u8>,
) -> Result<(Head, Vec<u8>), NoHead> {
    let for_ever = plan.breaks(Fault::NoHandshakeDeadline);
    let deadline = Instant::now() + if for_ever { FOR_EVER } else { HEAD_DEADLINE };
    let mut buffer = [0; 4096];
    loop {
        if let Some((head, len)) = Head::read(plan, &bytes).map_err(NoHead::Invalid)? {
            let rest = bytes.split_off(len);
            return Ok((head, rest));
        }
        match read_until(stream, &mut buffer, deadline) {
            Ok(Some(0)) | Err(_) => return Err(NoHead::Ended),
            Ok(None) => return Err(NoHead::Late),
            Ok(Some(len)) => bytes.extend_from_slice(buffer.get(..len).unwrap_or_default()),
        }
    }
}

/// Reads what comes before the deadline; `None` where nothing does.
fn read_until(
    stream: &mut TcpStream,
    buffer: &mut [u8],
    deadline: Instant,
) -> io::Result<Option<usize>> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Ok(None);
    }
    stream.set_read_timeout(Some(left))?;
    loop {
        match stream.read(buffer) {
            Ok(len) => return Ok(Some(len)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if is_timeout(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// Drives a session to its end, beginning with what came behind the handshake.
pub(super) fn run(
    plan: Plan,
    stream: &mut TcpStream,
    session: &mut Session,
    early: &[u8],
) -> io::Result<()> {
    let mut writer = Writer::new(plan, stream)?;
    if !plan.breaks(Fault::LosesPipelined) {
        session.receive(early);
    }
    let mut buffer = vec![0; READ];
    let mut frame_began = None;
    loop {
        writer.write(std::mem::take(&mut session.out))?;
        let now = Instant::now();
        let deadline = match session.phase() {
            Phase::Open if session.is_within_frame() => {
                let for_ever = plan.breaks(Fault::NoFrameDeadline);
                let most = if for_ever { FOR_EVER } else { FRAME_DEADLINE };
                *frame_began.get_or_insert(now) + most
            }
            Phase::Open => {
                frame_began = None;
                now + IDLE
            }
            Phase::Closed if listens_on(plan) => now + AFTER_CLOSE,
            Phase::Closed | Phase::Failed => return Ok(()),
        };
        let Some(len) = read_until(stream, &mut buffer, deadline)? else {
            return Ok(());
        };
        if len == 0 {
            return Ok(());
        }
        session.receive(buffer.get(..len).unwrap_or_default());
    }
}

fn listens_on(plan: Plan) -> bool {
    plan.breaks(Fault::EchoesAfterClose) || plan.breaks(Fault::PongsAfterClose)
}

/// Ends the TCP connection after a session, so that the peer gets all that was
/// sent: closed with unread bytes, the system would reset it.
pub(super) fn end(plan: Plan, is_server: bool, phase: Phase, stream: &mut TcpStream) {
    let keeps = (phase == Phase::Closed && plan.breaks(Fault::KeepsTcp))
        || (phase == Phase::Failed && plan.breaks(Fault::FailsNotAtAll));
    // After a closing handshake it is the server that ends the connection
    // (RFC 6455 section 7.1.1).
    let waits = keeps || (!is_server && phase == Phase::Closed);
    if !waits {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let deadline = Instant::now() + if keeps { FOR_EVER } else { LINGER };
    let mut buffer = vec![0; READ];
    while let Ok(Some(1..)) = read_until(stream, &mut buffer, deadline) {}
}

/// Writes what a session has to send.
enum Writer {
    /// And waits until that is done.
    Bounded(TcpStream),
    /// And keeps whatever the peer does not read.
    Unbounded {
        queue: Option<mpsc::Sender<Vec<u8>>>,
        writing: Option<JoinHandle<()>>,
    },
}

impl Writer {
    fn new(plan: Plan, stream: &TcpStream) -> io::Result<Self> {
        let mut stream = stream.try_clone()?;
        stream.set_write_timeout(Some(WRITE_DEADLINE))?;
        if !plan.breaks(Fault::BuffersAll) {
            return Ok(Self::Bounded(stream));
        }
        stream.set_write_timeout(Some(FOR_EVER))?;
        let (sender, receiver) = mpsc::channel::<Vec<u8>>();
        let writing = std::thread::spawn(move || {
            while let Ok(bytes) = receiver.recv() {
                if stream.write_all(&bytes).is_err() {
                    return;
                }
            }
        });
        Ok(Self::Unbounded {
            queue: Some(sender),
            writing: Some(writing),
        })
    }

    fn write(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        match self {
            _ if bytes.is_empty() => Ok(()),
            Self::Bounded(stream) => stream.write_all(&bytes),
            Self::Unbounded { queue, .. } => {
                let queue = queue.as_ref().ok_or_else(gone)?;
                queue.send(bytes).map_err(|_| gone())
            }
        }
    }
}

impl Drop for Writer {
    /// Waits until what is queued is written.
    fn drop(&mut self) {
        if let Self::Unbounded { queue, writing } = self {
            drop(queue.take());
            if let Some(writing) = writing.take() {
                let _ = writing.join();
            }
        }
    }
}
