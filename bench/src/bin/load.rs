//! Load for a server that echoes: `load URL BYTES MESSAGES CONNECTIONS WINDOW` sends
//! binary messages, so many on their way at a time on each connection, and prints how
//! many came back in a second.

use std::time::Instant;

use longwire::{ClientBuilder, Compression, Message};

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn talk(url: String, size: usize, count: usize, window: usize) -> Result<(), Failure> {
    let client = ClientBuilder::new().compression(Compression::Off);
    let (sender, mut receiver) = client.connect(&url).await?.split();
    let message = Message::binary(vec![7; size]);
    let sending = async {
        for _ in 0..window.min(count) {
            sender.send(message.clone()).await?;
        }
        Ok::<(), Failure>(())
    };
    let receiving = async {
        for received in 1..=count {
            receiver.next().await.ok_or("the connection was closed")??;
            if received + window <= count {
                sender.send(message.clone()).await?;
            }
        }
        Ok::<(), Failure>(())
    };
    tokio::try_join!(sending, receiving)?;
    sender.close(longwire::CloseCode::NORMAL, "")?;
    sender.ended().await;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, size, messages, connections, window] = arguments.as_slice() else {
        return Err("expected URL BYTES MESSAGES CONNECTIONS WINDOW".into());
    };
    let (size, messages) = (size.parse()?, messages.parse::<usize>()?);
    let (connections, window) = (connections.parse::<usize>()?, window.parse()?);
    let each = messages / connections;
    let start = Instant::now();
    let talking: Vec<_> = (0..connections)
        .map(|_| tokio::spawn(talk(url.clone(), size, each, window)))
        .collect();
    for talk in talking {
        talk.await??;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{:.0}", (each * connections) as f64 / seconds);
    Ok(())
}
