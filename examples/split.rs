//! Sending and receiving in two tasks: the halves of a socket need no lock, and
//! the sending one can be cloned.

use longwire::{Result, Server, Socket};

async fn count_and_listen(socket: Socket) -> Result<()> {
    let (sender, mut receiver) = socket.split();
    let counting = tokio::spawn(async move {
        for number in 0_u64.. {
            if sender.send(number.to_string()).await.is_err() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    });
    while let Some(message) = receiver.next().await {
        println!("{}", message?);
    }
    counting.abort();
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    println!("ws://127.0.0.1:8000/");
    Server::new()
        .route("/", count_and_listen)
        .serve("127.0.0.1:8000")
        .await
}
