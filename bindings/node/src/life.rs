//! When the JavaScript that sockets belong to is gone.
//!
//! A worker may be terminated at any moment, and the process goes on: nothing may keep
//! its connections open.

use std::cell::RefCell;

use napi::Env;
use tokio::sync::watch;

thread_local! {
    /// Of the environment of this thread, once it has sockets.
    static GONE: RefCell<Option<watch::Receiver<bool>>> = const { RefCell::new(None) };
}

/// Ready once an environment is torn down.
#[derive(Clone)]
pub(crate) struct Gone(watch::Receiver<bool>);

impl Gone {
    /// That of the environment of this thread.
    pub(crate) fn of(env: Env) -> napi::Result<Self> {
        if let Some(known) = GONE.with_borrow(Clone::clone) {
            return Ok(Self(known));
        }
        let (tell, gone) = watch::channel(false);
        env.add_env_cleanup_hook(tell, |tell| {
            tell.send_replace(true);
            // The thread may be ending too.
            let _ = GONE.try_with(|gone| gone.borrow_mut().take());
        })?;
        GONE.set(Some(gone.clone()));
        Ok(Self(gone))
    }

    pub(crate) async fn wait(&mut self) {
        // An error says that whoever tells is gone itself.
        let _ = self.0.wait_for(|gone| *gone).await;
    }

    /// What this comes to, unless the environment goes first.
    pub(crate) async fn or<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.wait() => None,
            value = work => Some(value),
        }
    }
}
