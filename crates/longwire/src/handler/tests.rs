//! A connection and its handler without a transport.

use std::io::{self, ErrorKind, IoSlice};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use longwire_proto::mask::apply_mask;
use longwire_proto::{
    Config, Connection, EncodedBatch, EncodedMessage, FrameHeader, Limits, MemoryBudget, Opcode,
};

use super::{Context, Flow, Gathered, Guarded, Handler, Home, Machine, MessageRef, Wire};
use crate::socket::{Delivery, Write};
use crate::topic::{Crowd, Reactor};

/// A machine that echoes.
fn echo() -> Machine {
    echo_with(Config::default())
}

fn echo_with(config: Config) -> Machine {
    let connection = Connection::server(config, Instant::now());
    let handler = |context: &mut Context<'_>, message: MessageRef<'_>| {
        let _ = context.send(message);
    };
    Machine::new(connection, Guarded::new(Box::new(handler)))
}

/// The way to what `write` stands for, where topics reach nobody.
fn wire_to<'a>(gathered: &'a mut Gathered, write: &'a mut Write<'a>) -> Wire<'a> {
    struct Nobody;
    impl Reactor for Nobody {
        fn summon(&self, _: Arc<Crowd>) -> bool {
            false
        }
    }
    static NOBODY: LazyLock<Arc<dyn Reactor>> = LazyLock::new(|| Arc::new(Nobody));
    let home = Home::Reactor {
        reactor: &NOBODY,
        key: 0,
        number: 0,
    };
    Wire::new(gathered, write, home)
}

fn frame(opcode: Opcode, payload: &[u8], masking_key: Option<[u8; 4]>) -> Vec<u8> {
    let header = FrameHeader {
        fin: true,
        rsv1: false,
        opcode,
        masking_key,
        payload_len: payload.len() as u64,
    };
    let mut encoded = [0; FrameHeader::MAX_LEN];
    let len = header.encode(&mut encoded);
    let mut payload = payload.to_vec();
    if let Some(key) = masking_key {
        apply_mask(&mut payload, key, 0);
    }
    [&encoded[..len], &payload].concat()
}

/// Frames from a client, and what an echo answers.
fn frames(lengths: &[usize]) -> (Vec<u8>, Vec<u8>) {
    let payloads = lengths
        .iter()
        .enumerate()
        .map(|(i, len)| vec![i as u8; *len]);
    let (mut asked, mut answered) = (Vec::new(), Vec::new());
    for payload in payloads {
        asked.extend(frame(Opcode::Binary, &payload, Some([1, 2, 3, 4])));
        answered.extend(frame(Opcode::Binary, &payload, None));
    }
    (asked, answered)
}

#[test]
fn messages_of_one_read_are_answered_in_one_write() {
    let (mut input, expected) = frames(&[20; 100]);
    let mut machine = echo();
    let (mut writes, mut written) = (0, Vec::new());
    let mut write = |slices: &[IoSlice<'_>]| {
        writes += 1;
        Ok(slices
            .iter()
            .map(|slice| {
                written.extend_from_slice(slice);
                slice.len()
            })
            .sum())
    };
    let mut gathered = Gathered::default();
    let wire = wire_to(&mut gathered, &mut write);
    assert_eq!(machine.read(&mut input, wire, Instant::now()), Flow::Read);
    assert_eq!((writes, written == expected), (1, true));
}

#[test]
fn messages_that_are_answered_where_they_are_read_take_no_memory() {
    let (input, _) = frames(&[0, 1, 20, 125, 126, 1000, 4096]);
    let mut machine = echo();
    let mut gathered = Gathered::default();
    let mut turn = |bytes: &mut [u8]| {
        let mut write = |slices: &[IoSlice<'_>]| Ok(slices.iter().map(|slice| slice.len()).sum());
        let wire = wire_to(&mut gathered, &mut write);
        machine.read(bytes, wire, Instant::now());
    };
    // The thread's buffer grows to what is needed.
    turn(&mut input.clone());
    let mut rounds = vec![input; 10];
    let counted = allocation_counter::measure(|| rounds.iter_mut().for_each(|bytes| turn(bytes)));
    assert_eq!(counted.count_total, 0);
}

/// Takes at most so many bytes at a time, and every other time none.
struct Slow {
    most: usize,
    ready: bool,
    taken: Vec<u8>,
}

impl Slow {
    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.ready = !self.ready;
        if self.ready {
            return Err(ErrorKind::WouldBlock.into());
        }
        let mut left = self.most;
        for slice in slices {
            let part = &slice[..slice.len().min(left)];
            self.taken.extend_from_slice(part);
            left -= part.len();
        }
        Ok(self.most - left)
    }
}

#[test]
fn answers_are_whole_and_in_order_however_little_the_transport_takes() {
    let lengths = [20, 5000, 0, 300, 4090, 4096, 4097, 66_000, 7, 9];
    let (input, expected) = frames(&lengths);
    let reads = [1, 7, 100, 4096, input.len()];
    for (most, read) in [1, 3, 100, 4096, 10_000, 100_000]
        .into_iter()
        .flat_map(|most| reads.map(|read| (most, read)))
    {
        // Byte by byte both ways is only slow.
        if most < 100 && read < 100 {
            continue;
        }
        let mut machine = echo();
        let mut slow = Slow {
            most,
            ready: false,
            taken: Vec::new(),
        };
        let mut gathered = Gathered::default();
        for part in input.clone().chunks_mut(read) {
            let mut write = |slices: &[IoSlice<'_>]| slow.write(slices);
            machine.read(part, wire_to(&mut gathered, &mut write), Instant::now());
            // The transport may say that it is ready.
            let mut write = |slices: &[IoSlice<'_>]| slow.write(slices);
            machine.write(wire_to(&mut gathered, &mut write), Instant::now());
        }
        while machine.is_blocked() {
            let mut write = |slices: &[IoSlice<'_>]| slow.write(slices);
            machine.write(wire_to(&mut gathered, &mut write), Instant::now());
        }
        assert!(
            slow.taken == expected,
            "{most} at a time, {read} read at once"
        );
    }
}

#[test]
fn a_pong_goes_between_frames_that_were_taken_in_part() {
    let (input, expected) = frames(&[5, 5]);
    let ping = frame(Opcode::Ping, b"p", Some([0; 4]));
    for cut in 0..expected.len() {
        let mut machine = echo();
        let mut gathered = Gathered::default();
        let mut taken = Vec::new();
        let mut write = |slices: &[IoSlice<'_>]| {
            if taken.len() == cut {
                return Err(ErrorKind::WouldBlock.into());
            }
            taken.extend_from_slice(&slices[0][..cut]);
            Ok(cut)
        };
        let wire = wire_to(&mut gathered, &mut write);
        machine.read(&mut input.clone(), wire, Instant::now());
        let mut never = |_: &[IoSlice<'_>]| Err(ErrorKind::WouldBlock.into());
        let wire = wire_to(&mut gathered, &mut never);
        machine.read(&mut ping.clone(), wire, Instant::now());
        let mut write = |slices: &[IoSlice<'_>]| {
            let before = taken.len();
            for slice in slices {
                taken.extend_from_slice(slice);
            }
            Ok(taken.len() - before)
        };
        machine.write(wire_to(&mut gathered, &mut write), Instant::now());
        let border = if cut == 0 { 0 } else { cut.div_ceil(7) * 7 };
        let mut with_pong = expected.clone();
        with_pong.splice(border..border, *b"\x8a\x01p");
        assert_eq!(taken, with_pong, "cut at {cut}");
    }
}

#[test]
fn answers_and_requests_that_wait_are_held_within_the_memory_budget() {
    // Answers that were gathered, and requests behind more of them than may wait.
    for (len, high_water) in [(1000, 1 << 20), (50, 60)] {
        let total = 10_000;
        let budget = MemoryBudget::new(total);
        let mut config = Config::default();
        config.memory_budget = Some(budget.clone());
        config.limits = Limits::default().output_high_water(high_water);
        let mut machine = echo_with(config);
        let (mut input, _) = frames(&vec![len; 16_000 / len]);
        let mut write = |_: &[IoSlice<'_>]| Err(ErrorKind::WouldBlock.into());
        let mut gathered = Gathered::default();
        let wire = wire_to(&mut gathered, &mut write);
        machine.read(&mut input, wire, Instant::now());
        assert!(!machine.connection.is_open(), "{len}");
        assert!(budget.used() <= total, "{} bytes", budget.used());
        // What is left is to say so.
        assert!(machine.connection.buffered() < 200);
        drop(machine);
        assert_eq!(budget.used(), 0);
    }
}

#[test]
fn a_handler_that_was_told_to_wait_is_told_to_go_on_whatever_it_was_called_for() {
    /// Sends more than is taken, and counts how often it may go on.
    struct Teller(Arc<AtomicUsize>);
    impl Handler for Teller {
        fn open(&mut self, context: &mut Context<'_>) {
            context.send(&[0; 5000][..]).unwrap();
            assert!(context.is_blocked());
        }

        fn message(&mut self, context: &mut Context<'_>, _: MessageRef<'_>) {
            self.open(context);
        }

        fn drain(&mut self, context: &mut Context<'_>) {
            assert!(!context.is_blocked());
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let drained = Arc::new(AtomicUsize::new(0));
    let connection = Connection::server(Config::default(), Instant::now());
    let handler = Box::new(Teller(drained.clone()));
    let mut machine = Machine::new(connection, Guarded::new(handler));
    let mut gathered = Gathered::default();
    let (small, _) = frames(&[10]);
    let (large, _) = frames(&[40_000]);
    for (turn, times) in ["open", "small", "large"].into_iter().zip(1..) {
        // The transport takes nothing at first, and all from then on.
        let mut refused = false;
        let mut write = |slices: &[IoSlice<'_>]| {
            if !std::mem::replace(&mut refused, true) {
                return Err(ErrorKind::WouldBlock.into());
            }
            Ok(slices.iter().map(|slice| slice.len()).sum())
        };
        let now = Instant::now();
        if turn == "large" {
            let mut never = |_: &[IoSlice<'_>]| unreachable!();
            let start = wire_to(&mut gathered, &mut never);
            machine.read(&mut large[..10_000].to_vec(), start, now);
            machine
                .payload_buffer()
                .unwrap()
                .extend_from_slice(&large[10_000..]);
        }
        let wire = wire_to(&mut gathered, &mut write);
        match turn {
            "open" => machine.open(&mut [], wire, now),
            "small" => machine.read(&mut small.clone(), wire, now),
            _ => machine.read_payload(wire, now),
        };
        assert!(machine.is_blocked(), "{turn}");
        machine.write(wire_to(&mut gathered, &mut write), now);
        assert_eq!(drained.load(Ordering::Relaxed), times, "{turn}");
    }
}

#[test]
fn a_large_message_waits_for_room_for_its_answer_as_others_do() {
    let limits = Limits::default().output_high_water(1000);
    let mut config = Config::default();
    config.limits = limits;
    let mut machine = echo_with(config);
    let mut gathered = Gathered::default();
    let (input, expected) = frames(&[40_000]);
    let now = Instant::now();
    let mut none = |_: &[IoSlice<'_>]| Err(ErrorKind::WouldBlock.into());
    let wire = wire_to(&mut gathered, &mut none);
    machine.read(&mut input[..10_000].to_vec(), wire, now);
    assert!(machine.payload_buffer().is_some());
    // Something else fills the output meanwhile.
    let news = EncodedBatch::new(vec![EncodedMessage::binary(&[7; 5000])]);
    let delivered = machine.deliver(&news, wire_to(&mut gathered, &mut none), now);
    assert_eq!(delivered, Delivery::Taken(1));
    assert!(machine.payload_buffer().is_none());
    let wire = wire_to(&mut gathered, &mut none);
    let flow = machine.read(&mut input[10_000..].to_vec(), wire, now);
    assert_eq!(flow, Flow::Wait);
    let mut taken = Vec::new();
    let mut write = |slices: &[IoSlice<'_>]| {
        let before = taken.len();
        for slice in slices {
            taken.extend_from_slice(slice);
        }
        Ok(taken.len() - before)
    };
    let flow = machine.write(wire_to(&mut gathered, &mut write), now);
    assert_eq!(flow, Flow::Read);
    assert!(taken.ends_with(&expected) && taken.len() == 5004 + expected.len());
}

#[test]
fn a_connection_with_its_handler_is_small() {
    let size = size_of::<Machine>();
    assert!(size <= 376, "{size} bytes");
}
