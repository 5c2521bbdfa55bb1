//! A server that echoes messages of any size as they come, for a test that
//! watches its memory. Prints its port and ends with its stdin.

use longwire::{Compression, Result, Server, Socket};
use tokio::io::AsyncReadExt as _;

async fn echo(socket: Socket) -> Result<()> {
    let (sender, mut receiver) = socket.split();
    while let Some(message) = receiver.next_reader().await {
        let message = message?;
        let kind = message.kind();
        sender.send_reader(kind, message).await?;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let compressed = std::env::args().any(|argument| argument == "compressed");
    let compression = if compressed {
        Compression::Shared
    } else {
        Compression::Off
    };
    let server = Server::new().route("/", echo).compression(compression);
    let bound = server.bind("127.0.0.1:0").await?;
    println!("{}", bound.local_addr().port());
    tokio::spawn(bound.run());
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}
