//! From values to places on an axis, with round numbers along it.

/// An axis's scale.
#[derive(Clone, Debug)]
pub(in crate::bench) enum Scale {
    /// From zero to this.
    Linear { max: f64 },
    /// From one to the other, by their logarithms.
    Log { min: f64, max: f64 },
    /// Percentiles up to this, the same width for each further nine: half way from
    /// 90 to 99.9 is 99.
    Nines { max: f64 },
}

/// Ticks of a linear axis, about.
const TICKS: f64 = 5.0;

/// And at most.
const MOST_TICKS: f64 = 20.0;

impl Scale {
    /// From zero to a round number not below any of the values.
    pub(in crate::bench) fn linear(values: impl Iterator<Item = f64>) -> Self {
        let max = values.fold(0.0, f64::max);
        let step = step(max);
        Self::Linear {
            max: ((max / step).ceil() * step).max(step),
        }
    }

    /// From a power of ten, or twice or five times one, to another.
    pub(in crate::bench) fn log(values: impl Iterator<Item = f64> + Clone) -> Self {
        let positive = values.filter(|value| *value > 0.0);
        let min = positive.clone().fold(f64::INFINITY, f64::min);
        let max = positive.fold(0.0, f64::max);
        if max <= 0.0 {
            return Self::Log {
                min: 1.0,
                max: 10.0,
            };
        }
        let (min, max) = (round_down(min), round_up(max));
        let max = if max > min { max } else { round_up(max * 1.5) };
        Self::Log { min, max }
    }

    /// Up to the percentile of one in so many.
    pub(in crate::bench) fn nines(count: u64) -> Self {
        let nines = (count.max(10) as f64).log10().ceil();
        Self::Nines {
            max: 100.0 - 100.0 / 10f64.powf(nines),
        }
    }

    /// Where the value is: 0 at the start of the axis, 1 at its end.
    pub(in crate::bench) fn at(&self, value: f64) -> f64 {
        let at = match self {
            Self::Linear { max } => value / max,
            Self::Log { min, max } => (value.max(*min) / min).ln() / (max / min).ln(),
            Self::Nines { max } => nines(value.min(*max)) / nines(*max),
        };
        at.clamp(0.0, 1.0)
    }

    /// The value at that place.
    pub(in crate::bench) fn value(&self, at: f64) -> f64 {
        match self {
            Self::Linear { max } => at * max,
            Self::Log { min, max } => min * (max / min).powf(at),
            Self::Nines { max } => 100.0 - 100.0 / 10f64.powf(at * nines(*max)),
        }
    }

    /// Round values along the axis.
    pub(in crate::bench) fn ticks(&self) -> Vec<f64> {
        match self {
            Self::Linear { max } => {
                let step = step(*max);
                let steps = (max / step).round().min(MOST_TICKS) as u32;
                (0..=steps).map(|index| f64::from(index) * step).collect()
            }
            Self::Log { min, max } => {
                let all = log_ticks(*min, *max, &[1.0, 2.0, 5.0]);
                if all.len() <= 10 {
                    all
                } else {
                    log_ticks(*min, *max, &[1.0])
                }
            }
            Self::Nines { max } => {
                let further = (1..).map(|nines| 100.0 - 100.0 / 10f64.powi(nines));
                let further = further.take_while(|tick| *tick <= max + 1e-9);
                [0.0, 50.0].into_iter().chain(further).collect()
            }
        }
    }
}

fn nines(percentile: f64) -> f64 {
    -(1.0 - percentile / 100.0).log10()
}

/// 1, 2 or 5 times a power of ten, of which there are about as many as wanted.
fn step(max: f64) -> f64 {
    if max <= 0.0 {
        return 1.0;
    }
    round_up(max / TICKS)
}

fn log_ticks(min: f64, max: f64, of: &[f64]) -> Vec<f64> {
    let powers = (min.log10().floor() as i32)..=(max.log10().ceil() as i32);
    let all = powers.flat_map(|power| of.iter().map(move |digit| digit * 10f64.powi(power)));
    all.filter(|tick| (min * 0.999..=max * 1.001).contains(tick))
        .collect()
}

fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let digit = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|digit| digit * power >= value * 0.999_999);
    digit.unwrap_or(10.0) * power
}

fn round_down(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let digit = [5.0, 2.0]
        .into_iter()
        .find(|digit| digit * power <= value * 1.000_001);
    digit.unwrap_or(1.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers_that_hold_all_values() {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9 * b.abs().max(1.0);
        for (most, end) in [(0.0, 1.0), (7.0, 8.0), (33_000.0, 40_000.0), (100.0, 100.0)] {
            let Scale::Linear { max } = Scale::linear([most].into_iter()) else {
                unreachable!("it is linear");
            };
            assert!(close(max, end), "{most}: {max}");
        }
        let Scale::Log { min, max } = Scale::log([263.0, 7610.0, 0.0].into_iter()) else {
            unreachable!("it is logarithmic");
        };
        assert!(close(min, 200.0) && close(max, 10_000.0), "{min} {max}");
    }

    #[test]
    fn each_nine_has_the_same_width() {
        let scale = Scale::nines(10_000);
        for (percentile, at) in [
            (0.0, 0.0),
            (90.0, 0.25),
            (99.0, 0.5),
            (99.99, 1.0),
            (100.0, 1.0),
        ] {
            assert!((scale.at(percentile) - at).abs() < 1e-9, "{percentile}");
        }
        assert!((scale.value(0.5) - 99.0).abs() < 1e-9);
        assert_eq!(scale.ticks().len(), 6);
    }

    #[test]
    fn one_value_alone_has_an_axis() {
        for scale in [
            Scale::log([5.0].into_iter()),
            Scale::log(std::iter::empty()),
        ] {
            assert!(scale.at(5.0).is_finite());
            assert!(scale.ticks().len() >= 2, "{scale:?}");
        }
    }
}
