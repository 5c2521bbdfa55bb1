//! The smallest server: returns each message as it came.

#[tokio::main]
async fn main() -> longwire::Result<()> {
    println!("ws://127.0.0.1:8000/");
    longwire::Server::new()
        .route("/", |mut socket: longwire::Socket| async move {
            while let Some(message) = socket.next().await {
                socket.send(message?).await?;
            }
            Ok(())
        })
        .serve("127.0.0.1:8000")
        .await
}
