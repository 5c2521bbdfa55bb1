//! A connection after its handshake, in which the tester may do what is not
//! allowed, and sees all that comes.

use std::io;
use std::time::Duration;

use longwire::Transport;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout, timeout_at};

use super::log::{By, Log};
use crate::wire::{
    Decoder, DeflateParams, Deflater, Frame, Head, Inflater, Item, Messages, Opcode,
};

/// Bytes of a message that are kept, to compare them.
const KEEP: usize = 64 << 20;

/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// Which part the tester plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Playing {
    Client,
    Server,
}

/// What was heard of the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A whole message, or a control frame.
    Item(Item),
    /// The stream ended in order.
    End,
    /// The stream was reset.
    Reset(String),
    /// Nothing within the time.
    Silence,
}

/// An open connection.
pub(crate) struct Session {
    stream: Box<dyn Transport>,
    pub(crate) playing: Playing,
    /// The peer's part of the handshake.
    pub(crate) head: Head,
    /// What was agreed on, where compression was.
    pub(crate) deflate: Option<DeflateParams>,
    /// How long the peer has for what is expected of it.
    pub(crate) patience: Duration,
    pub(crate) log: Log,
    deflater: Option<Deflater>,
    decoder: Decoder,
    messages: Messages,
    unread: Vec<u8>,
    /// Where in `unread` the next frame begins.
    at: usize,
    ended: bool,
    /// Frames as they came, since [`Session::take_frames`] was last called.
    frames: Vec<Frame>,
    next_key: u32,
}

/// Frames whose headers are kept for a case to look at.
const MOST_FRAMES: usize = 4096;

impl Session {
    pub(crate) fn new(
        stream: Box<dyn Transport>,
        playing: Playing,
        head: Head,
        unread: Vec<u8>,
        deflate: Option<DeflateParams>,
        patience: Duration,
        log: Log,
    ) -> Self {
        let inflater = deflate.map(|params| {
            Inflater::new(match playing {
                Playing::Client => params.server_no_context_takeover,
                Playing::Server => params.client_no_context_takeover,
            })
        });
        let deflater = deflate.map(|params| match playing {
            Playing::Client => Deflater::new(
                params.client_max_window_bits,
                params.client_no_context_takeover,
            ),
            Playing::Server => Deflater::new(
                params.server_max_window_bits,
                params.server_no_context_takeover,
            ),
        });
        Self {
            stream,
            deflater,
            playing,
            head,
            deflate,
            patience,
            log,
            decoder: Decoder::new(KEEP),
            messages: Messages::new(KEEP, inflater),
            unread,
            at: 0,
            ended: false,
            frames: Vec::new(),
            next_key: 0x5EED_1234,
        }
    }

    /// The frame as this end has to send it: masked by a client.
    pub(crate) fn proper(&mut self, frame: Frame) -> Frame {
        if self.playing == Playing::Server {
            return frame;
        }
        // Any key will do: the peer under test is no attacker.
        self.next_key = self.next_key.wrapping_mul(0x9E37_79B1).wrapping_add(1);
        frame.masked(self.next_key.to_be_bytes())
    }

    /// The payload of a compressed message as was agreed on: as it is where
    /// nothing was.
    pub(crate) fn compress(&mut self, plain: &[u8]) -> Vec<u8> {
        match &mut self.deflater {
            Some(deflater) => deflater.deflate(plain),
            None => plain.to_vec(),
        }
    }

    /// Whether the tester's messages may refer to those before.
    pub(crate) fn may_refer_back(&self) -> bool {
        self.deflate.is_some_and(|params| match self.playing {
            Playing::Client => !params.client_no_context_takeover,
            Playing::Server => !params.server_no_context_takeover,
        })
    }

    /// Sends a frame, masked where that is due. A peer that has hung up is noticed
    /// by what is heard of it.
    pub(crate) async fn send(&mut self, frame: Frame) {
        let frame = self.proper(frame);
        self.send_as_it_is(frame).await;
    }

    /// Sends a frame with the masking it has.
    pub(crate) async fn send_as_it_is(&mut self, frame: Frame) {
        self.log.frame(By::Tester, &frame);
        self.write(&frame.encode()).await;
    }

    /// Sends frames in one write.
    pub(crate) async fn send_all(&mut self, frames: Vec<Frame>) {
        let bytes = self.encode_all(frames);
        self.write(&bytes).await;
    }

    /// Sends frames in writes of `size` bytes, each on its own.
    pub(crate) async fn send_chopped(&mut self, frames: Vec<Frame>, size: usize) {
        let bytes = self.encode_all(frames);
        for piece in bytes.chunks(size.max(1)) {
            self.write(piece).await;
            // Gives the piece a chance to travel alone.
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }

    /// Sends bytes that are no frame.
    pub(crate) async fn send_bytes(&mut self, what: &str, bytes: &[u8]) {
        self.log.bytes(By::Tester, what, bytes);
        self.write(bytes).await;
    }

    /// Writes and reads nothing; gives how many bytes the peer took in its time.
    pub(crate) async fn send_unread(&mut self, what: &str, bytes: &[u8]) -> usize {
        self.log.bytes(By::Tester, what, bytes);
        let deadline = Instant::now() + self.patience;
        let mut taken = 0;
        while taken < bytes.len() {
            match timeout_at(deadline, self.stream.write(&bytes[taken..])).await {
                Ok(Ok(len @ 1..)) => taken += len,
                _ => return taken,
            }
        }
        let _ = timeout_at(deadline, self.stream.flush()).await;
        taken
    }

    fn encode_all(&mut self, frames: Vec<Frame>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for frame in frames {
            let frame = self.proper(frame);
            self.log.frame(By::Tester, &frame);
            bytes.extend_from_slice(&frame.encode());
        }
        bytes
    }

    /// Writes while it reads: a peer that answers at once must not be held up, and
    /// one that hung up is noticed.
    async fn write(&mut self, mut bytes: &[u8]) {
        let deadline = Instant::now() + self.patience;
        while !bytes.is_empty() && !self.ended {
            let mut chunk = [0; 4096];
            let (mut reading, mut writing) = tokio::io::split(&mut self.stream);
            tokio::select! {
                biased;
                written = timeout_at(deadline, writing.write(bytes)) => match written {
                    Ok(Ok(len @ 1..)) => bytes = &bytes[len..],
                    // What the peer said before it hung up is still to be read.
                    _ => return,
                },
                read = reading.read(&mut chunk) => match read {
                    Ok(len @ 1..) => self.unread.extend_from_slice(&chunk[..len]),
                    _ => return,
                },
            }
        }
        let _ = timeout(self.patience, self.stream.flush()).await;
    }

    /// What is heard next, within the peer's time. Pings are answered and passed
    /// over: a peer may send them at any time.
    pub(crate) async fn hear(&mut self) -> Heard {
        self.hear_within(self.patience).await
    }

    /// The same within this time.
    pub(crate) async fn hear_within(&mut self, time: Duration) -> Heard {
        let deadline = Instant::now() + time;
        loop {
            match self.hear_frame(deadline).await {
                Ok(frame) if frame.opcode == Opcode::PING => {
                    self.send(Frame::new(Opcode::PONG, frame.payload)).await;
                }
                Ok(frame) => {
                    if let Some(item) = self.messages.push(&frame) {
                        return Heard::Item(item);
                    }
                }
                Err(heard) => return heard,
            }
        }
    }

    /// The frames that came since this was last called.
    pub(crate) fn take_frames(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.frames)
    }

    async fn hear_frame(&mut self, deadline: Instant) -> Result<Frame, Heard> {
        loop {
            let mut input = &self.unread[self.at..];
            let frame = self.decoder.decode(&mut input);
            self.at = self.unread.len() - input.len();
            if let Some(frame) = frame {
                self.log.frame(By::Peer, &frame);
                if self.frames.len() < MOST_FRAMES {
                    let header = Frame {
                        payload: Vec::new(),
                        ..frame.clone()
                    };
                    self.frames.push(header);
                }
                return Ok(frame);
            }
            self.unread.clear();
            self.at = 0;
            if self.ended {
                return Err(Heard::End);
            }
            self.unread.resize(CHUNK, 0);
            let read = timeout_at(deadline, self.stream.read(&mut self.unread)).await;
            self.unread.truncate(match &read {
                Ok(Ok(len)) => *len,
                _ => 0,
            });
            match read {
                Err(_) => return Err(Heard::Silence),
                Ok(Ok(0)) => {
                    self.ended = true;
                    self.log.text(By::Peer, "end of the stream");
                    return Err(Heard::End);
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    self.ended = true;
                    return Err(self.lost(&error));
                }
            }
        }
    }

    fn lost(&mut self, error: &io::Error) -> Heard {
        self.log.text(By::Peer, format!("stream lost: {error}"));
        // TLS without close_notify is an end all the same.
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Heard::End;
        }
        Heard::Reset(error.to_string())
    }

    /// Whether the peer's stream has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Ends its own side of the stream.
    pub(crate) async fn hang_up(&mut self) {
        self.log.text(By::Tester, "end of the stream");
        let _ = timeout(self.patience, self.stream.shutdown()).await;
    }
}
