//! Instructions in user code, as valgrind's callgrind counts them: no noise of the
//! machine changes them.

use std::path::PathBuf;

use crate::Failure;

/// One run of a program under callgrind.
pub struct Counted {
    log: PathBuf,
}

impl Counted {
    /// A run to come.
    pub fn new() -> Self {
        let name = format!("callgrind-{}", std::process::id());
        Self {
            log: std::env::temp_dir().join(name),
        }
    }

    /// The command that runs `program` and counts.
    pub fn command(&self, program: Vec<String>) -> Vec<String> {
        let mut command: Vec<String> = [
            "valgrind",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
        ]
        .map(str::to_owned)
        .to_vec();
        command.push(format!("--log-file={}", self.log.display()));
        command.extend(program);
        command
    }

    /// The instructions, after the program has ended.
    pub fn instructions(self) -> Result<u64, Failure> {
        let told = std::fs::read_to_string(&self.log)?;
        std::fs::remove_file(self.log)?;
        let line = told
            .lines()
            .find_map(|line| line.split_once("Collected : "));
        let (_, collected) = line.ok_or("valgrind has counted nothing")?;
        Ok(collected.trim().parse()?)
    }
}

impl Default for Counted {
    fn default() -> Self {
        Self::new()
    }
}
