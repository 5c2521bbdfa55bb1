//! The browser's API: first a `WebSocket` with handlers, then a `WebSocketStream`,
//! both against a server that echoes.
//!
//! Run the server first: `cargo run --release -- serve`

use longwire::web::{CloseInfo, WebSocket, WebSocketStream};

const URL: &str = "ws://127.0.0.1:8000/echo";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let socket = WebSocket::new(URL)?;
    socket.set_onopen(|socket| {
        // Nothing is wrong with a text, and the connection is open.
        let _ = socket.send("Hello, Server!");
    });
    socket.set_onmessage(|socket, message| {
        println!("{:?} from {}", message.data, message.origin);
        let _ = socket.close(Some(1000), Some("done"));
    });
    socket.set_onerror(|_| println!("it failed: the log knows why"));
    socket.set_onclose(|_, close| println!("closed with {}", close.code));
    socket.run().await;

    let stream = WebSocketStream::new(URL)?;
    let connection = stream.opened().await?;
    for number in 0..3 {
        connection
            .writable
            .write(format!("message {number}"))
            .await?;
        println!("{:?}", connection.readable.read().await?);
    }
    stream.close(&CloseInfo::default())?;
    println!("{:?}", stream.closed().await?);
    Ok(())
}
