//! The simple sockets: an echo, and a server that says hello.

use std::time::Duration;

use longwire::{Result, Socket};
use tokio::time::sleep;

/// The path of the hello demo.
pub(super) const HELLO: &str = "/article/websocket/demo/hello";

/// How long the hello demo waits before it closes.
const WAIT: Duration = Duration::from_secs(5);

/// Returns each message as it came.
pub(super) async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.next().await {
        socket.send(message?).await?;
    }
    Ok(())
}

/// Greets whoever says its name in the first message, waits, and closes.
pub(super) async fn hello(mut socket: Socket) -> Result<()> {
    let Some(message) = socket.next().await else {
        return Ok(());
    };
    let name = name_in(message?.as_text().unwrap_or_default()).to_owned();
    socket.send(format!("Hello from server, {name}!")).await?;
    sleep(WAIT).await;
    socket.close(1000, "").await?;
    Ok(())
}

/// The last word of a text.
fn name_in(text: &str) -> &str {
    text.rsplit(|char: char| !(char.is_alphanumeric() || char == '_'))
        .next()
        .filter(|name| !name.is_empty())
        .unwrap_or("Guest")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_last_word() {
        assert_eq!(name_in("My name is John"), "John");
        assert_eq!(name_in("Ich heiße Jürgen"), "Jürgen");
        assert_eq!(name_in("John!"), "Guest");
        assert_eq!(name_in(""), "Guest");
    }
}
