//! Measures the parts of the engine in memory, each beside a copy of as many bytes:
//! `micro [--only NAME] [--rounds N] [--seconds S] [--instructions] [--write]`. All take
//! turns within each round. With `--instructions`, counts them too, which needs valgrind;
//! with `--write`, the table goes into `docs/performance.md`.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use longwire_bench::Failure;
use longwire_bench::callgrind::Counted;
use longwire_bench::figures::Spread;
use longwire_bench::micro::{Case, Copying, Make, all};
use longwire_bench::page;
use longwire_bench::process::pin_load;
use longwire_bench::stopwatch::Stopwatch;

/// Passes that are counted.
const PASSES: usize = 8;

/// Larger operations are not counted: that would take minutes.
const MOST_COUNTED: usize = 1 << 20;

/// Has the program make ready so often, and do as many passes of a case as it is told.
const PASS: &str = "--pass";

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let after = |name: &str, offset: usize| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + offset)
    };
    if let (Some(case), Some(passes)) = (after(PASS, 1), after(PASS, 2)) {
        return pass(&all()[case.parse::<usize>()?], passes.parse()?);
    }
    let only = after("--only", 1).map_or("", String::as_str);
    let rounds = after("--rounds", 1).map_or(Ok(20), |rounds| rounds.parse())?;
    let seconds = after("--seconds", 1).map_or(Ok(0.01), |seconds| seconds.parse())?;
    pin_load()?;
    let mut rows = Vec::new();
    for (i, make) in all().into_iter().enumerate() {
        let mut case = make()?;
        if case.name.contains(only) {
            case.check()?;
            let counted = has("--instructions") && case.bytes <= MOST_COUNTED;
            let instructions = if counted {
                Some(count(i, &case)?)
            } else {
                None
            };
            rows.push(Row {
                make,
                instructions,
                passes: Vec::new(),
                copies: Vec::new(),
            });
        }
    }
    let stopwatch = Stopwatch::new();
    for _ in 0..rounds {
        for row in &mut rows {
            row.turn(stopwatch, Duration::from_secs_f64(seconds))?;
        }
    }
    let table = table(&rows)?;
    println!("{table}");
    if has("--write") {
        page::write("micro", &table)?;
    }
    Ok(())
}

/// Passes alone, to be counted. Each run makes ready equally often, so that this is not
/// in the difference of two.
fn pass(make: &Make, passes: usize) -> Result<(), Failure> {
    let mut case = make()?;
    case.check()?;
    for i in 0..PASSES {
        case.work.prepare();
        if i < passes {
            case.work.pass();
        }
    }
    Ok(())
}

/// Instructions of an operation.
fn count(i: usize, case: &Case) -> Result<f64, Failure> {
    let program = std::env::current_exe()?;
    let program = program.to_str().ok_or("a path that is no text")?;
    let run = |passes: usize| {
        let counted = Counted::new();
        let (i, passes) = (i.to_string(), passes.to_string());
        let words = [program, PASS, &i, &passes].map(str::to_owned);
        let command = counted.command(words.to_vec());
        let status = Command::new(&command[0]).args(&command[1..]).status()?;
        if !status.success() {
            return Err(format!("{command:?}: {status}").into());
        }
        counted.instructions()
    };
    let (none, some) = (run(0)?, run(PASSES)?);
    Ok((some - none) as f64 / (PASSES * case.count) as f64)
}

/// What a case has come to.
struct Row {
    make: Make,
    /// Of an operation.
    instructions: Option<f64>,
    /// Nanoseconds, in each round.
    passes: Vec<f64>,
    /// The same of a copy.
    copies: Vec<f64>,
}

impl Row {
    /// One turn, and one of the copy. The case is made anew, so that each turn has it
    /// elsewhere in memory.
    fn turn(&mut self, stopwatch: Stopwatch, time: Duration) -> Result<(), Failure> {
        let mut case = (self.make)()?;
        let pass = stopwatch.turn(case.work.as_mut(), time);
        let copy = stopwatch.turn(&mut Copying::of(case.bytes), time);
        self.passes.push(pass);
        self.copies.push(copy);
        Ok(())
    }

    fn tell(&self) -> Result<String, Failure> {
        let case = (self.make)()?;
        let quartile = |times: &[f64]| {
            let spread = Spread::of(times.to_vec()).ok_or("nothing was timed")?;
            Ok::<f64, Failure>(spread.lower_quartile)
        };
        let (pass, copy) = (quartile(&self.passes)?, quartile(&self.copies)?);
        let instructions = self.instructions.map_or_else(String::new, figure);
        let rates = if case.touched {
            let rate = (case.bytes * case.count) as f64 / pass;
            // The copy may have another number of pieces.
            let copy = Copying::len(case.bytes) as f64 / copy;
            let part = figure(100.0 * rate / copy);
            format!("{} | {} | {part} %", figure(rate), figure(copy))
        } else {
            " | | ".to_owned()
        };
        Ok(format!(
            "| {} | {} | {} | {instructions} | {rates} |",
            case.name,
            size(case.bytes),
            figure(pass / case.count as f64),
        ))
    }
}

/// With a fraction where it matters.
fn figure(value: f64) -> String {
    let digits = match value {
        value if value < 1.0 => 2,
        value if value < 1000.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$}")
}

/// A number of bytes as one says it.
fn size(bytes: usize) -> String {
    match bytes {
        small if small < 1 << 10 => format!("{small} B"),
        medium if medium < 1 << 20 => format!("{} KiB", medium >> 10),
        large => format!("{} MiB", large >> 20),
    }
}

fn table(rows: &[Row]) -> Result<String, Failure> {
    let mut table = "| what | size | ns | instructions | GB/s | copy, GB/s | share |\n\
                     |---|---|---|---|---|---|---|\n"
        .to_owned();
    for row in rows {
        let _ = writeln!(table, "{}", row.tell()?);
    }
    Ok(table)
}
