//! A handler over a socket of any transport: what the reactor does for plain TCP.

use std::task::{Poll, ready};

use futures_util::future::poll_fn;

use crate::error::{Error, Result};
use crate::handler::{Context, Guarded, Handler, MessageRef};
use crate::message::Message;
use crate::socket::Socket;

/// Has the handler handle the socket's messages, up to the end.
pub(super) async fn serve_handled(mut socket: Socket, handler: Guarded) -> Result<()> {
    let mut serving = Serving {
        handler,
        blocked: false,
    };
    serving.call(&socket, Handler::open);
    let result = loop {
        match serving.next(&mut socket).await {
            Some(Ok(message)) => serving.call(&socket, |handler, context| {
                handler.message(context, MessageRef::from(&message));
            }),
            Some(Err(error)) => break Err(error),
            None => break Ok(()),
        }
    };
    match (&result, socket.closed()) {
        (Err(Error::Closed(closed)), _) => serving.handler.end(closed),
        (_, Some(closed)) => serving.handler.end(&closed),
        _ => {}
    }
    result
}

struct Serving {
    handler: Guarded,
    /// Whether something waits because the peer is slow.
    blocked: bool,
}

impl Serving {
    fn call(&mut self, socket: &Socket, what: impl FnOnce(&mut dyn Handler, &mut Context<'_>)) {
        let Self { handler, blocked } = self;
        *blocked = socket.lend(|shared, connection, write, more, now| {
            Context::turn(shared, connection, write, *blocked, more, now, |context| {
                handler.call(context, what);
            })
        });
    }

    /// The next message, once there is room for answers.
    async fn next(&mut self, socket: &mut Socket) -> Option<Result<Message>> {
        loop {
            let next = poll_fn(|cx| {
                if self.blocked && socket.poll_written(cx).is_ready() {
                    return Poll::Ready(None);
                }
                // Where answers to come do not fit, those that wait are written first.
                ready!(socket.poll_room(cx));
                socket.poll_message(cx).map(Some)
            })
            .await;
            if let Some(next) = next {
                return next;
            }
            self.blocked = false;
            if socket.is_open() {
                self.call(socket, Handler::drain);
            }
        }
    }
}
