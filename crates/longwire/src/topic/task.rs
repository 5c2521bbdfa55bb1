//! Delivers to the sockets of a thread, from a task of its own or from one that waits for
//! it.

use std::sync::Arc;
use std::task::{Poll, Waker};

use longwire_proto::{CloseCode, CloseFrame, EncodedBatch, Role};
use tokio::task::coop::unconstrained;

use super::TOO_SLOW;
use super::crowd::{Crowd, Deliver, Place, Progress};
use super::subscriber::Target;
use crate::socket::Delivery;

/// Starts the task that delivers to this crowd.
pub(super) fn start(crowd: Arc<Crowd>) {
    let ending = Ending(crowd);
    // It takes its turns by how many it has delivered to.
    tokio::spawn(unconstrained(async move {
        let Ending(crowd) = &ending;
        std::future::poll_fn(|cx| {
            crowd.waker.register(cx.waker());
            match crowd.work(&mut Sockets) {
                Progress::Ended => Poll::Ready(()),
                Progress::Idle => Poll::Pending,
                Progress::More => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            }
        })
        .await;
    }));
}

/// Says that nobody delivers any more, also where the runtime goes away.
struct Ending(Arc<Crowd>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Delivers what came before this number, where this runtime does so and nobody else is
/// at it.
pub(super) async fn deliver_here(crowd: &Arc<Crowd>, before: u64) {
    let here = tokio::runtime::Handle::try_current().map(|handle| handle.id());
    match &crowd.place {
        Place::Task { runtime, .. } if here.is_ok_and(|here| here == *runtime) => {}
        _ => return,
    }
    unconstrained(async {
        while !crowd.has_delivered(before)
            && let Some(Progress::More) = crowd.try_work(&mut Sockets)
        {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

struct Sockets;

impl Deliver for Sockets {
    fn deliver(
        &mut self,
        target: &Target,
        batch: &EncodedBatch,
        again: &dyn Fn() -> Waker,
    ) -> Delivery {
        match target {
            Target::Socket(shared) => shared.deliver(batch, again),
            Target::Connection { .. } => Delivery::Gone,
        }
    }

    fn disconnect(&mut self, target: &Target) {
        tracing::warn!("a subscriber is disconnected: {TOO_SLOW}");
        if let Target::Socket(shared) = target {
            let frame = CloseFrame::new(Role::Server, CloseCode::POLICY_VIOLATION, TOO_SLOW);
            shared.close(frame.ok().as_ref());
        }
    }
}
