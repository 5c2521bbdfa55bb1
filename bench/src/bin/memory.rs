//! Resident memory of idle connections, for each choice of compression. A server
//! process is asked for its memory before, after all connections are open, and
//! after each has exchanged a few messages and gone quiet.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use longwire::{ClientBuilder, Compression, Drive, Result, Server, Socket};

/// Messages that each connection exchanges before it is quiet.
const MESSAGES: usize = 4;

fn mode(name: &str) -> Compression {
    let dedicated = |window_bits, memory_level| Compression::Dedicated {
        window_bits,
        memory_level,
    };
    match name {
        "off" => Compression::Off,
        "shared" => Compression::Shared,
        "dedicated-10" => dedicated(10, 3),
        "dedicated-12" => dedicated(12, 5),
        _ => dedicated(15, 8),
    }
}

async fn echo(mut socket: Socket) -> Result<()> {
    while let Some(message) = socket.next().await {
        socket.send(message?).await?;
    }
    Ok(())
}

async fn serve(name: &str) -> Result<()> {
    let server = Server::new()
        .route("/", echo)
        .heartbeat(None)
        .compression(mode(name))
        .compression_idle_timeout(None)
        .max_connections_per_address(100_000);
    let bound = server.bind("127.0.0.1:0").await?;
    println!("{}", bound.local_addr().port());
    bound.run().await;
    Ok(())
}

/// A server process, ended when dropped.
struct Process {
    child: Child,
    port: u16,
}

impl Process {
    fn start(mut command: Command) -> Option<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take()?)
            .read_line(&mut line)
            .ok()?;
        let port = line.trim().parse().ok()?;
        Some(Self { child, port })
    }

    /// Resident bytes.
    fn resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kilobytes.unwrap_or_default() * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(i: usize) -> String {
    let items: Vec<String> = (0..20)
        .map(|n| {
            format!(
                "{{\"id\": {}, \"name\": \"user{}\", \"online\": {}}}",
                n * i,
                n + i,
                n % 2
            )
        })
        .collect();
    format!("[{}]", items.join(", "))
}

async fn measure(name: &str, process: &Process, connections: usize) -> Result<()> {
    let before = process.resident();
    let client = ClientBuilder::new()
        .drive(Drive::Caller)
        .heartbeat(None)
        .compression(Compression::DEDICATED);
    let url = format!("ws://127.0.0.1:{}/", process.port);
    let mut sockets = Vec::new();
    for _ in 0..connections {
        sockets.push(client.connect(&url).await?);
    }
    let open = process.resident();
    for i in 0..MESSAGES {
        for (n, socket) in sockets.iter_mut().enumerate() {
            socket.send(text(i + n)).await?;
            if let Some(message) = socket.next().await {
                message?;
            }
        }
    }
    let quiet = process.resident();
    let each = |bytes: u64| bytes.saturating_sub(before) / connections as u64;
    println!("| {name} | {} | {} |", each(open), each(quiet));
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some("serve") {
        return serve(&arguments.next().unwrap_or_default()).await;
    }
    let connections = first.and_then(|count| count.parse().ok()).unwrap_or(5000);
    println!("{connections} connections, bytes resident for each:\n");
    println!("| server | just opened | quiet after {MESSAGES} messages of 1 KiB |\n|---|---|---|");
    let program = std::env::current_exe()?;
    for name in [
        "off",
        "shared",
        "dedicated-10",
        "dedicated-12",
        "dedicated-15",
    ] {
        let mut command = Command::new(&program);
        command.args(["serve", name]);
        if let Some(process) = Process::start(command) {
            measure(&format!("Longwire, {name}"), &process, connections).await?;
        }
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/ws-server.mjs");
    for (name, options) in [
        ("off", "false"),
        (
            "no context takeover",
            "{\"serverNoContextTakeover\": true, \"clientNoContextTakeover\": true, \"threshold\": 0}",
        ),
        ("default contexts", "{\"threshold\": 0}"),
    ] {
        let mut command = Command::new("node");
        command.args([folder, options]);
        match Process::start(command) {
            Some(process) => measure(&format!("ws, {name}"), &process, connections).await?,
            None => println!("| ws, {name} | needs node and ./test's packages | |"),
        }
    }
    Ok(())
}
