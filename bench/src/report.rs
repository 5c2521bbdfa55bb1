//! Tables.

use std::fmt::Write as _;

use crate::measures::Measure;
use crate::turns::Standing;

/// A table of one measure.
pub fn table(measure: &Measure, standings: &[Standing]) -> String {
    let mut out = format!("### {}\n\n", measure.title());
    let compared = standings.iter().any(|one| one.ratio.is_some());
    let halves = standings.iter().any(|one| one.p50.is_some());
    let sampled = standings.iter().any(|one| one.user.is_some());
    let _ = write!(out, "| server | {} |", measure.unit());
    if compared {
        out.push_str(" to the floor: median (min to max) |");
    }
    if halves {
        out.push_str(" p50, us |");
    }
    if sampled {
        out.push_str(" of it in user code, ns |");
    }
    out.push_str("\n|---|---|");
    out.push_str(&"---|".repeat([compared, halves, sampled].map(usize::from).iter().sum()));
    out.push('\n');
    for one in standings {
        let _ = write!(out, "| {} | {:.0} |", one.name, one.value.lower_quartile);
        if compared {
            let ratio = one.ratio.map_or_else(String::new, |ratio| ratio.tell(2));
            let _ = write!(out, " {ratio} |");
        }
        if let Some(p50) = one.p50 {
            let _ = write!(out, " {:.0} |", p50.lower_quartile);
        }
        if sampled {
            let user = one
                .user
                .map_or_else(String::new, |user| format!("{user:.0}"));
            let _ = write!(out, " {user} |");
        }
        out.push('\n');
    }
    out
}
