//! Metrics in the text format of Prometheus (0.0.4), and whether the server is well.
//!
//! They have a listener of their own, so that they are not public.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::ready;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use longwire::http;
use longwire::server::{Body, Observer, RequestBody, ServerHandle, TurnedAway};
use longwire::{MemoryBudget, Server};

use super::hosts::{Hosts, Reach};
use super::live::Live;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of the buckets of handshake durations, in microseconds.
const BUCKETS: [u64; 10] = [
    100, 500, 1000, 5000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000,
];

/// Connections to the metrics at the same time.
const MOST_CONNECTIONS: usize = 64;

/// What has come to the server.
pub(super) struct Metrics {
    live: Live,
    budget: MemoryBudget,
    started: SystemTime,
    connected: AtomicU64,
    /// Those that did not become a socket, by reason.
    refused: Mutex<BTreeMap<&'static str, u64>>,
    handshakes: [AtomicU64; BUCKETS.len() + 1],
    handshake_micros: AtomicU64,
    draining: AtomicBool,
}

impl Metrics {
    pub(super) fn new(live: Live, budget: MemoryBudget) -> Arc<Self> {
        Arc::new(Self {
            live,
            budget,
            started: SystemTime::now(),
            connected: AtomicU64::new(0),
            refused: Mutex::default(),
            handshakes: Default::default(),
            handshake_micros: AtomicU64::new(0),
            draining: AtomicBool::new(false),
        })
    }

    /// From now on the server is not ready for more.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Serves the metrics at this address; gives where that is, and what stops it.
    pub(super) async fn serve(
        self: Arc<Self>,
        address: &str,
        hosts: Hosts,
    ) -> Result<(std::net::SocketAddr, ServerHandle), longwire::Error> {
        let metrics = self.clone();
        let reach = Arc::new(Reach::default());
        let door = Arc::new((hosts, reach.clone()));
        let doors = [door.clone(), door.clone(), door];
        let [at_metrics, at_health, at_ready] = doors.map(|door| {
            move |request: &Request<RequestBody>| {
                let (hosts, reach) = &*door;
                let refusal = hosts.refusal(request.headers(), request.uri());
                refusal.filter(|_| reach.is_local())
            }
        });
        let bound = Server::new()
            .max_connections(MOST_CONNECTIONS)
            .log_requests(false)
            .page("/metrics", move |request| {
                let refusal = at_metrics(&request);
                ready(refusal.unwrap_or_else(|| answer(StatusCode::OK, metrics.text(), TEXT)))
            })
            .page("/healthz", move |request| {
                let alive = || answer(StatusCode::OK, "alive\n".to_owned(), "text/plain");
                ready(at_health(&request).unwrap_or_else(alive))
            })
            .page("/readyz", move |request| {
                let (status, text) = if self.draining.load(Ordering::Relaxed) {
                    (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
                } else {
                    (StatusCode::OK, "ready\n")
                };
                let told = || answer(status, text.to_owned(), "text/plain");
                ready(at_ready(&request).unwrap_or_else(told))
            })
            .bind(address)
            .await?;
        let (local, handle) = (bound.local_addr(), bound.handle());
        reach.set(local);
        tokio::spawn(bound.run());
        Ok((local, handle))
    }

    pub(super) fn refuse(&self, reason: &'static str) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused.entry(reason).or_default() += 1;
    }

    fn text(&self) -> String {
        let mut page = Page::default();
        self.sockets(&mut page);
        self.handshakes(&mut page);
        self.process(&mut page);
        page.0
    }

    fn sockets(&self, page: &mut Page) {
        let (open, mut latencies) = self.live.now();
        let totals = self.live.totals();
        let name = page.family("longwire_sockets_open", "gauge", "Sockets that are open.");
        for (route, count) in &open {
            page.sample(name, &[("route", route)], count);
        }
        let name = page.family(
            "longwire_sockets_opened_total",
            "counter",
            "Sockets that were opened.",
        );
        for (route, count) in &totals.opened {
            page.sample(name, &[("route", route)], count);
        }
        let name = page.family(
            "longwire_sockets_closed_total",
            "counter",
            "Sockets that have closed, by code and by whom.",
        );
        for ((code, by), count) in &totals.closed {
            let code = match code {
                3000 => "3xxx".to_owned(),
                4000 => "4xxx".to_owned(),
                code => code.to_string(),
            };
            page.sample(name, &[("code", &code), ("by", by)], count);
        }
        let statistics = totals.statistics;
        let name = page.family(
            "longwire_messages_total",
            "counter",
            "Messages on all sockets.",
        );
        page.sample(
            name,
            &[("direction", "received")],
            statistics.messages_received,
        );
        page.sample(name, &[("direction", "sent")], statistics.messages_sent);
        let name = page.family(
            "longwire_bytes_total",
            "counter",
            "Bytes of frames on all sockets.",
        );
        page.sample(
            name,
            &[("direction", "received")],
            statistics.bytes_received,
        );
        page.sample(name, &[("direction", "sent")], statistics.bytes_sent);
        latencies.sort_unstable();
        let name = page.family(
            "longwire_latency_seconds",
            "gauge",
            "Last round trip of a ping, over the sockets that are open.",
        );
        for (quantile, label) in [(50, "0.5"), (90, "0.9"), (99, "0.99"), (100, "1")] {
            let at = (latencies.len() * quantile).div_ceil(100).saturating_sub(1);
            if let Some(latency) = latencies.get(at) {
                page.sample(name, &[("quantile", label)], latency.as_secs_f64());
            }
        }
    }

    fn handshakes(&self, page: &mut Page) {
        let name = page.family(
            "longwire_connections_total",
            "counter",
            "Connections that were accepted, refused ones included.",
        );
        page.sample(name, &[], self.connected.load(Ordering::Relaxed));
        let name = page.family(
            "longwire_refused_total",
            "counter",
            "Connections and handshakes that became no socket, by reason.",
        );
        let refused = self
            .refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for (reason, count) in refused {
            page.sample(name, &[("reason", reason)], count);
        }
        let name = "longwire_handshake_duration_seconds";
        page.family(
            name,
            "histogram",
            "From the head of a handshake to its answer.",
        );
        let mut below = 0;
        for (at, count) in self.handshakes.iter().enumerate() {
            below += count.load(Ordering::Relaxed);
            let bound = BUCKETS.get(at).map_or("+Inf".to_owned(), |&bound| {
                Duration::from_micros(bound).as_secs_f64().to_string()
            });
            page.sample(&format!("{name}_bucket"), &[("le", &bound)], below);
        }
        let micros = self.handshake_micros.load(Ordering::Relaxed);
        let sum = Duration::from_micros(micros).as_secs_f64();
        page.sample(&format!("{name}_sum"), &[], sum);
        page.sample(&format!("{name}_count"), &[], below);
    }

    fn process(&self, page: &mut Page) {
        let name = page.family(
            "longwire_memory_used_bytes",
            "gauge",
            "Memory of unfinished messages and waiting output.",
        );
        page.sample(name, &[], self.budget.used());
        let name = page.family(
            "longwire_memory_limit_bytes",
            "gauge",
            "Most memory of unfinished messages and waiting output.",
        );
        page.sample(name, &[], self.budget.total());
        let name = page.family(
            "longwire_draining",
            "gauge",
            "Whether the server is about to end.",
        );
        page.sample(name, &[], u8::from(self.draining.load(Ordering::Relaxed)));
        if let Some(bytes) = resident_memory() {
            let name = page.family(
                "process_resident_memory_bytes",
                "gauge",
                "Memory of the process.",
            );
            page.sample(name, &[], bytes);
        }
        let started = self.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = page.family(
            "process_start_time_seconds",
            "gauge",
            "When the process started, in seconds since 1970.",
        );
        page.sample(name, &[], started.as_secs_f64());
        let name = page.family("longwire_build_info", "gauge", "The version, in a label.");
        page.sample(name, &[("version", env!("CARGO_PKG_VERSION"))], 1);
    }
}

impl Observer for Metrics {
    fn connected(&self, _: std::net::SocketAddr) {
        self.connected.fetch_add(1, Ordering::Relaxed);
    }

    fn turned_away(&self, why: TurnedAway) {
        self.refuse(match why {
            TurnedAway::MaxConnections => "max_connections",
            TurnedAway::MaxConnectionsPerAddress => "max_connections_per_address",
            TurnedAway::Tls => "tls",
            TurnedAway::Timeout => "timeout",
            _ => "other",
        });
    }

    fn handshake(&self, status: StatusCode, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let at = BUCKETS.partition_point(|&bound| bound < micros);
        if let Some(bucket) = self.handshakes.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.handshake_micros.fetch_add(micros, Ordering::Relaxed);
        match status.as_u16() {
            // Why it is 503 is told where that is decided, as there are several reasons.
            101 | 200 | 503 => {}
            400 => self.refuse("bad_request"),
            401 => self.refuse("unauthorized"),
            403 => self.refuse("forbidden"),
            404 => self.refuse("not_found"),
            421 => self.refuse("host"),
            426 => self.refuse("version"),
            431 => self.refuse("header_too_large"),
            _ => self.refuse("other"),
        }
    }
}

/// The text, family by family.
#[derive(Default)]
struct Page(String);

impl Page {
    /// Begins what has this name, which is given back.
    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> &'static str {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        name
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0.push_str(name);
        for (at, (label, value)) in labels.iter().enumerate() {
            let before = if at == 0 { "{" } else { "," };
            let _ = write!(self.0, "{before}{label}=\"{}\"", escaped(value));
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }
}

fn escaped(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn answer(status: StatusCode, text: String, content_type: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The memory of this process, where the system tells it (Linux).
fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_buckets_are_as_the_format_has_them() {
        let metrics = Metrics::new(Live::default(), MemoryBudget::new(1));
        metrics.handshake(StatusCode::SWITCHING_PROTOCOLS, Duration::from_micros(100));
        metrics.handshake(StatusCode::UNAUTHORIZED, Duration::from_secs(9));
        metrics.turned_away(TurnedAway::Tls);
        let text = metrics.text();
        for line in [
            "longwire_handshake_duration_seconds_bucket{le=\"0.0001\"} 1",
            "longwire_handshake_duration_seconds_bucket{le=\"5\"} 1",
            "longwire_handshake_duration_seconds_bucket{le=\"+Inf\"} 2",
            "longwire_handshake_duration_seconds_count 2",
            "longwire_handshake_duration_seconds_sum 9.0001",
            "longwire_refused_total{reason=\"unauthorized\"} 1",
            "longwire_refused_total{reason=\"tls\"} 1",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
        }
        assert_eq!(escaped("a\"b\\c\n"), "a\\\"b\\\\c\\n");
    }
}
