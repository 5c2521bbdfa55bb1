//! Where secrets are from: a file, or a variable of the environment.

use crate::args::serve::access::SecretSource;

/// Largest file of secrets.
const MOST_BYTES: u64 = 1 << 20;

/// What is there.
pub(super) fn read(source: &SecretSource) -> Result<String, String> {
    match source {
        SecretSource::Environment(name) => std::env::var(name)
            .map_err(|_| format!("expected a secret in the variable {name}, got none")),
        SecretSource::File(path) => {
            let told = |error| format!("could not read {}: {error}", path.display());
            let size = std::fs::metadata(path).map_err(told)?.len();
            if size > MOST_BYTES {
                return Err(format!(
                    "expected at most {MOST_BYTES} bytes of secrets, got {size} in {}",
                    path.display()
                ));
            }
            std::fs::read_to_string(path).map_err(told)
        }
    }
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
