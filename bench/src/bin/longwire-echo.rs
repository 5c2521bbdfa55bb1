//! Longwire's own echo server: `longwire-echo [--handler] [--compression MODE] [--fanout]`.

use std::io::Write as _;

use longwire::handler::{Context, Handler, MessageRef};
use longwire::server::Route;
use longwire::{Compression, Result, Server, Socket, Subscription, Topic};

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.next().await {
        socket.send(message?).await?;
    }
    Ok(())
}

/// Sends what any socket sends to all.
fn fan_out_route() -> Route {
    let topic = Topic::new();
    Route::new(move |socket: Socket| {
        let topic = topic.clone();
        async move {
            let (sender, mut receiver) = socket.split();
            let _subscription = topic.subscribe(&sender);
            while let Some(message) = receiver.next().await {
                topic.publish(message?);
            }
            Ok(())
        }
    })
}

/// As [`fan_out_route`], by handlers.
fn fan_out_handlers() -> Route {
    struct Member(Topic, Option<Subscription>);
    impl Handler for Member {
        fn open(&mut self, context: &mut Context<'_>) {
            self.1 = Some(self.0.subscribe(context));
        }

        fn message(&mut self, _: &mut Context<'_>, message: MessageRef<'_>) {
            self.0.publish(message);
        }
    }
    let topic = Topic::new();
    Route::handled(move |_| Member(topic.clone(), None))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let flags: Vec<String> = std::env::args().collect();
    let after = |name: &str| {
        let at = flags.iter().position(|flag| flag == name)?;
        flags.get(at + 1).map(String::as_str)
    };
    let compression = match after("--compression") {
        Some("shared") => Compression::Shared,
        Some("dedicated") => Compression::DEDICATED,
        _ => Compression::Off,
    };
    let fan_out = flags.iter().any(|flag| flag == "--fanout");
    let handler = flags.iter().any(|flag| flag == "--handler");
    let route = if fan_out && handler {
        fan_out_handlers()
    } else if fan_out {
        fan_out_route()
    } else if handler {
        Route::handled(|_| {
            |context: &mut Context<'_>, message: MessageRef<'_>| {
                let _ = context.send(message);
            }
        })
    } else {
        Route::new(echo)
    };
    let server = Server::new()
        .route("/", route)
        .compression(compression)
        .max_connections_per_address(100_000)
        .max_connections(100_000);
    let bound = server.bind("127.0.0.1:0").await?;
    println!("listening {}", bound.local_addr());
    let _ = std::io::stdout().flush();
    bound.run().await;
    Ok(())
}
