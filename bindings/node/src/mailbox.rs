//! What many sockets have for JavaScript, handed over together: one call for all that
//! has gathered, however many messages and sockets that are.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use longwire::Sender;
use napi::bindgen_prelude::{
    ArrayBuffer, FnArgs, Function, JsValuesTupleIntoVec, ToNapiValue, Uint32Array,
};
use napi::threadsafe_function::{
    ThreadsafeCallContext, ThreadsafeFunction, ThreadsafeFunctionCallMode,
};
use napi::{Env, Status, sys};
use napi_derive::napi;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};

use crate::life::{Gone, keep_alive};
use crate::runtime;

/// Letters that are handed over in one call.
const LETTERS: usize = 512;

/// Bytes of small payloads that are, beyond the last of them.
const BYTES: usize = 128 << 10;

/// Payloads from this size on are handed over as they are, others copied together.
const LARGE: usize = 16 << 10;

/// What a letter says, as the TypeScript knows it.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Kind {
    Text = 0,
    Binary = 1,
    Ping = 2,
    Pong = 3,
    /// The peer's Close frame has come.
    Closing = 4,
    /// The end: the code, and the reason as the payload.
    Closed = 5,
    /// As [`Kind::Closed`] where the peer broke the protocol: the rule, the code that
    /// it was told, and what there is to say of it, a line each.
    Failed = 6,
    /// What was waited for has been transmitted.
    Transmitted = 7,
    /// To a stream of JavaScript: bytes to write.
    Write = 8,
    /// To a stream of JavaScript: there is room to read again.
    Resume = 9,
    /// To a stream of JavaScript: nothing more is written.
    End = 10,
    /// To a stream of JavaScript: nobody is left here.
    Destroy = 11,
}

/// Added to the kind of a letter whose payload is handed over as it is.
const AS_IT_IS: u32 = 1 << 8;

/// Words of a letter in a delivery: socket, kind, value, where the payload begins (or
/// which it is of those handed over as they are), how long it is.
const WORDS: usize = 5;

/// Something that one socket has for JavaScript.
pub(crate) struct Letter {
    pub(crate) socket: u32,
    pub(crate) kind: Kind,
    pub(crate) value: u32,
    pub(crate) payload: Bytes,
    /// Room that it takes until JavaScript has it.
    pub(crate) room: Option<OwnedSemaphorePermit>,
}

type Deliver = ThreadsafeFunction<(), (), Delivery, Status, false>;

/// Letters in order, and who is called for them.
pub(crate) struct Mailbox {
    waiting: Mutex<Waiting>,
    /// There are letters again.
    wanted: Notify,
    /// Sockets that have something to write.
    to_write: Mutex<Vec<Sender>>,
    writer: mpsc::UnboundedSender<Vec<Sender>>,
    deliver: Mutex<Option<Deliver>>,
}

#[derive(Default)]
struct Waiting {
    letters: Vec<Letter>,
    /// Whether a call is on its way.
    called: bool,
}

impl Mailbox {
    /// Puts in a letter. Where JavaScript is gone it is thrown away.
    pub(crate) fn put(&self, letter: Letter) {
        let mut waiting = self.waiting();
        waiting.letters.push(letter);
        let called = std::mem::replace(&mut waiting.called, true);
        drop(waiting);
        if !called {
            self.wanted.notify_one();
        }
    }

    /// The next [`Mailbox::write_all`] has this one written.
    pub(crate) fn write_later(&self, sender: Sender) {
        let mut to_write = self.to_write.lock().unwrap_or_else(PoisonError::into_inner);
        to_write.push(sender);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deliver(&self) -> MutexGuard<'_, Option<Deliver>> {
        self.deliver.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(&self) {
        let mut deliver = self.deliver();
        if let Some(function) = &*deliver
            && function.call((), ThreadsafeFunctionCallMode::NonBlocking) != Status::Ok
        {
            // The JavaScript is gone.
            deliver.take();
        }
        if deliver.is_none() {
            self.waiting().letters.clear();
        }
    }

    /// What is handed over next.
    fn take(&self) -> Vec<Letter> {
        let mut waiting = self.waiting();
        let mut bytes = 0;
        let count = waiting.letters.iter().take(LETTERS).position(|letter| {
            bytes += letter.payload.len();
            bytes > BYTES
        });
        let count = count.map_or(LETTERS, |count| count + 1);
        if count >= waiting.letters.len() {
            waiting.called = false;
            return std::mem::take(&mut waiting.letters);
        }
        let rest = waiting.letters.split_off(count);
        let letters = std::mem::replace(&mut waiting.letters, rest);
        drop(waiting);
        // The rest has its turn when JavaScript has done something else.
        self.call();
        letters
    }
}

/// The mailbox of one environment.
#[napi]
pub struct NativeMailbox {
    pub(crate) mailbox: Arc<Mailbox>,
}

#[napi]
impl NativeMailbox {
    /// `deliver` is called with the words of letters, an `ArrayBuffer` with their payloads,
    /// and an array of those that are handed over as they are.
    #[napi(constructor)]
    pub fn new(env: Env, deliver: Function<'_, FnArgs<(u32,)>, ()>) -> napi::Result<Self> {
        let (writer, mut to_write) = mpsc::unbounded_channel::<Vec<Sender>>();
        // It ends with the mailbox.
        runtime()?.spawn(async move {
            while let Some(senders) = to_write.recv().await {
                for sender in senders {
                    sender.write_queued();
                }
            }
        });
        let mailbox = Arc::new(Mailbox {
            waiting: Mutex::default(),
            wanted: Notify::new(),
            to_write: Mutex::default(),
            writer,
            deliver: Mutex::default(),
        });
        let own = Arc::downgrade(&mailbox);
        let function = deliver.build_threadsafe_function::<()>().build_callback(
            move |_: ThreadsafeCallContext<()>| {
                Ok(Delivery(
                    own.upgrade().map(|own| own.take()).unwrap_or_default(),
                ))
            },
        )?;
        // SAFETY: the function was made in this environment just now.
        unsafe { keep_alive(env, function.raw(), false) }?;
        *mailbox.deliver() = Some(function);
        let calling = mailbox.clone();
        let mut gone = Gone::of(env)?;
        runtime()?.spawn(async move {
            while gone.or(calling.wanted.notified()).await.is_some() {
                // Whoever else has something goes first: it is handed over with it.
                tokio::task::yield_now().await;
                calling.call();
            }
        });
        Ok(Self { mailbox })
    }

    /// Has another thread write what the sockets that asked for it have.
    #[napi]
    pub fn write_all(&self) {
        let mut to_write = self
            .mailbox
            .to_write
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Without a runtime there are no sockets.
        let _ = self.mailbox.writer.send(std::mem::take(&mut to_write));
    }

    /// Whether the process is kept alive for what may come.
    #[napi]
    pub fn keep_alive(&self, env: Env, keep: bool) -> napi::Result<()> {
        match &*self.mailbox.deliver() {
            // SAFETY: the function is alive, as it is held here, and this is the thread
            // of the environment that it was made in.
            Some(function) => unsafe { keep_alive(env, function.raw(), keep) },
            None => Ok(()),
        }
    }
}

/// What JavaScript is called with.
struct Delivery(Vec<Letter>);

impl JsValuesTupleIntoVec for Delivery {
    fn into_vec(self, env: sys::napi_env) -> napi::Result<Vec<sys::napi_value>> {
        let letters = self.0;
        let small = letters.iter().map(|letter| letter.payload.len());
        let small: usize = small.filter(|len| *len < LARGE).sum();
        let mut words = Vec::with_capacity(WORDS * letters.len());
        let mut bytes = Vec::with_capacity(small);
        let mut large = Vec::new();
        for letter in letters {
            let Letter {
                socket,
                kind,
                value,
                payload,
                room,
            } = letter;
            let len = payload.len();
            let (kind, place) = if len < LARGE {
                let place = bytes.len();
                bytes.extend_from_slice(&payload);
                (kind as u32, place)
            } else {
                large.push(payload);
                (kind as u32 | AS_IT_IS, large.len() - 1)
            };
            words.extend([socket, kind, value, word(place), word(len)]);
            drop(room);
        }
        let of = Env::from_raw(env);
        let together = ArrayBuffer::copy_from(&of, bytes)?;
        let large = large
            .into_iter()
            .map(|payload| ArrayBuffer::from_data(&of, Vec::from(payload)))
            .collect::<napi::Result<Vec<_>>>()?;
        // SAFETY: the environment is that of the call, on whose thread this is.
        unsafe {
            Ok(vec![
                Uint32Array::to_napi_value(env, Uint32Array::new(words))?,
                ArrayBuffer::to_napi_value(env, together)?,
                Vec::<ArrayBuffer>::to_napi_value(env, large)?,
            ])
        }
    }
}

/// Payloads and what there is of them are far below 4 GiB.
fn word(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
