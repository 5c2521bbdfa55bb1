//! Ten thousand clients after a restart of their server: a simulation of the
//! waits alone, in virtual time. It writes `docs/reconnection.svg`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write as _;
use std::time::Duration;

use longwire::reconnect::Backoff;
use longwire_testkit::spec::workspace;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

const CLIENTS: usize = 10_000;

/// How long the server is away, in seconds.
const AWAY: f64 = 10.0;

/// Handshakes that the server does in a second; it refuses the others.
const CAPACITY: usize = 500;

/// Seconds in the plot.
const SHOWN: usize = 120;

/// Tries in each second, and those that succeeded.
struct Rates {
    tries: Vec<usize>,
    opened: Vec<usize>,
}

fn simulate(mut wait: impl FnMut(u32) -> f64) -> Rates {
    let micros = |seconds: f64| (seconds * 1e6) as u64;
    let mut rates = Rates {
        tries: vec![0; SHOWN],
        opened: vec![0; SHOWN],
    };
    let mut next: BinaryHeap<Reverse<(u64, u32)>> = (0..CLIENTS)
        .map(|_| Reverse((micros(wait(0)), 0)))
        .collect();
    while let Some(Reverse((at, tries))) = next.pop() {
        let second = (at / 1_000_000) as usize;
        let Some(tried) = rates.tries.get_mut(second) else {
            continue;
        };
        *tried += 1;
        let is_up = at >= micros(AWAY);
        if is_up && rates.opened[second] < CAPACITY {
            rates.opened[second] += 1;
        } else {
            let later = at + micros(wait(tries + 1)).max(1);
            next.push(Reverse((later, tries + 1)));
        }
    }
    rates
}

fn ours() -> Rates {
    let backoff = Backoff::default();
    let mut rng = StdRng::seed_from_u64(7);
    simulate(|tries| backoff.delay(tries, &mut rng).as_secs_f64())
}

/// What many clients do: try again after a second, and again.
fn naive() -> Rates {
    simulate(|_| Duration::from_secs(1).as_secs_f64())
}

#[test]
fn ten_thousand_clients_come_back_without_a_thundering_herd() {
    let (ours, naive) = (ours(), naive());
    let peak = |rates: &[usize]| rates.iter().copied().max().unwrap_or(0);
    // All of them at once, every second, against less than a third of that, once.
    assert_eq!(peak(&naive.tries), CLIENTS);
    let most = CLIENTS / 3;
    assert!(peak(&ours.tries) < most, "{}", peak(&ours.tries));
    // When the server is back, it gets little more than it can do.
    let back = &ours.tries[AWAY as usize..];
    assert!(peak(back) < 3 * CAPACITY, "{}", peak(back));
    let opened: usize = ours.opened.iter().sum();
    assert!(
        opened > CLIENTS * 99 / 100,
        "{opened} are back in two minutes"
    );

    let svg = plot(&ours, &naive);
    let path = workspace().join("docs/reconnection.svg");
    if std::fs::read_to_string(&path).unwrap_or_default() == svg {
        return;
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "docs/reconnection.svg is out of date: run `cargo nextest run -p longwire-testkit herd` and commit it"
    );
    std::fs::write(&path, svg).unwrap();
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 292.0;
const RIGHT: f64 = 700.0;

fn x(second: f64) -> f64 {
    LEFT + second / SHOWN as f64 * (RIGHT - LEFT)
}

/// A logarithmic scale, as one curve is a hundred times the other.
fn y(rate: f64) -> f64 {
    let share = rate.max(1.0).log10() / 4.0;
    BOTTOM - share * (BOTTOM - TOP)
}

fn steps(rates: &[usize]) -> String {
    let mut path = String::new();
    for (second, rate) in rates.iter().enumerate() {
        let (from, to, level) = (x(second as f64), x(second as f64 + 1.0), y(*rate as f64));
        let command = if second == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{command}{from:.1} {level:.1}L{to:.1} {level:.1}");
    }
    path
}

fn plot(ours: &Rates, naive: &Rates) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\" role=\"img\" \
         aria-label=\"Connection attempts per second of 10,000 clients after a restart\">\n\
         <style>\n\
         :root {{ --ink: #1f2328; --grid: #d0d7de; --ours: #0969da; --opened: #1a7f37; --naive: #cf222e; --paper: #fff }}\n\
         @media (prefers-color-scheme: dark) {{ :root {{ --ink: #e6edf3; --grid: #3d444d; --ours: #58a6ff; --opened: #3fb950; --naive: #ff7b72; --paper: #0d1117 }} }}\n\
         text {{ fill: var(--ink) }} path {{ fill: none; stroke-width: 1.8 }}\n\
         </style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"var(--paper)\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\" font-weight=\"600\">10,000 clients after a restart: attempts per second</text>\n"
    );
    for power in 0..=4 {
        let rate = 10_u32.pow(power);
        let at = y(f64::from(rate));
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"var(--grid)\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{rate}</text>",
            LEFT - 8.0,
            at + 4.0
        );
    }
    for second in (0..=SHOWN).step_by(20) {
        let at = x(second as f64);
        let _ = writeln!(
            svg,
            "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{second} s</text>",
            BOTTOM + 18.0
        );
    }
    let away = x(AWAY) - LEFT;
    let _ = write!(
        svg,
        "<rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{away:.1}\" height=\"{:.1}\" fill=\"var(--grid)\" opacity=\"0.45\"/>\n\
         <path d=\"{}\" stroke=\"var(--naive)\"/>\n\
         <path d=\"{}\" stroke=\"var(--ours)\"/>\n\
         <path d=\"{}\" stroke=\"var(--opened)\" stroke-dasharray=\"4 3\"/>\n",
        BOTTOM - TOP,
        steps(&naive.tries),
        steps(&ours.tries),
        steps(&ours.opened)
    );
    let legend = [
        ("var(--naive)", "a try each second"),
        ("var(--ours)", "ReconnectingSocket"),
        ("var(--opened)", "of these, accepted (500/s at most)"),
        ("var(--grid)", "server away"),
    ];
    let mut at = LEFT;
    for (colour, text) in legend {
        let _ = writeln!(
            svg,
            "<rect x=\"{at}\" y=\"{:.1}\" width=\"14\" height=\"4\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"{:.1}\">{text}</text>",
            HEIGHT - 14.0,
            at + 20.0,
            HEIGHT - 8.0
        );
        at += 40.0 + text.len() as f64 * 6.4;
    }
    svg.push_str("</svg>\n");
    svg
}
