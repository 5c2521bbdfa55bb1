//! The connections of handlers, on threads of their own: an event leads from the kernel
//! to its connection, and nothing lies between.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use longwire_proto::{CloseCode, EncodedBatch};
use mio::{Events, Interest, Token};
use rustix::buffer::spare_capacity;
use rustix::net::RecvFlags;
use slab::Slab;

use super::caps::Place;
use super::mailbox::{Adopted, Mailbox, STOPPING};
use crate::handler::{Flow, Gathered, Home, Machine, Wire};
use crate::socket::Delivery;
use crate::topic::{self, Crowd, Deliver, Progress, TOO_SLOW, Target};
use crate::transport::{now, with_scratch};

/// Events taken at once.
const EVENTS: usize = 1024;

/// Bytes read from one connection before others have their turn.
const READ: usize = 1 << 20;

/// What mail comes under among the events.
const MAIL: Token = Token(usize::MAX);

/// A reactor's thread, which ends when this is dropped, and its connections with it.
pub(super) struct Thread(Arc<Mailbox>);

impl Thread {
    /// Starts a reactor. Its handlers may use the runtime of whoever calls this.
    pub(super) fn start() -> io::Result<Self> {
        let (reactor, mailbox) = Reactor::new()?;
        let runtime = tokio::runtime::Handle::try_current().ok();
        std::thread::Builder::new()
            .name("longwire-reactor".to_owned())
            .spawn(move || {
                let _entered = runtime.as_ref().map(tokio::runtime::Handle::enter);
                reactor.run();
            })?;
        Ok(Self(mailbox))
    }

    pub(super) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.0
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.0.tell(|letters| letters.end = true);
    }
}

/// A connection of the reactor.
struct Entry {
    stream: mio::net::TcpStream,
    machine: Machine,
    /// No other connection has had this one.
    number: u64,
    reading: Reading,
    /// Whether our side is ended.
    shut: bool,
    /// When it is looked at next.
    due: Option<Instant>,
    place: Option<Place>,
    /// Woken when more can be sent to it.
    waiting: Option<Box<Waiting>>,
}

/// How far a connection is read.
#[derive(Default)]
struct Reading {
    /// Not until more can be written.
    paused: bool,
    /// Not to the end of what is there: it is among those that have more.
    unfinished: bool,
    /// The peer has ended its side: there will be no more events to read at.
    ended: bool,
}

/// Subscribers that could not take all that topics had for them.
#[derive(Default)]
struct Waiting(Vec<Waker>);

/// The connections of one thread.
struct Reactor {
    mailbox: Arc<Mailbox>,
    /// The mailbox too, as topics know it.
    home: Arc<dyn topic::Reactor>,
    poll: mio::Poll,
    entries: Slab<Entry>,
    /// The number of the next connection.
    next: u64,
    /// When which connection is to be looked at; what no connection is due at any more is
    /// left in until then.
    dues: BinaryHeap<Reverse<(Instant, usize)>>,
    /// Connections that had more to read when their turn was over.
    unfinished: Vec<usize>,
    /// Topics that have something to deliver.
    crowds: Vec<Arc<Crowd>>,
    gathered: Gathered,
    stopping: bool,
}

impl Reactor {
    fn new() -> io::Result<(Self, Arc<Mailbox>)> {
        let poll = mio::Poll::new()?;
        let waker = mio::Waker::new(poll.registry(), MAIL)?;
        let mailbox = Arc::new(Mailbox::new(waker));
        let reactor = Self {
            mailbox: mailbox.clone(),
            home: mailbox.clone(),
            poll,
            entries: Slab::new(),
            next: 0,
            dues: BinaryHeap::new(),
            unfinished: Vec::new(),
            crowds: Vec::new(),
            gathered: Gathered::default(),
            stopping: false,
        };
        Ok((reactor, mailbox))
    }

    /// Works until it is told to end.
    fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            let wait = self.wait();
            match self.poll.poll(&mut events, wait) {
                Err(error) if error.kind() != ErrorKind::Interrupted => {
                    tracing::error!(%error, "waiting for events failed");
                    return;
                }
                _ => {}
            }
            let instant = now();
            for event in &events {
                if event.token() == MAIL {
                    if self.read_mail(instant) {
                        return;
                    }
                } else {
                    self.handle(event, instant);
                }
            }
            for key in std::mem::take(&mut self.unfinished) {
                if let Some(entry) = self.entries.get_mut(key) {
                    entry.reading.unfinished = false;
                }
                self.serve(key, instant);
            }
            for crowd in std::mem::take(&mut self.crowds) {
                self.deliver(crowd, instant);
            }
            self.look_at_due(instant);
        }
    }

    /// Delivers what a topic has for connections here, to some at a time.
    fn deliver(&mut self, crowd: Arc<Crowd>, instant: Instant) {
        let progress = crowd.work(&mut Delivering {
            reactor: self,
            instant,
        });
        if progress == Progress::More {
            self.crowds.push(crowd);
        }
    }

    /// How long to wait for events at most.
    fn wait(&self) -> Option<Duration> {
        if !self.unfinished.is_empty() || !self.crowds.is_empty() {
            return Some(Duration::ZERO);
        }
        let Reverse((due, _)) = self.dues.peek()?;
        Some(due.saturating_duration_since(now()))
    }

    /// Says whether this is the end.
    fn read_mail(&mut self, instant: Instant) -> bool {
        let mut letters = self.mailbox.read();
        self.crowds.append(&mut letters.crowds);
        let adopted = std::mem::take(&mut letters.adopted);
        let (stop, cut, end) = (letters.stop, letters.cut, letters.end);
        letters.cut = false;
        drop(letters);
        for adopted in adopted {
            self.adopt(adopted, instant);
        }
        if stop && !std::mem::replace(&mut self.stopping, true) {
            for key in self.keys() {
                self.close(key, instant);
            }
        }
        if cut {
            let entries = self.entries.iter();
            let peers = entries.map(|(_, entry)| entry.stream.peer_addr().ok());
            let peers = peers.collect();
            self.mailbox.lock().unanswered = peers;
            self.drop_all();
        }
        end
    }

    fn keys(&self) -> Vec<usize> {
        self.entries.iter().map(|(key, _)| key).collect()
    }

    fn drop_all(&mut self) {
        for key in self.keys() {
            self.entries[key].machine.lose();
            self.remove(key);
        }
    }

    fn adopt(&mut self, adopted: Adopted, instant: Instant) {
        let Adopted {
            stream,
            machine,
            mut unhandled,
            place,
        } = adopted;
        let mut stream = mio::net::TcpStream::from_std(stream);
        let vacant = self.entries.vacant_entry();
        let key = vacant.key();
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.poll.registry();
        if let Err(error) = registry.register(&mut stream, Token(key), interest) {
            tracing::error!(%error, "a connection could not be registered");
            self.mailbox.leave();
            return;
        }
        let number = self.next;
        self.next += 1;
        vacant.insert(Entry {
            stream,
            machine,
            number,
            reading: Reading::default(),
            shut: false,
            due: None,
            place,
            waiting: None,
        });
        self.turn(key, |machine, wire| {
            machine.open(&mut unhandled, wire, instant)
        });
        if self.stopping {
            self.close(key, instant);
        }
    }

    fn close(&mut self, key: usize, instant: Instant) {
        self.turn(key, |machine, wire| {
            machine.close(CloseCode::GOING_AWAY, STOPPING, wire, instant)
        });
    }

    fn handle(&mut self, event: &mio::event::Event, instant: Instant) {
        let Token(key) = event.token();
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        entry.reading.ended |= event.is_read_closed();
        if event.is_writable() && entry.machine.is_blocked() {
            self.turn(key, |machine, wire| machine.write(wire, instant));
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.serve(key, instant);
        }
    }

    /// Reads what there is, and has it handled.
    fn serve(&mut self, key: usize, instant: Instant) {
        let mut taken = 0;
        while taken < READ {
            if self
                .entries
                .get(key)
                .is_none_or(|entry| entry.reading.paused)
            {
                return;
            }
            let more = match self.read_payload(key) {
                Some((read, room)) => {
                    taken += read.as_ref().map_or(0, |count| *count);
                    self.take(key, instant, read, room, |machine, wire, _| {
                        machine.read_payload(wire, instant)
                    })
                }
                None => with_scratch(|scratch| {
                    let read = self.entries[key].stream.read(scratch);
                    taken += read.as_ref().map_or(0, |count| *count);
                    self.take(key, instant, read, scratch.len(), |machine, wire, count| {
                        machine.read(&mut scratch[..count], wire, instant)
                    })
                }),
            };
            if !more {
                return;
            }
        }
        self.leave_unfinished(key);
    }

    /// Has a connection read on when others have had their turn.
    fn leave_unfinished(&mut self, key: usize) {
        if let Some(entry) = self.entries.get_mut(key)
            && !std::mem::replace(&mut entry.reading.unfinished, true)
        {
            self.unfinished.push(key);
        }
    }

    /// Reads what belongs into the buffer of a large message, if one arrives; tells what
    /// there was room for too.
    fn read_payload(&mut self, key: usize) -> Option<(io::Result<usize>, usize)> {
        let Entry {
            stream, machine, ..
        } = &mut self.entries[key];
        let buffer = machine.payload_buffer()?;
        let room = buffer.capacity() - buffer.len();
        let read = rustix::net::recv(&*stream, spare_capacity(buffer), RecvFlags::empty());
        Some((read.map(|(count, _)| count).map_err(Into::into), room))
    }

    /// Has what was read handled. Says whether there may be more to read.
    fn take(
        &mut self,
        key: usize,
        instant: Instant,
        read: io::Result<usize>,
        room: usize,
        handle: impl FnOnce(&mut Machine, Wire<'_>, usize) -> Flow,
    ) -> bool {
        match read {
            Ok(0) => {
                self.turn(key, |machine, wire| machine.end_input(wire, instant));
                false
            }
            Ok(count) => {
                self.turn(key, |machine, wire| handle(machine, wire, count));
                // What comes next is a new event, but for the end.
                let ended = self
                    .entries
                    .get(key)
                    .is_some_and(|entry| entry.reading.ended);
                ended || count == room
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => false,
                ErrorKind::Interrupted => true,
                _ => {
                    tracing::debug!(%error, "reading failed");
                    self.turn(key, |machine, _| machine.lose());
                    false
                }
            },
        }
    }

    /// Lets a connection do something, and does with its transport what it says.
    fn turn(&mut self, key: usize, work: impl FnOnce(&mut Machine, Wire<'_>) -> Flow) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        let Entry {
            stream,
            machine,
            number,
            ..
        } = entry;
        let home = Home::Reactor {
            reactor: &self.home,
            key,
            number: *number,
        };
        let mut write = |slices: &[io::IoSlice<'_>]| match slices {
            [one] => (&*stream).write(one),
            slices => (&*stream).write_vectored(slices),
        };
        let gathered = &mut self.gathered;
        let worked = catch_unwind(AssertUnwindSafe(|| {
            work(machine, Wire::new(gathered, &mut write, home))
        }));
        let flow = worked.unwrap_or_else(|_| {
            // Not a handler's panic, which goes no further than that.
            tracing::error!("the machine of a socket panicked");
            *gathered = Gathered::default();
            machine.lose()
        });
        if !machine.is_blocked() {
            // Topics may have more for it.
            if let Some(waiting) = entry.waiting.take() {
                waiting.0.into_iter().for_each(Waker::wake);
            }
        }
        if flow == Flow::Drop {
            return self.remove(key);
        }
        if flow == Flow::ShutDown && !std::mem::replace(&mut entry.shut, true) {
            let _ = entry.stream.shutdown(Shutdown::Write);
        }
        let waits = flow == Flow::Wait;
        if std::mem::replace(&mut entry.reading.paused, waits) && !waits {
            // What was not read meanwhile is no new event.
            self.leave_unfinished(key);
        }
        self.schedule(key);
    }

    /// Has the connection looked at when it wants to be.
    fn schedule(&mut self, key: usize) {
        let entry = &mut self.entries[key];
        if let Some(at) = entry.machine.connection.next_timeout()
            && entry.due.is_none_or(|due| at < due)
        {
            entry.due = Some(at);
            self.dues.push(Reverse((at, key)));
        }
    }

    fn look_at_due(&mut self, instant: Instant) {
        while let Some(&Reverse((due, key))) = self.dues.peek()
            && due <= instant
        {
            self.dues.pop();
            let entry = self.entries.get_mut(key);
            if let Some(entry) = entry.filter(|entry| entry.due == Some(due)) {
                entry.due = None;
                self.turn(key, |machine, wire| machine.time(wire, instant));
            }
        }
    }

    fn remove(&mut self, key: usize) {
        let mut entry = self.entries.remove(key);
        let _ = self.poll.registry().deregister(&mut entry.stream);
        if let Some(waiting) = entry.waiting.take() {
            // They learn that nothing will be taken any more.
            waiting.0.into_iter().for_each(Waker::wake);
        }
        if let Some(closed) = entry.machine.end() {
            tracing::info!(peer = ?entry.stream.peer_addr().ok(), code = closed.code.get(), clean = closed.clean, by = %closed.by, "socket closed");
        }
        drop(entry.place);
        self.mailbox.leave();
    }
}

/// Delivers to the connections of a reactor.
struct Delivering<'a> {
    reactor: &'a mut Reactor,
    instant: Instant,
}

impl Delivering<'_> {
    fn find(&self, target: &Target) -> Option<usize> {
        let &Target::Connection { key, number } = target else {
            return None;
        };
        let entry = self.reactor.entries.get(key)?;
        (entry.number == number).then_some(key)
    }
}

impl Deliver for Delivering<'_> {
    fn deliver(
        &mut self,
        target: &Target,
        batch: &EncodedBatch,
        again: &dyn Fn() -> Waker,
    ) -> Delivery {
        let Some(key) = self.find(target) else {
            return Delivery::Gone;
        };
        let mut delivery = Delivery::Gone;
        self.reactor.turn(key, |machine, wire| {
            delivery = machine.deliver(batch, wire, self.instant);
            machine.flow()
        });
        let whole = Delivery::Taken(batch.messages().len());
        if delivery != Delivery::Gone
            && delivery != whole
            && let Some(entry) = self.reactor.entries.get_mut(key)
        {
            entry.waiting.get_or_insert_default().0.push(again());
        }
        delivery
    }

    fn disconnect(&mut self, target: &Target) {
        tracing::warn!("a subscriber is disconnected: {TOO_SLOW}");
        if let Some(key) = self.find(target) {
            self.reactor.turn(key, |machine, wire| {
                machine.close(CloseCode::POLICY_VIOLATION, TOO_SLOW, wire, self.instant)
            });
        }
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        self.drop_all();
        for crowd in self.crowds.drain(..) {
            crowd.end();
        }
        self.mailbox.end();
    }
}
