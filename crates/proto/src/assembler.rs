//! Messages assembled from frames (RFC 6455 sections 5.4 and 6.2), and
//! decompressed on the way (RFC 7692 section 6.2).
//!
//! A message that lies whole in the input is handed out as a borrow of it. One
//! that does not is gathered in a buffer that grows with what arrived, never
//! with what was announced; or it is handed out in pieces, and nothing is held.

use crate::deflate::{INFLATER_BYTES, Inflater, MAX_WINDOW_BITS, PlainSink, Window};
use crate::error::ProtocolError;
use crate::frame::{FrameDecoder, FramePiece};
use crate::header::FrameHeader;
use crate::limits::{Limit, Limits, Share};
use crate::message::{ControlPayload, Data, MessageKind, Piece, Text};
use crate::opcode::Opcode;
use crate::utf8::{Utf8Validator, validate};

/// What the frames make up.
#[derive(Debug)]
pub(crate) enum Assembled<'a> {
    Text(Text<'a>),
    Binary(Data<'a>),
    Piece(Piece<'a>),
    Control(Opcode, ControlPayload),
}

/// A data message of which some is still to come.
#[derive(Debug)]
struct Unfinished {
    kind: MessageKind,
    compressed: bool,
    form: Form,
    /// What arrived and is not handed out, decompressed.
    buffer: Vec<u8>,
    /// How much of it was there when it was lent to be read into.
    lent: Option<usize>,
    /// Bytes announced by the headers so far.
    announced: u64,
    /// Whether no more will be announced.
    last_announced: bool,
    fragments: usize,
    /// `Some` for text.
    utf8: Option<Utf8Validator>,
}

/// How a message is handed out.
#[derive(Debug)]
enum Form {
    Whole,
    Pieces {
        /// Whether one was.
        begun: bool,
        /// The last bytes handed out, which compressed ones may refer to.
        history: Window,
    },
}

/// The least bytes a buffer grows by, so that few tiny pieces do not make many
/// allocations, nor many connections hold much.
const LEAST_GROWTH: usize = 1024;

/// How many times what has arrived is taken in advance where so much is announced: each
/// step copies what is there.
const GROWTH: usize = 3;

/// Steps of a buffer that are not tried to be made smaller where memory is short.
const SMALL_STEP: usize = 64 << 10;

/// The most compressed bytes taken at once where plain ones are handed out as
/// they are made: DEFLATE makes at most 1,032 times as many of them.
const PACKED_PIECE: usize = 256;

/// Puts pieces of frames together.
#[derive(Debug)]
pub(crate) struct Assembler {
    unfinished: Option<Box<Unfinished>>,
    /// The payload of a control frame that did not arrive at once.
    control: Option<Box<ControlPayload>>,
    /// What decompresses, where that is agreed on.
    inflater: Option<Box<Inflater>>,
    /// What the unfinished message takes.
    share: Share,
    /// What the inflater holds between messages.
    context_share: Share,
}

impl Assembler {
    pub(crate) fn new(share: Share, context_share: Share) -> Self {
        Self {
            unfinished: None,
            control: None,
            inflater: None,
            share,
            context_share,
        }
    }

    pub(crate) fn set_inflater(&mut self, inflater: Inflater) {
        self.inflater = Some(Box::new(inflater));
    }

    /// Whether compressed messages are expected.
    pub(crate) fn may_inflate(&self) -> bool {
        self.inflater.is_some()
    }

    /// Whether a message waits for its next fragment or the rest of its last.
    pub(crate) fn in_message(&self) -> bool {
        self.unfinished.is_some()
    }

    /// Whether the message that is arriving, or the next one, is handed out in
    /// pieces.
    pub(crate) fn in_pieces(&self, wanted: bool) -> bool {
        let begun = self.unfinished.as_deref().map(|u| &u.form);
        wanted || matches!(begun, Some(Form::Pieces { .. }))
    }

    /// The most bytes of this frame's payload to take at once.
    pub(crate) fn piece_size(&self, header: &FrameHeader, pieces: bool) -> usize {
        let message = self.unfinished.as_deref();
        let compressed = message.map_or(header.rsv1, |message| message.compressed);
        if compressed && self.in_pieces(pieces) {
            PACKED_PIECE
        } else {
            usize::MAX
        }
    }

    //= rfc6455#5.4-7, rfc6455#5.4-9, rfc6455#5.4-12, rfc6455#6.2-3
    //= rfc6455#6.2-5, rfc7692#6.2-2
    /// Takes the next piece of a frame; gives what it completes, or what there
    /// is of a message where `pieces` are wanted.
    pub(crate) fn push<'a>(
        &mut self,
        piece: FramePiece<'a>,
        limits: &Limits,
        pieces: bool,
    ) -> Result<Option<Assembled<'a>>, ProtocolError> {
        let header = piece.header;
        if header.opcode.is_control() {
            return Ok(self.push_control(&piece));
        }
        let alone = self.unfinished.is_none() && piece.first && piece.last && header.fin;
        if alone && !header.rsv1 && !pieces {
            check_size(header.payload_len, limits.message_size)?;
            return whole(header.opcode, piece.data).map(Some);
        }
        let mut message = match self.unfinished.take() {
            Some(message) => message,
            None => Box::new(Unfinished::new(header.opcode, header.rsv1)),
        };
        if pieces && matches!(message.form, Form::Whole) {
            message.start_pieces();
        }
        if piece.first {
            message.begin_frame(header, limits)?;
        }
        let last = piece.last && header.fin;
        let data = if message.compressed {
            self.inflate(&mut message, piece.data, last, limits)?;
            None
        } else if let Form::Pieces { .. } = message.form {
            message.judge(piece.data)?;
            Some(piece.data)
        } else {
            message.plain(&mut self.share, limits, 0).put(piece.data)?;
            None
        };
        if let Form::Pieces { .. } = message.form {
            self.hand_out(message, data, last)
        } else if last {
            // What is handed out is the program's, not ours to count.
            self.share.resize(0)?;
            message.finish().map(Some)
        } else {
            self.unfinished = Some(message);
            Ok(None)
        }
    }

    /// The buffer of the message that is arriving, with room for so many bytes at least,
    /// where its payload goes there as it comes, enough of it has arrived, and there is memory
    /// for that.
    pub(crate) fn payload_buffer(&mut self, room: usize, limits: &Limits) -> Option<&mut Vec<u8>> {
        let message = self.unfinished.as_deref_mut()?;
        if message.compressed || !matches!(message.form, Form::Whole) {
            return None;
        }
        let held = message.buffer.len();
        if room > held.saturating_mul(1 + GROWTH) {
            return None;
        }
        let mut plain = message.plain(&mut self.share, limits, 0);
        plain.grow(held, held + room).ok()?;
        message.lent = Some(held);
        Some(&mut message.buffer)
    }

    /// Takes what has been put into that buffer; gives the message where it is complete,
    /// and what was put there beyond its frame.
    pub(crate) fn push_payload(
        &mut self,
        decoder: &mut FrameDecoder,
    ) -> Result<(Option<Assembled<'static>>, Vec<u8>), ProtocolError> {
        let Some(mut message) = self.unfinished.take() else {
            return Ok((None, Vec::new()));
        };
        let held = message.buffer.len();
        let from = message.lent.take().map_or(held, |lent| lent.min(held));
        let (count, last) = decoder.next_payload(&mut message.buffer[from..]);
        let beyond = message.buffer.split_off(from + count);
        if let Some(utf8) = &mut message.utf8 {
            utf8.push(&message.buffer[from..])?;
        }
        if !last {
            // More may have been put there than there was room for.
            self.share.resize(message.buffer.capacity())?;
            self.unfinished = Some(message);
            return Ok((None, beyond));
        }
        // What is handed out is the program's, not ours to count.
        self.share.resize(0)?;
        Ok((Some(message.finish()?), beyond))
    }

    /// Forgets what is unfinished: nothing more will be handed out.
    pub(crate) fn clear(&mut self) {
        self.unfinished = None;
        self.control = None;
        if let Some(inflater) = &mut self.inflater {
            inflater.clear();
        }
        // Shrinking cannot fail.
        let _ = self.share.resize(0);
        let _ = self.context_share.resize(0);
    }

    fn push_control(&mut self, piece: &FramePiece<'_>) -> Option<Assembled<'static>> {
        let opcode = piece.header.opcode;
        if piece.first && piece.last {
            let mut payload = ControlPayload::EMPTY;
            payload.extend(piece.data);
            return Some(Assembled::Control(opcode, payload));
        }
        let payload = self
            .control
            .get_or_insert_with(|| Box::new(ControlPayload::EMPTY));
        payload.extend(piece.data);
        if !piece.last {
            return None;
        }
        let payload = self.control.take()?;
        Some(Assembled::Control(opcode, *payload))
    }

    //= rfc7692#6.2-1, rfc7692#6.2-3, rfc6455#6.2-6
    /// Decompresses more of a message into its buffer.
    fn inflate(
        &mut self,
        message: &mut Unfinished,
        packed: &[u8],
        last: bool,
        limits: &Limits,
    ) -> Result<(), ProtocolError> {
        // Without one, the header has been refused.
        let Some(inflater) = &mut self.inflater else {
            return Ok(());
        };
        // A decompressor that is given back at once is the thread's.
        let machine = if last && !inflater.is_running() {
            0
        } else {
            INFLATER_BYTES
        };
        let beside = machine + message.history_held();
        self.share.resize(message.buffer.capacity() + beside)?;
        let mut plain = message.plain(&mut self.share, limits, beside);
        inflater.push(packed, last, &mut plain)?;
        self.context_share.resize(inflater.held())?;
        Ok(())
    }

    /// Hands out what there is of a message: `data`, or what its buffer has.
    fn hand_out<'a>(
        &mut self,
        mut message: Box<Unfinished>,
        data: Option<&'a mut [u8]>,
        last: bool,
    ) -> Result<Option<Assembled<'a>>, ProtocolError> {
        let mut buffer = std::mem::take(&mut message.buffer);
        let held = if message.compressed && !last {
            INFLATER_BYTES + message.history_held()
        } else {
            0
        };
        self.share.resize(held)?;
        let data = match data {
            Some(data) if buffer.is_empty() => Data::Borrowed(data),
            data => {
                buffer.extend_from_slice(data.as_deref().unwrap_or_default());
                Data::Owned(buffer)
            }
        };
        let kind = message.kind;
        let mut first = false;
        if let Form::Pieces { begun, .. } = &mut message.form
            && (last || !data.is_empty())
        {
            first = !std::mem::replace(begun, true);
        }
        if last {
            if let Some(utf8) = &mut message.utf8 {
                utf8.finish()?;
            }
        } else {
            self.unfinished = Some(message);
            if data.is_empty() {
                return Ok(None);
            }
        }
        Ok(Some(Assembled::Piece(Piece {
            kind,
            first,
            last,
            data,
        })))
    }
}

//= rfc6455#10.4-1
fn check_size(size: u64, max: usize) -> Result<(), ProtocolError> {
    if size > max as u64 {
        return Err(ProtocolError::limit(Limit::MessageSize, size, max));
    }
    Ok(())
}

//= rfc6455#5.6-1, rfc6455#5.6-2
/// A message that is a single piece.
fn whole(opcode: Opcode, data: &mut [u8]) -> Result<Assembled<'_>, ProtocolError> {
    if opcode == Opcode::Text {
        let text = validate(data)?;
        Ok(Assembled::Text(Text::Borrowed(text)))
    } else {
        Ok(Assembled::Binary(Data::Borrowed(data)))
    }
}

impl Unfinished {
    fn new(opcode: Opcode, compressed: bool) -> Self {
        let is_text = opcode == Opcode::Text;
        Self {
            kind: if is_text {
                MessageKind::Text
            } else {
                MessageKind::Binary
            },
            compressed,
            form: Form::Whole,
            buffer: Vec::new(),
            lent: None,
            announced: 0,
            last_announced: false,
            fragments: 0,
            utf8: is_text.then(Utf8Validator::new),
        }
    }

    /// Bytes held beside the buffer.
    fn history_held(&self) -> usize {
        match &self.form {
            Form::Whole => 0,
            Form::Pieces { history, .. } => history.held(),
        }
    }

    /// What has been gathered is the first piece.
    fn start_pieces(&mut self) {
        let mut history = Window::new(MAX_WINDOW_BITS);
        if self.compressed {
            history.push(&self.buffer);
        }
        self.form = Form::Pieces {
            begun: false,
            history,
        };
    }

    /// Judges a data frame by its header. The payload of a compressed one is
    /// not what the message will take, and pieces take nothing.
    fn begin_frame(&mut self, header: FrameHeader, limits: &Limits) -> Result<(), ProtocolError> {
        if let Form::Pieces { .. } = self.form {
            return Ok(());
        }
        self.announced = self.announced.saturating_add(header.payload_len);
        self.last_announced = header.fin;
        self.fragments += 1;
        if !self.compressed {
            check_size(self.announced, limits.message_size)?;
        }
        // A message has one at least.
        if self.fragments > limits.fragments.max(1) {
            return Err(ProtocolError::limit(
                Limit::Fragments,
                self.fragments as u64,
                limits.fragments,
            ));
        }
        Ok(())
    }

    //= rfc6455#5.4-5
    /// Sees that the next bytes of a text may be part of one.
    fn judge(&mut self, plain: &[u8]) -> Result<(), ProtocolError> {
        match &mut self.utf8 {
            Some(utf8) => utf8.push(plain).map_err(ProtocolError::from),
            None => Ok(()),
        }
    }

    /// Where plain bytes go; `beside` are held by something else.
    fn plain<'m>(&'m mut self, share: &'m mut Share, limits: &Limits, beside: usize) -> Plain<'m> {
        Plain {
            max: limits.message_size,
            message: self,
            share,
            beside,
        }
    }

    fn finish(self) -> Result<Assembled<'static>, ProtocolError> {
        let mut buffer = self.buffer;
        // A program that keeps the message keeps about its bytes, no more.
        if buffer.capacity() - buffer.len() > buffer.len() / 4 {
            buffer.shrink_to_fit();
        }
        let Some(mut utf8) = self.utf8 else {
            return Ok(Assembled::Binary(Data::Owned(buffer)));
        };
        utf8.finish()?;
        match String::from_utf8(buffer) {
            Ok(text) => Ok(Assembled::Text(Text::Owned(text))),
            Err(error) => Err(ProtocolError::InvalidUtf8 {
                at: error.utf8_error().valid_up_to() as u64,
            }),
        }
    }
}

/// A message's buffer, and what it may become.
struct Plain<'m> {
    message: &'m mut Unfinished,
    share: &'m mut Share,
    max: usize,
    beside: usize,
}

impl Plain<'_> {
    /// Makes room for so many bytes in all, or for more where so many have arrived.
    fn grow(&mut self, arrived: usize, needed: usize) -> Result<(), ProtocolError> {
        let message = &mut *self.message;
        let held = message.buffer.capacity();
        if needed <= held {
            return Ok(());
        }
        // The first bytes of what is decompressed are mostly all of it, and where the whole
        // length is known there is no need to pass it.
        let announced = usize::try_from(message.announced).unwrap_or(usize::MAX);
        let least = LEAST_GROWTH;
        let (from, mut step, most) = match (message.compressed, message.last_announced) {
            (true, _) => (held, held, self.max),
            (false, true) => {
                let all = arrived.saturating_mul(1 + GROWTH).max(least);
                (0, all, announced)
            }
            (false, false) => (held, held.max(least), self.max),
        };
        let capacity = loop {
            let capacity = from.saturating_add(step).min(most).max(needed);
            match self.share.resize(capacity + self.beside) {
                Ok(()) => break capacity,
                Err(exhausted) if capacity == needed => return Err(exhausted.into()),
                // There is not that much memory to take in advance.
                Err(_) if step > SMALL_STEP => step /= 2,
                Err(_) => step = 0,
            }
        };
        let buffer = &mut message.buffer;
        buffer.reserve_exact(capacity - buffer.len());
        Ok(())
    }
}

impl PlainSink for Plain<'_> {
    fn put(&mut self, plain: &[u8]) -> Result<(), ProtocolError> {
        self.message.judge(plain)?;
        let message = &mut *self.message;
        let needed = message.buffer.len() + plain.len();
        match &mut message.form {
            Form::Pieces { history, .. } => history.push(plain),
            Form::Whole => check_size(needed as u64, self.max)?,
        }
        self.grow(needed, needed)?;
        self.message.buffer.extend_from_slice(plain);
        Ok(())
    }

    fn history(&self) -> &[u8] {
        match &self.message.form {
            Form::Whole => &self.message.buffer,
            Form::Pieces { history, .. } => history.as_slice(),
        }
    }
}
