//! A server that ends well: Ctrl-C closes all sockets with 1001, waits, and
//! tells who did not answer.

use std::time::Duration;

use longwire::{Result, Server, Socket};

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.next().await {
        socket.send(message?).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::new()
        .route("/", echo)
        .bind("127.0.0.1:8000")
        .await?;
    println!("ws://{}/, Ctrl-C stops it", server.local_addr());
    let handle = server.handle();
    let running = tokio::spawn(server.run());
    tokio::signal::ctrl_c().await?;
    let report = handle.shutdown(Duration::from_secs(5)).await;
    println!("{} sockets were open", report.open);
    for peer in report.unanswered.iter().flatten() {
        println!("{peer} did not answer");
    }
    let _ = running.await;
    Ok(())
}
