//! How many connections a server holds at once, in all and from one address, and
//! how much of its memory those of one address may take.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use longwire_proto::MemoryBudget;

/// What one address may have of the memory budget where nothing else is said: a
/// quarter.
const PART: usize = 4;

/// Counts connections against two caps.
#[derive(Debug)]
pub(super) struct Caps {
    total: usize,
    per_address: usize,
    memory: Option<MemoryBudget>,
    memory_per_address: usize,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_address: HashMap<IpAddr, Address>,
}

/// What is from one address.
#[derive(Debug, Default)]
struct Address {
    connections: usize,
    memory: Option<MemoryBudget>,
}

/// Which cap is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    #[error("expected at most {0} connections for the limit max_connections, got one more")]
    Total(usize),
    #[error(
        "expected at most {0} connections from one address for the limit max_connections_per_address, got one more"
    )]
    Address(usize),
}

impl Caps {
    pub(super) fn new(
        total: usize,
        per_address: usize,
        memory: Option<MemoryBudget>,
        memory_per_address: Option<usize>,
    ) -> Arc<Self> {
        let all = memory.as_ref().map_or(0, MemoryBudget::total);
        Arc::new(Self {
            total,
            per_address,
            memory,
            memory_per_address: memory_per_address.unwrap_or(all / PART),
            counts: Arc::default(),
        })
    }

    /// These caps for the connections that others have counted so far too.
    pub(super) fn following(&self, others: &Self) -> Arc<Self> {
        Arc::new(Self {
            memory: self.memory.clone(),
            counts: others.counts.clone(),
            ..*self
        })
    }

    /// Counts a connection until the place is dropped.
    pub(super) fn take(self: &Arc<Self>, peer: SocketAddr) -> Result<Place, Full> {
        let address = counted_as(peer.ip());
        let mut counts = self.lock();
        if counts.total >= self.total {
            return Err(Full::Total(self.total));
        }
        let from_address = counts.by_address.entry(address).or_default();
        if from_address.connections >= self.per_address {
            return Err(Full::Address(self.per_address));
        }
        from_address.connections += 1;
        if from_address.memory.is_none() {
            let memory = self.memory.as_ref();
            from_address.memory = memory.map(|memory| memory.part(self.memory_per_address));
        }
        let memory = from_address.memory.clone();
        counts.total += 1;
        Ok(Place {
            caps: self.clone(),
            address,
            memory,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An IPv6 customer has a /64 and as many addresses as it likes.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            Ipv6Addr::from_bits(network).into()
        }
    }
}

/// A counted connection.
#[derive(Debug)]
pub(super) struct Place {
    caps: Arc<Caps>,
    address: IpAddr,
    memory: Option<MemoryBudget>,
}

impl Place {
    /// The memory of its address.
    pub(super) fn memory(&self) -> Option<&MemoryBudget> {
        self.memory.as_ref()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.caps.lock();
        counts.total -= 1;
        if let Some(from_address) = counts.by_address.get_mut(&self.address) {
            from_address.connections -= 1;
            if from_address.connections == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> SocketAddr {
        SocketAddr::new(text.parse().unwrap(), 1)
    }

    #[test]
    fn each_cap_is_named_when_reached_and_a_dropped_place_is_free_again() {
        let caps = Caps::new(3, 2, None, None);
        let one = caps.take(peer("10.0.0.1")).unwrap();
        let _two = caps.take(peer("10.0.0.1")).unwrap();
        assert_eq!(caps.take(peer("10.0.0.1")).unwrap_err(), Full::Address(2));
        let _three = caps.take(peer("10.0.0.2")).unwrap();
        assert_eq!(caps.take(peer("10.0.0.3")).unwrap_err(), Full::Total(3));
        drop(one);
        assert!(caps.take(peer("10.0.0.1")).is_ok());
        assert_eq!(caps.lock().by_address.len(), 2);
    }

    #[test]
    fn an_address_has_a_quarter_of_the_memory_unless_told_otherwise() {
        for (given, part) in [(None, 25), (Some(70), 70)] {
            let budget = MemoryBudget::new(100);
            let caps = Caps::new(9, 9, Some(budget.clone()), given);
            let places =
                ["10.0.0.1", "10.0.0.1", "10.0.0.2"].map(|ip| caps.take(peer(ip)).unwrap());
            let mut shares = places
                .each_ref()
                .map(|place| place.memory().unwrap().share());
            assert!(shares[0].resize(part - 5).is_ok());
            assert!(shares[1].resize(6).is_err());
            assert!(shares[1].resize(5).is_ok());
            assert!(shares[2].resize(20).is_ok());
            assert_eq!(budget.used(), part + 20);
        }
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let caps = Caps::new(9, 1, None, None);
        let _one = caps.take(peer("2001:db8::1")).unwrap();
        assert!(caps.take(peer("2001:db8::ffff:1")).is_err());
        assert!(caps.take(peer("2001:db8:0:1::1")).is_ok());
        let _v4 = caps.take(peer("10.0.0.1")).unwrap();
        assert!(caps.take(peer("::ffff:10.0.0.1")).is_err());
    }
}
