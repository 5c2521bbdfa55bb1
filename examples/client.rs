//! The smallest client: says hello to the URL given, and prints the answer.

#[tokio::main]
async fn main() -> longwire::Result<()> {
    let url = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "ws://127.0.0.1:8000/".to_owned());
    let mut socket = longwire::connect(url).await?;
    socket.send("Hello, Server!").await?;
    if let Some(message) = socket.next().await {
        println!("{}", message?);
    }
    let closed = socket.close(1000, "").await?;
    println!("closed: {closed}");
    Ok(())
}
