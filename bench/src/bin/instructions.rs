//! Instructions in user code for each echoed message, as callgrind counts them, which no
//! noise of the machine changes: `instructions [BYTES [WINDOW]]`. Needs valgrind.

use std::time::Duration;

use longwire_bench::Failure;
use longwire_bench::callgrind::Counted;
use longwire_bench::client::Clients;
use longwire_bench::closed_loop::ClosedLoop;
use longwire_bench::contestants::{ALL, Contestant};
use longwire_bench::process::{NoServer, Server};
use longwire_bench::wire::{BINARY, masked};

const CONNECTIONS: usize = 100;

/// Messages on each connection, in the run that is subtracted and in the other.
const MESSAGES: (usize, usize) = (20, 120);

/// Instructions of a server that echoes so many messages on each connection.
fn count(
    contestant: &Contestant,
    bytes: usize,
    window: usize,
    each: usize,
) -> Result<u64, Failure> {
    let counted = Counted::new();
    let command = counted.command(contestant.command(&[])?);
    let server = match Server::start(&command, "0") {
        Ok(server) => server,
        Err(NoServer::Unsupported) => return Err("unsupported".into()),
        Err(NoServer::Failed(error)) => return Err(error),
    };
    let frame = masked(BINARY, false, &vec![b'x'; bytes]);
    let clients = Clients::open(server.address, "/", "", CONNECTIONS, &[frame])?;
    let mut load = ClosedLoop::new(clients, window);
    for _ in 0..each {
        load.round(&server, Duration::ZERO)?;
    }
    drop(load);
    server.terminate()?;
    counted.instructions()
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |i: usize, default| arguments.get(i).map_or(Ok(default), |n| n.parse());
    let (bytes, window) = (number(1, 20)?, number(2, 1)?);
    let names = arguments.get(3).cloned().unwrap_or_default();
    println!("Instructions for each message of {bytes} B, window {window}:\n");
    println!("| server | instructions |\n|---|---|");
    for contestant in ALL.iter().filter(|one| one.name.contains(&names)) {
        let few = count(contestant, bytes, window, MESSAGES.0);
        let many = count(contestant, bytes, window, MESSAGES.1);
        match (few, many) {
            (Ok(few), Ok(many)) => {
                let messages = (MESSAGES.1 - MESSAGES.0) * CONNECTIONS * window;
                let each = (many - few) as f64 / messages as f64;
                println!("| {} | {each:.0} |", contestant.name);
            }
            (Err(error), _) | (_, Err(error)) => eprintln!("without {}: {error}", contestant.name),
        }
    }
    Ok(())
}
