//! The terminal between two lines of the prompt.
//!
//! The line editor gives the terminal back after each line, and takes it again
//! for the next. What is typed in that moment would be echoed into a message that
//! is printed, and Ctrl-C and Ctrl-D would be the system's instead of the
//! prompt's. So what it gives back to is a terminal that keeps keys until they
//! are read, and what was before comes back at the end.

#[cfg(unix)]
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// A terminal that keeps keys.
#[derive(Debug)]
pub(super) struct Keys {
    #[cfg(unix)]
    before: Option<Termios>,
}

impl Keys {
    #[cfg(unix)]
    pub(super) fn keep() -> Self {
        let before = tcgetattr(std::io::stdin()).ok();
        if let Some(mut modes) = before.clone() {
            modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
            // Where it cannot be had, the prompt works but in that moment.
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &modes);
        }
        Self { before }
    }

    #[cfg(not(unix))]
    pub(super) fn keep() -> Self {
        Self {}
    }

    /// Makes the terminal what it was.
    pub(super) fn restore(&self) {
        #[cfg(unix)]
        if let Some(before) = &self.before {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}
