//! Where secrets are from: a file, or a variable of the environment.

use std::fs::Metadata;

use crate::args::serve::access::SecretSource;
use crate::output;

/// Largest file of secrets.
const MOST_BYTES: u64 = 1 << 20;

/// What is there.
pub(super) fn read(source: &SecretSource) -> Result<String, String> {
    match source {
        SecretSource::Environment(name) => std::env::var(name)
            .map_err(|_| format!("expected a secret in the variable {name}, got none")),
        SecretSource::File(path) => {
            let told = |error| format!("could not read {}: {error}", path.display());
            let metadata = std::fs::metadata(path).map_err(told)?;
            let size = metadata.len();
            if size > MOST_BYTES {
                return Err(format!(
                    "expected at most {MOST_BYTES} bytes of secrets, got {size} in {}",
                    path.display()
                ));
            }
            let text = std::fs::read_to_string(path).map_err(told)?;
            // A public key is for all to see.
            if is_for_all(&metadata) && !text.contains("-----BEGIN") {
                output::note(&format!(
                    "{} can be read by all users of this machine: chmod o-r helps",
                    path.display()
                ));
            }
            Ok(text)
        }
    }
}

#[cfg(unix)]
fn is_for_all(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o004 != 0
}

/// The system has other means.
#[cfg(not(unix))]
fn is_for_all(_: &Metadata) -> bool {
    false
}

/// What errors call it.
pub(super) fn name(source: &SecretSource) -> String {
    match source {
        SecretSource::Environment(name) => format!("the variable {name}"),
        SecretSource::File(path) => path.display().to_string(),
    }
}

/// The lines that say something: each with its number.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().map(str::trim).enumerate();
    let said = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    said.map(|(at, line)| (at + 1, line))
}
