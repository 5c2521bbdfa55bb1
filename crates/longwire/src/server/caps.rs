//! How many connections a server holds at once, in all and from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections against two caps.
#[derive(Debug)]
pub(super) struct Caps {
    total: usize,
    per_address: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
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
    pub(super) fn new(total: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            total,
            per_address,
            counts: Mutex::default(),
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
        if *from_address >= self.per_address {
            return Err(Full::Address(self.per_address));
        }
        *from_address += 1;
        counts.total += 1;
        Ok(Place {
            caps: self.clone(),
            address,
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
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.caps.lock();
        counts.total -= 1;
        if let Some(from_address) = counts.by_address.get_mut(&self.address) {
            *from_address -= 1;
            if *from_address == 0 {
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
        let caps = Caps::new(3, 2);
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
    fn an_ipv6_network_counts_as_one_address() {
        let caps = Caps::new(9, 1);
        let _one = caps.take(peer("2001:db8::1")).unwrap();
        assert!(caps.take(peer("2001:db8::ffff:1")).is_err());
        assert!(caps.take(peer("2001:db8:0:1::1")).is_ok());
        let _v4 = caps.take(peer("10.0.0.1")).unwrap();
        assert!(caps.take(peer("::ffff:10.0.0.1")).is_err());
    }
}
