//! A handler over a socket of any transport: what the reactor does for plain TCP.

use std::task::Poll;

use futures_util::future::poll_fn;

use crate::error::{Error, Result};
use crate::handler::{Context, Gathered, Handler, MessageRef};
use crate::message::Message;
use crate::socket::Socket;

/// Has the handler handle the socket's messages, up to the end.
pub(super) async fn serve_handled(mut socket: Socket, handler: Box<dyn Handler>) -> Result<()> {
    let mut serving = Serving {
        handler,
        gathered: Gathered::default(),
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
        (Err(Error::Closed(closed)), _) => serving.handler.close(closed),
        (_, Some(closed)) => serving.handler.close(&closed),
        _ => {}
    }
    result
}

struct Serving {
    handler: Box<dyn Handler>,
    gathered: Gathered,
    /// Whether something waits because the peer is slow.
    blocked: bool,
}

impl Serving {
    fn call(&mut self, socket: &Socket, what: impl FnOnce(&mut dyn Handler, &mut Context<'_>)) {
        let Self {
            handler,
            gathered,
            blocked,
        } = self;
        let left = socket.change(|connection, now| {
            Context::queueing(connection, gathered, *blocked, now, |context| {
                what(&mut **handler, context);
            });
        });
        self.blocked |= left > 0;
    }

    /// The next message, once there is room for answers.
    async fn next(&mut self, socket: &mut Socket) -> Option<Result<Message>> {
        loop {
            let next = poll_fn(|cx| {
                if self.blocked && socket.poll_written(cx).is_ready() {
                    return Poll::Ready(None);
                }
                if socket.is_full() {
                    return Poll::Pending;
                }
                socket.poll_message(cx).map(Some)
            })
            .await;
            if let Some(next) = next {
                return next;
            }
            self.blocked = false;
            self.call(socket, Handler::drain);
        }
    }
}
