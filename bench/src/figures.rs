//! Figures of several rounds.

/// What rounds came to.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// A quarter of the rounds is below it.
    pub lower_quartile: f64,
    /// Half of the rounds are below it.
    pub median: f64,
    /// The most.
    pub max: f64,
}

impl Spread {
    /// Of these values; `None` where there are none.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.retain(|value| value.is_finite());
        values.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let last = values.len().checked_sub(1)?;
            values.get((last as f64 * part).round() as usize).copied()
        };
        Some(Self {
            min: at(0.0)?,
            lower_quartile: at(0.25)?,
            median: at(0.5)?,
            max: at(1.0)?,
        })
    }

    /// `median (min to max)`
    pub fn tell(&self, digits: usize) -> String {
        let Self {
            min, median, max, ..
        } = self;
        format!("{median:.digits$} ({min:.digits$} to {max:.digits$})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_of_what_was_measured() {
        let spread = Spread::of(vec![5.0, 1.0, 4.0, 2.0, 3.0, f64::NAN]).unwrap();
        assert_eq!(
            (spread.min, spread.lower_quartile, spread.median, spread.max),
            (1.0, 2.0, 3.0, 5.0)
        );
        assert_eq!(spread.tell(1), "3.0 (1.0 to 5.0)");
        assert!(Spread::of(Vec::new()).is_none());
    }
}
