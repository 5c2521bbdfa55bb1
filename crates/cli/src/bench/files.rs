//! Room for connections: each is an open file.

/// Files that a run needs beside its connections: the runtime's, and those of
/// reports and names' lookups.
#[cfg(unix)]
const OTHERS: u64 = 64;

/// Raises the limit of open files as far as the system lets; tells what to do where
/// that is too low.
#[cfg(unix)]
pub(super) fn make_room(connections: u32, threads: usize) -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // Each thread's runtime has some of its own.
    let wanted = u64::from(connections) + OTHERS + 8 * threads as u64;
    let limit = getrlimit(Resource::Nofile);
    let enough = |most: Option<u64>| most.is_none_or(|most| most >= wanted);
    if enough(limit.current) {
        return Ok(());
    }
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let most = if setrlimit(Resource::Nofile, raised).is_ok() {
        limit.maximum
    } else {
        limit.current
    };
    if enough(most) {
        return Ok(());
    }
    let most = most.unwrap_or(u64::MAX);
    Err(format!(
        "expected room for {wanted} open files for {connections} connections, the system lets \
         this process have {most} (raise the hard limit, as root with `ulimit -Hn {wanted}` or as \
         LimitNOFILE of a service; or take fewer --connections)"
    ))
}

/// There is no such limit to raise.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps)]
pub(super) fn make_room(_connections: u32, _threads: usize) -> Result<(), String> {
    Ok(())
}
