//! When the JavaScript that sockets belong to is gone.
//!
//! A worker may be terminated at any moment, and the process goes on: nothing may keep
//! its connections open.

use std::cell::RefCell;

use napi::{Env, Error, Status, sys};
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

/// Whether the process is kept alive for a function that may still be called.
///
/// # Safety
///
/// The function is alive, and this is the thread of the environment that it was made in.
pub(crate) unsafe fn keep_alive(
    env: Env,
    function: sys::napi_threadsafe_function,
    keep: bool,
) -> napi::Result<()> {
    // SAFETY: as the caller says.
    let status = unsafe {
        if keep {
            sys::napi_ref_threadsafe_function(env.raw(), function)
        } else {
            sys::napi_unref_threadsafe_function(env.raw(), function)
        }
    };
    if status == sys::Status::napi_ok {
        Ok(())
    } else {
        Err(Error::from_status(Status::from(status)))
    }
}
