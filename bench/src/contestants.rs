//! The servers that are measured.

use crate::Failure;
use crate::process::{NoServer, SERVER_CPU, Server, beside};

/// A server to measure.
#[derive(Clone, Debug)]
pub struct Contestant {
    /// What it is called in tables.
    pub name: &'static str,
    program: Program,
    flags: &'static [&'static str],
}

#[derive(Clone, Debug)]
enum Program {
    /// Built beside the bench.
    Binary(&'static str),
    /// A script for Node, in the folder of the peers.
    Node(&'static str),
}

const fn binary(
    name: &'static str,
    file: &'static str,
    flags: &'static [&'static str],
) -> Contestant {
    Contestant {
        name,
        program: Program::Binary(file),
        flags,
    }
}

/// All of them, the floor first.
pub const ALL: [Contestant; 10] = [
    binary("floor", "floor", &[]),
    binary("Longwire, handler", "longwire-echo", &["--handler"]),
    binary("Longwire, async", "longwire-echo", &[]),
    binary("fastwebsockets", "fastwebsockets", &[]),
    binary("sockudo-ws", "sockudo-ws", &[]),
    binary("tokio-tungstenite, batched", "tokio-tungstenite", &[]),
    binary(
        "tokio-tungstenite, plain",
        "tokio-tungstenite",
        &["--plain"],
    ),
    binary("tokio-websockets", "tokio-websockets", &[]),
    binary("yawc", "yawc", &[]),
    Contestant {
        name: "ws (Node)",
        program: Program::Node("ws.mjs"),
        flags: &[],
    },
];

impl Contestant {
    /// Whether this is what the others are measured against.
    pub fn is_floor(&self) -> bool {
        self.name == ALL[0].name
    }

    /// The same under another name.
    pub fn renamed(&self, name: &'static str) -> Self {
        Self {
            name,
            ..self.clone()
        }
    }

    /// The command that runs it.
    pub fn command(&self, flags: &[&str]) -> Result<Vec<String>, Failure> {
        let mut program = match self.program {
            Program::Binary(file) => vec![beside(file)?],
            Program::Node(script) => {
                let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/");
                vec!["node".to_owned(), format!("{folder}{script}")]
            }
        };
        program.extend(self.flags.iter().chain(flags).map(|&flag| flag.to_owned()));
        Ok(program)
    }

    /// Starts it on the processor for servers; `None`, with a line that says why, where
    /// that cannot be.
    pub fn start(&self, flags: &[&str]) -> Result<Option<Server>, Failure> {
        let program = self.command(flags)?;
        match Server::start(&program, &SERVER_CPU.to_string()) {
            Ok(server) => Ok(Some(server)),
            Err(NoServer::Unsupported) => Ok(None),
            Err(NoServer::Failed(error)) => {
                eprintln!("without {}: {error}", self.name);
                Ok(None)
            }
        }
    }
}
