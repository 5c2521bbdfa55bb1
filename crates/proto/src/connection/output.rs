//! Frames that wait for the transport.
//!
//! Two lanes: data, in order, and control, which goes out at the next border
//! between frames (RFC 6455 section 5.4 allows control frames between
//! fragments, and an answer to a ping should not wait behind a megabyte).
//! Small frames are gathered so that many leave in one write; the payload of a
//! large one is referred to, not copied.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Range;

use bytes::Bytes;

use super::control::ControlLane;
use crate::frame::encode_frame;
use crate::header::FrameHeader;
use crate::message::Payload;

/// Frames are gathered in buffers of about this size, so that what has been
/// sent can be given back while the rest waits.
const GATHER: usize = 64 << 10;

/// Memory taken for the first of a run of frames: others often follow.
const FIRST: usize = 512;

/// Payloads above this are referred to instead of copied where no masking
/// stands against it: below it, a copy is cheaper than another slice to write.
const COPY_UP_TO: usize = 4 << 10;

/// A run of whole frames: `frames` and then `tail`, which is either the payload
/// of the last header in `frames`, or a frame encoded by someone else.
#[derive(Debug, Default)]
struct Segment {
    frames: Vec<u8>,
    tail: Bytes,
}

impl Segment {
    fn len(&self) -> usize {
        self.frames.len() + self.tail.len()
    }

    /// Whether another frame of so many bytes goes in here too.
    fn takes(&self, more: usize) -> bool {
        self.tail.is_empty() && !self.frames.is_empty() && self.frames.len() + more <= GATHER
    }

    /// Bytes of memory held until all of it is sent.
    fn held(&self) -> usize {
        self.frames.capacity() + self.tail.len()
    }

    /// The bytes of this range, in at most two slices.
    fn slices(&self, range: Range<usize>) -> [&[u8]; 2] {
        let split = self.frames.len();
        let front = &self.frames[range.start.min(split)..range.end.min(split)];
        let back = &self.tail[range.start.saturating_sub(split)..range.end.saturating_sub(split)];
        [front, back]
    }
}

/// What waits; nothing is held while nothing does.
#[derive(Debug, Default)]
pub(super) struct Output(Option<Box<Lanes>>);

impl Output {
    /// Bytes that wait.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.0.as_deref().map_or(0, Lanes::len)
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Bytes of messages that wait, and of a Close frame.
    pub(super) fn data_len(&self) -> usize {
        self.0.as_deref().map_or(0, |lanes| lanes.data_len)
    }

    /// Whether messages wait, or a Close frame.
    pub(super) fn has_data(&self) -> bool {
        self.data_len() > 0
    }

    /// Bytes of memory held: more than wait, as the first of a run of frames
    /// are given back with the last.
    pub(super) fn held(&self) -> usize {
        self.0.as_deref().map_or(0, Lanes::held)
    }

    /// Whether control frames wait.
    #[inline]
    pub(super) fn has_control(&self) -> bool {
        self.0
            .as_deref()
            .is_some_and(|lanes| !lanes.control.is_empty())
    }

    /// Pings that wait.
    pub(super) fn pings(&self) -> usize {
        self.0.as_deref().map_or(0, |lanes| lanes.control.pings())
    }

    /// Pongs that wait.
    #[inline]
    pub(super) fn pongs(&self) -> usize {
        self.0.as_deref().map_or(0, |lanes| lanes.control.pongs())
    }

    /// Whether a frame with so much payload takes no more memory than is held.
    pub(super) fn has_room(&self, payload: usize) -> bool {
        let last = self.0.as_deref().and_then(|lanes| lanes.data.back());
        let more = FrameHeader::MAX_LEN + payload;
        last.is_some_and(|last| {
            last.takes(more) && last.frames.capacity() - last.frames.len() >= more
        })
    }

    /// Appends a frame to the data lane, its payload copied (and masked).
    pub(super) fn push(&mut self, header: FrameHeader, payload: &[u8]) {
        self.lanes().push(header, payload);
    }

    /// Appends an unmasked frame to the data lane without copying its payload
    /// where that is worth it.
    pub(super) fn push_bytes(&mut self, header: FrameHeader, payload: &Bytes) {
        self.lanes().push_bytes(header, payload);
    }

    /// Puts whole frames before all data, of which `sent` bytes are sent.
    pub(super) fn put_back(&mut self, frames: &[u8], sent: usize) {
        if sent < frames.len() {
            self.lanes().put_back(frames, sent);
        }
    }

    /// Takes what is left of a frame of which so many bytes are sent, where nothing else
    /// waits.
    pub(super) fn push_rest(&mut self, header: &[u8], payload: Payload<'_>, sent: usize) {
        self.lanes().push_rest(header, payload, sent);
    }

    /// Appends a frame that is encoded already.
    pub(super) fn push_encoded(&mut self, frame: &Bytes) {
        self.lanes().push_encoded(frame);
    }

    /// Puts a control frame before all data that is not partly sent.
    pub(super) fn push_control(&mut self, header: FrameHeader, payload: &[u8]) {
        self.lanes().push_control(header, payload);
    }

    /// Takes out the newest pong of which nothing is sent. Says whether there
    /// was one.
    pub(super) fn remove_newest_pong(&mut self) -> bool {
        self.change(Lanes::remove_newest_pong)
    }

    /// Gives back memory that was taken in advance.
    pub(super) fn shrink(&mut self) {
        self.change(Lanes::shrink);
    }

    /// Fills `slices` with what to send next; returns how many it filled.
    pub(super) fn fill<'s>(&'s self, slices: &mut [IoSlice<'s>]) -> usize {
        self.0.as_deref().map_or(0, |lanes| lanes.fill(slices))
    }

    /// Forgets the next `count` bytes: they are sent. Gives how many of them
    /// were of the data lane.
    pub(super) fn advance(&mut self, count: usize) -> usize {
        self.change(|lanes| lanes.advance(count))
    }

    /// Drops all of which nothing is sent, for a connection that fails: its
    /// Close frame is next.
    pub(super) fn drop_unsent(&mut self) {
        self.change(Lanes::drop_unsent);
    }

    /// Drops everything: the transport takes no more.
    pub(super) fn clear(&mut self) {
        self.0 = None;
    }

    fn lanes(&mut self) -> &mut Lanes {
        self.0.get_or_insert_default()
    }

    /// An idle connection owns no buffer.
    fn change<T: Default>(&mut self, work: impl FnOnce(&mut Lanes) -> T) -> T {
        let Some(lanes) = &mut self.0 else {
            return T::default();
        };
        let result = work(lanes);
        if lanes.len() == 0 {
            self.0 = None;
        }
        result
    }
}

#[derive(Debug, Default)]
struct Lanes {
    data: VecDeque<Segment>,
    /// Bytes of the first segment that are sent.
    sent: usize,
    /// Where in the first segment a frame starts: at or before `sent`, or at the end of one
    /// whose start is not there any more.
    frame_start: usize,
    /// Bytes of the first segment that must go before `control` may: the rest
    /// of a frame that is partly sent.
    hold: usize,
    control: ControlLane,
    /// Bytes in `data` not sent yet.
    data_len: usize,
    /// Bytes of memory that `data` holds.
    data_held: usize,
}

impl Lanes {
    /// Bytes that wait.
    fn len(&self) -> usize {
        self.data_len + self.control.unsent().len()
    }

    /// Bytes of memory held.
    fn held(&self) -> usize {
        self.data_held + self.control.held()
    }

    /// Appends a frame to the data lane, its payload copied (and masked).
    fn push(&mut self, header: FrameHeader, payload: &[u8]) {
        let frames = self.gather(FrameHeader::MAX_LEN + payload.len());
        let before = frames.capacity();
        let len = encode_frame(frames, header, payload);
        let grown = frames.capacity() - before;
        self.data_len += len;
        self.data_held += grown;
    }

    /// Appends an unmasked frame to the data lane without copying its payload
    /// where that is worth it.
    fn push_bytes(&mut self, header: FrameHeader, payload: &Bytes) {
        if payload.len() <= COPY_UP_TO {
            return self.push(header, payload);
        }
        self.push(header, &[]);
        self.data_len += payload.len();
        self.data_held += payload.len();
        if let Some(segment) = self.data.back_mut() {
            segment.tail = payload.clone();
        }
    }

    /// Takes what is left of a frame of which so many bytes are sent, where nothing else
    /// waits.
    fn push_rest(&mut self, header: &[u8], payload: Payload<'_>, sent: usize) {
        let mut frames = header[sent.min(header.len())..].to_vec();
        let from = sent.saturating_sub(header.len());
        let tail = match payload {
            Payload::Shared(bytes) if payload.len() - from > COPY_UP_TO => bytes.slice(from..),
            payload => {
                frames.extend_from_slice(&payload[from..]);
                Bytes::new()
            }
        };
        let segment = Segment { frames, tail };
        self.data_len += segment.len();
        self.data_held += segment.held();
        if sent > 0 {
            // Its frame is over where the segment is, and none has started in it.
            self.frame_start = segment.len();
        }
        self.data.push_back(segment);
    }

    /// Appends a frame that is encoded already.
    fn push_encoded(&mut self, frame: &Bytes) {
        self.data_len += frame.len();
        if frame.len() <= COPY_UP_TO {
            let frames = self.gather(frame.len());
            let before = frames.capacity();
            frames.extend_from_slice(frame);
            let grown = frames.capacity() - before;
            self.data_held += grown;
        } else {
            self.data_held += frame.len();
            self.data.push_back(Segment {
                frames: Vec::new(),
                tail: frame.clone(),
            });
        }
    }

    //= rfc6455#5.4-3, rfc6455#5.5.2-2
    /// Puts a control frame before all data that is not partly sent.
    fn push_control(&mut self, header: FrameHeader, payload: &[u8]) {
        self.find_border();
        self.control.push(header, payload);
    }

    /// Takes out the newest pong of which nothing is sent. Says whether there
    /// was one.
    fn remove_newest_pong(&mut self) -> bool {
        self.control.remove_newest_pong()
    }

    fn put_back(&mut self, frames: &[u8], sent: usize) {
        let segment = Segment {
            frames: frames.to_vec(),
            tail: Bytes::new(),
        };
        self.data_len += segment.len() - sent;
        self.data_held += segment.held();
        self.data.push_front(segment);
        self.sent = sent;
        self.frame_start = 0;
        if !self.control.is_empty() {
            // The border is another now.
            self.hold = self.rest_of_frame();
        }
    }

    /// Gives back memory that was taken in advance.
    fn shrink(&mut self) {
        if let Some(last) = self.data.back_mut() {
            self.data_held -= last.held();
            last.frames.shrink_to_fit();
            self.data_held += last.held();
        }
    }

    /// Fills `slices` with what to send next; returns how many it filled.
    fn fill<'s>(&'s self, slices: &mut [IoSlice<'s>]) -> usize {
        let mut filled = 0;
        let mut put = |bytes: &'s [u8]| {
            if !bytes.is_empty()
                && let Some(slot) = slices.get_mut(filled)
            {
                *slot = IoSlice::new(bytes);
                filled += 1;
            }
            filled < slices.len()
        };
        let mut start = self.sent;
        if !self.control.is_empty() {
            if let Some(first) = self.data.front() {
                for part in first.slices(start..start + self.hold) {
                    put(part);
                }
                start += self.hold;
            }
            put(self.control.unsent());
        }
        for segment in &self.data {
            for part in segment.slices(start..segment.len()) {
                if !put(part) {
                    return filled;
                }
            }
            start = 0;
        }
        filled
    }

    /// Forgets the next `count` bytes: they are sent. Gives how many of them
    /// were of the data lane.
    fn advance(&mut self, count: usize) -> usize {
        let mut data = count;
        if !self.control.is_empty() {
            let held = count.min(self.hold);
            self.hold -= held;
            data -= self.control.advance(count - held);
        }
        self.advance_data(data);
        data
    }

    /// Drops all of which nothing is sent, for a connection that fails: its
    /// Close frame is next.
    fn drop_unsent(&mut self) {
        self.find_border();
        self.data.truncate(1);
        if let Some(first) = self.data.front_mut() {
            let keep = self.sent + self.hold;
            first.tail.truncate(keep.saturating_sub(first.frames.len()));
            first.frames.truncate(keep);
            first.frames.shrink_to_fit();
        }
        self.data_len = self.hold;
        if self.hold == 0 {
            self.data = VecDeque::new();
            self.sent = 0;
            self.frame_start = 0;
        }
        self.data_held = self.data.iter().map(Segment::held).sum();
        self.control.drop_unsent();
    }

    /// The buffer that takes the next small frame of about `more` bytes.
    fn gather(&mut self, more: usize) -> &mut Vec<u8> {
        if !self.data.back().is_some_and(|last| last.takes(more)) {
            self.data.push_back(Segment::default());
        }
        let last = self.data.len() - 1;
        let frames = &mut self.data[last].frames;
        if frames.capacity() == 0 && more > FrameHeader::MAX_LEN {
            frames.reserve(more.max(FIRST));
            self.data_held += frames.capacity();
        }
        frames
    }

    fn advance_data(&mut self, mut count: usize) {
        self.data_len -= count;
        while count > 0 {
            let Some(first) = self.data.front() else {
                return;
            };
            let left = first.len() - self.sent;
            if count < left {
                self.sent += count;
                return;
            }
            count -= left;
            self.data_held -= first.held();
            self.sent = 0;
            self.frame_start = 0;
            self.data.pop_front();
        }
    }

    /// Sets `hold` to the rest of the frame that is partly sent. Where control
    /// frames wait, it is set already.
    fn find_border(&mut self) {
        if self.control.is_empty() {
            self.hold = self.rest_of_frame();
        }
    }

    /// Bytes until the end of the frame that is partly sent.
    fn rest_of_frame(&mut self) -> usize {
        let Some(first) = self.data.front() else {
            return 0;
        };
        if self.frame_start > self.sent {
            return self.frame_start - self.sent;
        }
        while self.frame_start < self.sent {
            let header = &first.frames[self.frame_start.min(first.frames.len())..];
            let end = if header.is_empty() {
                first.len()
            } else {
                self.frame_start + FrameHeader::encoded_frame_len(header)
            };
            if end > self.sent {
                return end - self.sent;
            }
            self.frame_start = end;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opcode::Opcode;

    fn header(opcode: Opcode, len: usize) -> FrameHeader {
        FrameHeader {
            fin: true,
            rsv1: false,
            opcode,
            masking_key: None,
            payload_len: len as u64,
        }
    }

    /// Takes what is to be sent, at most `step` bytes at a time.
    fn take(output: &mut Output, step: usize, most: usize) -> Vec<u8> {
        let mut sent = Vec::new();
        while sent.len() < most && !output.is_empty() {
            let mut slices = [IoSlice::new(&[]); 4];
            let filled = output.fill(&mut slices);
            assert!(filled > 0, "nothing to send, but {} wait", output.len());
            let bytes: Vec<u8> = slices[..filled].iter().flat_map(|s| s.to_vec()).collect();
            let count = step.min(bytes.len()).min(most - sent.len());
            sent.extend_from_slice(&bytes[..count]);
            output.advance(count);
        }
        sent
    }

    /// Five data frames of all three kinds of storage, and their bytes.
    fn five() -> (Output, Vec<Vec<u8>>) {
        let mut output = Output::default();
        let large = Bytes::from(vec![b'L'; 5000]);
        let mut encoded = Vec::new();
        encode_frame(&mut encoded, header(Opcode::Text, 6000), &[b'E'; 6000]);
        let encoded = Bytes::from(encoded);
        output.push(header(Opcode::Text, 2), b"ab");
        output.push(header(Opcode::Text, 3), b"cde");
        output.push_bytes(header(Opcode::Binary, 5000), &large);
        output.push_encoded(&encoded);
        output.push_bytes(header(Opcode::Text, 1), &Bytes::from_static(b"f"));
        let mut third = vec![0x82, 126, 0x13, 0x88];
        third.extend_from_slice(&large);
        let frames = vec![
            b"\x81\x02ab".to_vec(),
            b"\x81\x03cde".to_vec(),
            third,
            encoded.to_vec(),
            b"\x81\x01f".to_vec(),
        ];
        (output, frames)
    }

    //= rfc6455#6.1-6, rfc6455#10.3-3 test
    #[test]
    fn frames_leave_in_order_however_little_the_transport_takes() {
        for step in [1, 2, 3, 7, 4096, usize::MAX] {
            let (mut output, frames) = five();
            assert_eq!(take(&mut output, step, usize::MAX), frames.concat());
            assert!(output.is_empty() && output.0.is_none());
        }
    }

    //= rfc6455#5.4-3, rfc6455#5.5.2-2 test
    #[test]
    fn a_control_frame_goes_out_at_the_next_border_wherever_the_transport_stands() {
        let (_, frames) = five();
        let borders: Vec<usize> = frames
            .iter()
            .scan(0, |end, frame| {
                *end += frame.len();
                Some(*end)
            })
            .collect();
        let all = frames.concat();
        for cut in (0..40).chain(4990..5040).chain(11000..all.len()) {
            let (mut output, _) = five();
            let mut sent = take(&mut output, usize::MAX, cut);
            output.push_control(header(Opcode::Pong, 1), b"1");
            sent.extend(take(&mut output, 2, 1));
            output.push_control(header(Opcode::Pong, 1), b"2");
            sent.extend(take(&mut output, 997, usize::MAX));
            let border = if cut == 0 || borders.contains(&cut) {
                cut
            } else {
                *borders.iter().find(|&&border| border > cut).unwrap()
            };
            let mut expected = all.clone();
            expected.splice(border..border, *b"\x8a\x011\x8a\x012");
            assert!(sent == expected, "cut at {cut}");
        }
    }

    #[test]
    fn dropping_unsent_data_keeps_the_frame_that_is_partly_sent() {
        let (_, frames) = five();
        for (cut, kept) in [(0, 0), (1, 1), (4, 1), (6, 2), (20, 3), (5100, 4)] {
            let (mut output, _) = five();
            let mut sent = take(&mut output, usize::MAX, cut);
            output.drop_unsent();
            output.push(header(Opcode::Close, 0), b"");
            sent.extend(take(&mut output, 5, usize::MAX));
            let mut expected = frames[..kept].concat();
            expected.extend_from_slice(&[0x88, 0]);
            assert!(sent == expected, "cut at {cut}");
        }
    }
}
