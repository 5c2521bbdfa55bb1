//! Measures Longwire, the servers of other libraries, and the floor under all of them:
//! `compare [--only MEASURE,...] [--servers NAME,...] [--rounds N] [--seconds S] [--write]`.
//! With `--write`, tables and plots go into `docs/performance.md` too.

use std::time::Duration;

use longwire_bench::Failure;
use longwire_bench::contestants::ALL;
use longwire_bench::measures::{Measure, Rounds};
use longwire_bench::page;
use longwire_bench::plot::{Panel, draw};
use longwire_bench::process::pin_load;
use longwire_bench::report::table;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    // A name, or how it begins.
    let chosen = |names: &Option<String>, name: &str| {
        let begins = |part: &str| match name.strip_prefix(part) {
            Some(rest) => !part.is_empty() && !rest.starts_with(|c: char| c.is_ascii_digit()),
            None => false,
        };
        names
            .as_ref()
            .is_none_or(|names| names.split(',').any(begins))
    };
    let (only, servers) = (after("--only"), after("--servers"));
    let rounds = Rounds {
        count: after("--rounds").map_or(Ok(15), |count| count.parse())?,
        time: Duration::from_secs_f64(after("--seconds").map_or(Ok(0.3), |time| time.parse())?),
    };
    let contestants: Vec<_> = ALL
        .into_iter()
        .filter(|one| one.is_floor() || chosen(&servers, one.name))
        .collect();
    pin_load()?;
    let (mut tables, mut panels) = (String::new(), Vec::new());
    for measure in &Measure::ALL {
        if chosen(&only, &measure.name()) {
            let standings = measure.run(&contestants, rounds)?;
            let table = table(measure, &standings);
            println!("{table}");
            tables.push_str(&table);
            tables.push('\n');
            panels.push(Panel::new(measure.title(), measure.unit(), &standings));
        }
    }
    if arguments.iter().any(|argument| argument == "--write") {
        write(&tables, &panels)?;
    }
    Ok(())
}

/// Puts the tables and plots into the documentation.
fn write(tables: &str, panels: &[Panel]) -> Result<(), Failure> {
    page::write("compare", tables)?;
    let picture = format!("{}/performance.svg", page::DOCS);
    Ok(std::fs::write(picture, draw(panels))?)
}
